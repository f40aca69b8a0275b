#include <runnel/chan.hpp>

void whole(const runnel::chan<int>& ch);

void use(const runnel::chan<int>& ch) {
#ifdef MUST_FAIL
  const runnel::recv_chan<int> half = ch;
  whole(half);
#else
  whole(ch);
#endif
}
