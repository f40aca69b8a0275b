// Integers through a channel of capacity 128.
#include "common/runnel_pipe.hpp"

namespace {

const bench::workload registered{"buf_1p1c",
                                 [](const bench::args& a) { bench::runnel_pipe(a, 128, 1, 1); }};

}  // namespace
