// --jobs auto: finds how many workers give the most throughput by hill climbing.
#pragma once

namespace runnel_cli {

/// Says how many workers there should be, from the throughput of the last window of time.
///
/// A size is judged by the mean of two windows. A trial of more workers is kept if it gains more than
/// 5 %, a trial of fewer if it loses less than 2 %: of two sizes with the same throughput the smaller
/// wins. Steps double while they pay. When neither direction pays it rests, for longer each time, and
/// then tries again; throughput that changes by more than 20 % ends the rest. Deterministic; for one
/// goroutine at a time; nothing blocks.
class size_controller {
 public:
  /// Keeps to [min, max]; `min` is taken as at least 1, `max` as at least `min`.
  size_controller(int min, int max, int start);

  /// To be called at the end of each window, with the throughput at the present size. `all_busy`:
  /// no worker lacked work; otherwise the input is what is slow, and the size falls. Returns the size
  /// for the next window. A window in which no job ended (zero, or not a number) says nothing, so
  /// windows should be long enough for several jobs per worker.
  int next(double jobs_per_second, bool all_busy);

  int size() const { return size_; }

 private:
  enum class phase { measuring, trying, resting };

  int with_idle_workers();
  void judge(double rate);
  void watch(double rate);
  void explore(double rate);
  void try_next();
  void rest();
  void settle_for(int looks);

  const int min_;
  const int max_;
  phase phase_ = phase::measuring;
  int size_;              // now; differs from base_ during a trial only
  int base_;              // the best known
  double base_rate_ = 0;  // its throughput; 0: not known
  int direction_ = 1;     // of trials
  int step_ = 0;          // of the trial that runs or comes next; 0: the smallest
  int given_up_ = 0;      // directions in a row that did not pay
  bool moved_ = false;    // since the last rest
  int rest_looks_;        // how long the next rest is
  int looks_left_ = 0;    // of this rest
  double sum_ = 0;        // of the windows of the look that is under way
  int windows_ = 0;
};

}  // namespace runnel_cli
