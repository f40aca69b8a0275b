/// All of synchronisation: what goroutines and plain threads share beside channels.
#pragma once
#include <runnel/barrier.hpp>
#include <runnel/condition_variable.hpp>
#include <runnel/latch.hpp>
#include <runnel/mutex.hpp>
#include <runnel/object_pool.hpp>
#include <runnel/once.hpp>
#include <runnel/rate_limiter.hpp>
#include <runnel/semaphore.hpp>
#include <runnel/shared_mutex.hpp>
#include <runnel/singleflight.hpp>
#include <runnel/wait_group.hpp>
