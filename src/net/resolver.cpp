// Names.
#include <netdb.h>
#include <sys/socket.h>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/semaphore.hpp>

#include "net/open.hpp"

namespace runnel {

struct detail::lookups {
  explicit lookups(std::size_t limit) : slots(static_cast<std::int64_t>(limit)) {}
  semaphore slots;
};

namespace {

struct answer {
  std::vector<endpoint> endpoints;
  std::error_code failure;
};

class resolver_errors final : public std::error_category {
 public:
  const char* name() const noexcept override { return "resolver"; }
  std::string message(int value) const override { return gai_strerror(value); }
};

answer look_up(const std::string& host, const std::string& service, int flags) try {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;  // each address once
  hints.ai_flags = flags;
  addrinfo* found = nullptr;
  const int e =
      ::getaddrinfo(host.empty() ? nullptr : host.c_str(), service.c_str(), &hints, &found);
  const int number = errno;
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> list(found, [](addrinfo* a) {
    if (a != nullptr) ::freeaddrinfo(a);
  });
  answer a;
  if (e == EAI_SYSTEM)
    a.failure.assign(number, std::system_category());
  else if (e != 0)
    a.failure.assign(e, resolver_category());
  for (const addrinfo* at = list.get(); at != nullptr; at = at->ai_next) {
    if (at->ai_family != AF_INET && at->ai_family != AF_INET6) continue;
    detail::any_address name{};
    std::memcpy(&name, at->ai_addr, at->ai_addrlen);
    a.endpoints.push_back(detail::endpoint_access::get(name));
  }
  return a;
} catch (const std::bad_alloc&) {
  return {{}, make_error_code(std::errc::not_enough_memory)};
}

}  // namespace

const std::error_category& resolver_category() noexcept {
  static const resolver_errors category;
  return category;
}

resolver::resolver(std::size_t limit) {
  if (limit == 0) throw std::invalid_argument("runnel: resolver: the limit is 0");
  lookups_ = std::make_shared<detail::lookups>(limit);
}

std::vector<endpoint> resolver::resolve(const context& ctx, std::string_view host,
                                        std::string_view service, std::error_code& failure) const {
  failure.clear();
  if (ctx.err()) {
    failure = detail::failure_of(ctx);
    return {};
  }
  if (host.find('\0') != host.npos || service.find('\0') != service.npos) {
    failure.assign(EAI_NONAME, resolver_category());
    return {};
  }
  // Numbers need neither a thread nor a slot.
  answer now = look_up(std::string(host), std::string(service), AI_NUMERICHOST | AI_NUMERICSERV);
  if (!now.failure) return std::move(now.endpoints);
  if (lookups_->slots.acquire(ctx)) {
    failure = detail::failure_of(ctx);
    return {};
  }
  const std::shared_ptr<void> slot(nullptr,
                                   [shared = lookups_](void*) { shared->slots.release(); });
  chan<answer> done(1);
  go([done, slot, name = std::string(host), what = std::string(service)] {
    done.send(blocking([&] { return look_up(name, what, 0); }));
  });
  std::optional<answer> got = done.recv(ctx);
  if (!got) {
    failure = detail::failure_of(ctx);
    return {};
  }
  failure = got->failure;
  return std::move(got->endpoints);
}

std::vector<endpoint> resolver::resolve(const context& ctx, std::string_view host,
                                        std::string_view service) const {
  std::error_code failure;
  auto found = resolve(ctx, host, service, failure);
  detail::throw_if(failure, ("resolve " + std::string(host)).c_str());
  return found;
}

}  // namespace runnel
