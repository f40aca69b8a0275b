/// The whole core. The headers of runnel::net (net, process, signal) and runnel::asio are included by name.
#pragma once
#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/error.hpp>
#include <runnel/go.hpp>
#include <runnel/group.hpp>
#include <runnel/patterns.hpp>
#include <runnel/poll.hpp>
#include <runnel/select.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>
#include <runnel/worker_pool.hpp>
