/// Goroutines and the runtime under them.
#pragma once
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <runnel/detail/future.hpp>
#include <runnel/detail/locals.hpp>
#include <runnel/detail/spawn.hpp>

namespace runnel {

struct go_options {
  std::string_view name{};     ///< shown in dumps (escaped) and in gdb; copied
  std::size_t stack_size = 0;  ///< bytes reserved, committed as touched; 0: the runtime's default
};

/// What happens when every goroutine is blocked and nothing could wake one.
enum class deadlock_action {
  terminate,    ///< report and end the process with status 2
  throw_error,  ///< the blocking call that main is in throws deadlock_error; the others stay parked
  ignore        ///< wait on
};

/// What happens when run returns and goroutines started under it are still alive.
enum class leak_action { ignore, report, terminate };

struct runtime_options {
  int max_procs =
      0;  ///< 0: $RUNNEL_MAXPROCS, else the CPUs this process may use (affinity, cgroup quota)
  std::size_t stack_size =
      0;  ///< bytes reserved per goroutine by default; 0: $RUNNEL_STACK_SIZE, else 256 KiB
  /// `terminate`: unless $RUNNEL_DEADLOCK is `ignore`.
  deadlock_action on_deadlock = deadlock_action::terminate;
  /// `ignore`: unless $RUNNEL_LEAKS is `report` or `terminate`.
  leak_action on_leak = leak_action::ignore;
};

/// Thrown out of main's blocking call under deadlock_action::throw_error.
struct deadlock_error : std::runtime_error {
  deadlock_error() : std::runtime_error("all goroutines are asleep - deadlock!") {}
};

/// One goroutine as a dump shows it.
struct goroutine_info {
  std::uint64_t id = 0;
  std::string name;                   ///< empty: none
  std::string state;                  ///< `running`, `runnable`, or Go's word for what it waits for
  std::chrono::nanoseconds since{0};  ///< how long it has been waiting
  std::string created_at;             ///< function, file and line of the call that started it
  std::vector<std::string> stack;     ///< innermost first
};

namespace detail {

[[noreturn]] void go_of_nil();

template <class F>
void check_callable(const F& f) {
  if constexpr (std::is_pointer_v<F> || std::is_member_pointer_v<F>)
    if (f == nullptr) go_of_nil();
}

template <class F, class... A>
struct go_closure {
  F f;
  std::tuple<A...> args;
  decltype(auto) operator()() {
    return std::apply(
        [this](A&... a) -> decltype(auto) { return std::invoke(std::move(f), std::move(a)...); },
        args);
  }
};
template <class F>
struct go_closure<F> {
  F f;
  decltype(auto) operator()() { return std::invoke(std::move(f)); }
};

template <class F, class... A>
go_closure<std::decay_t<F>, std::decay_t<A>...> make_closure(F&& f, A&&... args) {
  if constexpr (sizeof...(A) == 0)
    return {std::forward<F>(f)};
  else
    return {std::forward<F>(f), std::tuple<std::decay_t<A>...>(std::forward<A>(args)...)};
}

template <class F, class... A>
void go_with(const go_options& options, void* created_at, F&& f, A&&... args) {
  using closure = go_closure<std::decay_t<F>, std::decay_t<A>...>;
  check_callable<std::decay_t<F>>(f);
  constexpr bool quiet = std::is_nothrow_constructible_v<std::decay_t<F>, F> &&
                         (std::is_nothrow_constructible_v<std::decay_t<A>, A> && ... && true);
  spawn<closure>(options.stack_size, options.name, created_at, [&](void* at) noexcept(quiet) {
    ::new (at) closure(make_closure(std::forward<F>(f), std::forward<A>(args)...));
  });
}

/// An address in the calling function, for `created by`.
RUNNEL_ALWAYS_INLINE void* here() noexcept {
  void* pc;
#if defined(__x86_64__)
  asm volatile("leaq 0(%%rip), %0" : "=r"(pc));
#elif defined(__aarch64__)
  asm volatile("adr %0, ." : "=r"(pc));
#endif
  return pc;
}

void run_main(const runtime_options& options, void (*body)(void*), void* arg);
/// Whether a processor was added for the time.
bool enter_blocking() noexcept;
void leave_blocking(bool has_added) noexcept;

}  // namespace detail

/// Starts f(args...) as a goroutine. The callable and its arguments are decay-copied, as std::thread does. May be
/// called anywhere: the runtime starts by itself. An exception that leaves the goroutine ends the process (a panic).
/// Throws what the copies throw, std::system_error when no stack can be had, std::bad_alloc.
template <class F, class... A>
requires std::invocable<std::decay_t<F>, std::decay_t<A>...> RUNNEL_ALWAYS_INLINE void go(
    F&& f, A&&... args) {
  detail::go_with(go_options{}, detail::here(), std::forward<F>(f), std::forward<A>(args)...);
}
template <class F, class... A>
requires std::invocable<std::decay_t<F>, std::decay_t<A>...> RUNNEL_ALWAYS_INLINE void go(
    const go_options& options, F&& f, A&&... args) {
  detail::go_with(options, detail::here(), std::forward<F>(f), std::forward<A>(args)...);
}

/// Runs `main` as a goroutine on the process-wide runtime, starting it if need be, blocks the calling thread until it
/// returns, and returns or throws what it did. Does not wait for other goroutines. Calls may follow one another and
/// may overlap; max_procs and stack_size of a later call apply from then on, until one begins that leaves them 0 while no
/// other is active. Throws std::logic_error when called from a goroutine, std::invalid_argument for a negative max_procs.
template <class F>
decltype(auto) run(const runtime_options& options, F&& main) {
  using R = std::invoke_result_t<F>;
  if constexpr (std::is_void_v<R>) {
    struct call {
      std::remove_reference_t<F>& f;
    } c{main};
    detail::run_main(
        options, [](void* p) { std::invoke(std::forward<F>(static_cast<call*>(p)->f)); }, &c);
  } else {
    using stored = std::conditional_t<std::is_reference_v<R>, std::remove_reference_t<R>*,
                                      std::remove_cv_t<R>>;
    struct call {
      std::remove_reference_t<F>& f;
      std::optional<stored> result;
    } c{main, std::nullopt};
    detail::run_main(
        options,
        [](void* p) {
          auto& self = *static_cast<call*>(p);
          if constexpr (std::is_reference_v<R>) {
            R r = std::invoke(std::forward<F>(self.f));
            self.result = std::addressof(r);
          } else {
            self.result.emplace(std::invoke(std::forward<F>(self.f)));
          }
        },
        &c);
    if constexpr (std::is_reference_v<R>)
      return static_cast<R>(**c.result);
    else
      return R(*std::move(c.result));
  }
}
template <class F>
decltype(auto) run(F&& main) {
  return run(runtime_options{}, std::forward<F>(main));
}

/// Starts f(args...) as a goroutine whose result, or exception, is taken by the future, once f and its arguments are
/// destroyed.
template <class F, class... A>
requires std::invocable<std::decay_t<F>, std::decay_t<A>...> RUNNEL_ALWAYS_INLINE auto async(
    F&& f, A&&... args) {
  using R = std::invoke_result_t<std::decay_t<F>, std::decay_t<A>...>;
  detail::check_callable<std::decay_t<F>>(f);
  auto ends = detail::make_promise<R>();
  using call = detail::go_closure<std::decay_t<F>, std::decay_t<A>...>;
  detail::go_with(go_options{}, detail::here(),
                  detail::async_call<R, call>{
                      std::move(ends.promise),
                      detail::make_closure(std::forward<F>(f), std::forward<A>(args)...)});
  return std::move(ends.future);
}

/// Lets others run (runtime.Gosched). On a plain thread gives up the rest of the thread's slice.
void yield();

/// How many processors may run goroutines at once.
int max_procs();
/// Changes it, at run time; returns the old value. n < 1 changes nothing; more than 5000 is taken for 5000.
int set_max_procs(int n);
/// Goroutines that are alive.
std::size_t num_goroutines();

/// Runs f, which may block this OS thread (a system call, a foreign library), without holding other goroutines up;
/// returns or throws what f did.
template <class F>
decltype(auto) blocking(F&& f) {
  struct scope {
    const bool has_added = detail::enter_blocking();
    ~scope() { detail::leave_blocking(has_added); }
  } inside;
  return std::invoke(std::forward<F>(f));
}

/// Binds the calling goroutine to its OS thread, which runs nothing else until as many unlock_os_thread() have been
/// called. A goroutine that ends while bound takes the thread along. No effect on a plain thread. Costs some nanoseconds,
/// and where the goroutine waits or yields while bound, another thread, on which the others go on.
void lock_os_thread();
void unlock_os_thread();

namespace this_goroutine {
/// 0 on a plain thread.
std::uint64_t id();
std::string name();
void set_name(std::string_view name);
bool is_goroutine();
}  // namespace this_goroutine

/// One T per goroutine (per thread on a plain thread), made when it is first asked for and destroyed when the
/// goroutine ends. May be static, and may be destroyed before the goroutines.
template <class T>
class local {
 public:
  local() requires std::default_initializable<T> : local([] { return T(); }) {}
  /// Each T is what `factory` returns.
  explicit local(std::function<T()> factory) : factory_(std::move(factory)) {}
  local(const local&) = delete;
  local& operator=(const local&) = delete;

  /// The caller's own. Throws what the factory throws.
  T& get() {
    if (void* have = detail::find_local(key_)) return *static_cast<T*>(have);
    std::unique_ptr<T> made(new T(factory_()));
    detail::add_local(key_, made.get(), [](void* p) { delete static_cast<T*>(p); });
    return *made.release();
  }
  T& operator*() { return get(); }
  T* operator->() { return std::addressof(get()); }

 private:
  const std::uint64_t key_ = detail::new_local_key();
  std::function<T()> factory_;
};

/// All goroutines that are alive, by id. Parked ones are held still while they are looked at.
std::vector<goroutine_info> goroutines();
/// The same as text, in Go's form.
void dump_goroutines(std::ostream& out);
/// Called with the exception and the goroutine before a panic is reported; may log, not resume.
void set_panic_handler(std::function<void(std::exception_ptr, const goroutine_info&)> handler);

}  // namespace runnel
