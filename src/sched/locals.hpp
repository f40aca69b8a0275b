// The per-goroutine values of runnel::local, stored with the goroutine (or the thread, on a plain thread).
#pragma once
#include <runnel/detail/locals.hpp>

#include "sched/goroutine.hpp"

namespace runnel::detail {

/// Destroys what an ending goroutine has, newest first; runs users' destructors, which may block.
void destroy_locals(goroutine& g);

}  // namespace runnel::detail
