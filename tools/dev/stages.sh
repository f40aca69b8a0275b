# Stages: a line each, a log each, and a count of what passed and failed. Sourced by ../../dev.

passed_total=0
failed_total=0

log_name() { tr -cs 'a-zA-Z0-9\n' '-' <<<"$1" | sed 's/-*$//'; }

# stage NAME COMMAND...: runs it with its output in a log. Where it fails, shows the end of the log, counts one failure
# and returns 1.
stage() {
  local name=$1 log=$logs/$(log_name "$1").log start=$SECONDS
  shift
  if "$@" >"$log" 2>&1 </dev/null; then
    printf '%-28s ok      %4d s\n' "$name" $((SECONDS - start))
    return 0
  fi
  printf '%-28s FAILED  %4d s\n' "$name" $((SECONDS - start))
  tail -n 60 "$log"
  failed_total=$((failed_total + 1))
  return 1
}

# build PRESET [TARGET...]: configures build/PRESET where needed, and builds.
build() {
  local preset=$1 target
  shift
  cmake --preset "$preset" || return
  local arguments=()
  for target in "$@"; do arguments+=(--target "$target"); done
  cmake --build "build/$preset" --parallel "${arguments[@]}"
}

attribute() { # FILE NAME: a number in a JUnit file's head
  sed -n "1,/<testcase/s/.*[[:space:]]$2=\"\([0-9]*\)\".*/\1/p" "$1" | head -n 1
}

# count NAME START PASSED FAILED SKIPPED: adds to the totals and says so; fails where a test did.
count() {
  local word=ok
  [ "$4" = 0 ] || word=FAILED
  printf '%-28s %-6s  %4d s  %d passed, %d failed, %d skipped\n' "$1" $word $((SECONDS - $2)) "$3" "$4" "$5"
  passed_total=$((passed_total + $3)) failed_total=$((failed_total + $4))
  [ "$4" = 0 ]
}

# tests NAME DIR CTEST-ARGUMENT...: runs ctest, counts its tests, and shows the output of those that failed.
tests() {
  local name=$1 dir=$2 start=$SECONDS status=0
  local log=$logs/$(log_name "$1").log report=$logs/$(log_name "$1").xml
  shift 2
  rm -f "$report"
  "${runner[@]}" ctest --test-dir "$dir" --parallel 2 --output-on-failure --no-tests=error \
    --output-junit "$report" "$@" >"$log" 2>&1 </dev/null || status=$?
  if [ ! -s "$report" ]; then
    printf '%-28s FAILED  no tests were run\n' "$name"
    tail -n 20 "$log"
    failed_total=$((failed_total + 1))
    return 1
  fi
  local total failures skipped disabled passed
  total=$(attribute "$report" tests) failures=$(attribute "$report" failures)
  skipped=$(attribute "$report" skipped) disabled=$(attribute "$report" disabled)
  passed=$((total - failures - skipped - disabled))
  # A runner that fails for another reason than a failed test counts as a failure too.
  [ "$status" = 0 ] || [ "$failures" -gt 0 ] || failures=1
  count "$name" "$start" "$passed" "$failures" $((skipped + disabled)) && return 0
  # The output of a failed test follows its line.
  awk '/^ *[0-9]+\/[0-9]+ Test +#/ { show = /\*\*\*/ && !/Skipped/ ? 60 : 0 } /^ +Start +[0-9]+: / { next }
    /^[0-9]+% tests passed/ { show = 0 } show-- > 0' "$log" | head -n 400
  awk '/^The following tests FAILED:/ { list = 1 } /^Errors while/ { list = 0 } list' "$log"
  return 1
}

# failed_in LOG: what GoogleTest's failed tests wrote, and the one that was under way when the program ended.
failed_in() {
  awk '/^\[ RUN  / { text = "" } { text = text $0 "\n" } /^\[  FAILED  \].*ms\)$/ { printf "%s", text; text = "" }
    /^\[       OK/ { text = "" } END { printf "%s", text }' "$1" | head -n 400
}

# in_one_process NAME FILTER PROGRAM...: runs the tests of GoogleTest programs that FILTER names, each program in two
# processes side by side, and counts them. Programs of a sanitizer build take longer to start than most of their tests
# take; and here what one test leaves behind meets the next.
in_one_process() {
  local name=$1 filter=$2 start=$SECONDS all_passed=0 all_failed=0 skipped=0 program shard log passed failures status
  shift 2
  for program in "$@"; do
    local prefix pids=()
    prefix=$logs/$(log_name "$name $(basename "$program")")
    for shard in 0 1; do
      # SIGQUIT: what every goroutine waits for, where a test hangs.
      GTEST_TOTAL_SHARDS=2 GTEST_SHARD_INDEX=$shard timeout --signal=QUIT --kill-after=30 400 env --default-signal=QUIT \
        "${runner[@]}" "$program" --gtest_filter="$filter" >"$prefix-$shard.log" 2>&1 </dev/null &
      pids+=($!)
    done
    for shard in 0 1; do
      status=0
      wait "${pids[shard]}" || status=$?
      log=$prefix-$shard.log
      # The last, for a test may show what another program said.
      passed=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) tests\{0,1\}\.$/\1/p' "$log" | tail -n 1)
      failures=$(grep -c '^\[  FAILED  \] .* ms)$' "$log")
      [ "$status" = 0 ] || [ "$failures" -gt 0 ] || failures=1 # a sanitizer's report, or a crash
      [ "${passed:-0}" -gt 0 ] || [ "$failures" -gt 0 ] || failures=1
      all_passed=$((all_passed + ${passed:-0})) all_failed=$((all_failed + failures))
      skipped=$((skipped + $(grep -c '^\[  SKIPPED \] .* ms)$' "$log")))
      [ "$failures" = 0 ] || failed_in "$log"
    done
  done
  count "$name" "$start" "$all_passed" "$all_failed" "$skipped"
}

# ThreadSanitizer of g++ 12 cannot place its shadow where the kernel randomises addresses by more than 28 bits.
without_randomisation() {
  local bits
  bits=$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 28)
  if [ "$bits" -gt 28 ] && command -v setarch >/dev/null; then runner=(setarch "$(uname -m)" -R); fi
}

finish() {
  echo "$passed_total passed, $failed_total failed"
  [ "$failed_total" = 0 ]
}
