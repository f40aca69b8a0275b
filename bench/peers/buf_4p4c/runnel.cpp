// Integers through a channel of capacity 128, from four producers to four consumers.
#include "common/runnel_pipe.hpp"

namespace {

const bench::workload registered{"buf_4p4c",
                                 [](const bench::args& a) { bench::runnel_pipe(a, 128, 4, 4); }};

}  // namespace
