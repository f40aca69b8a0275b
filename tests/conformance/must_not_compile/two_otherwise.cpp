#include <runnel/select.hpp>

void use(const runnel::chan<int>& ch) {
#ifdef MUST_FAIL
  runnel::select(runnel::otherwise(), runnel::on_recv(ch), runnel::otherwise());
#else
  runnel::select(runnel::on_recv(ch), runnel::otherwise());
#endif
}
