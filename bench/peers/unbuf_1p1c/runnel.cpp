// Integers through an unbuffered channel.
#include "common/runnel_pipe.hpp"

namespace {

const bench::workload registered{"unbuf_1p1c",
                                 [](const bench::args& a) { bench::runnel_pipe(a, 0, 1, 1); }};

}  // namespace
