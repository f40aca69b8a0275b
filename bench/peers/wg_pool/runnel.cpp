// Four workers between two unbuffered channels, one of tasks and one of results.
#include "common/runnel_pool.hpp"

namespace {

const bench::workload registered{"wg_pool",
                                 [](const bench::args& a) { bench::runnel_pool_workload(a, 0); }};

}  // namespace
