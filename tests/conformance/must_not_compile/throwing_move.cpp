#include <runnel/chan.hpp>

struct element {
  element() = default;
#ifdef MUST_FAIL
  element(element&&) {}
#else
  element(element&&) noexcept {}
#endif
};

void use() {
  const runnel::chan<element> ch(1);
  ch.send(element{});
}
