// Four workers between two channels of capacity 128, one of tasks and one of results.
#include "common/runnel_pool.hpp"

namespace {

const bench::workload registered{"pool_cap128",
                                 [](const bench::args& a) { bench::runnel_pool_workload(a, 128); }};

}  // namespace
