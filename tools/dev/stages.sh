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
  passed_total=$((passed_total + passed))
  failed_total=$((failed_total + failures))
  local word=ok
  [ "$failures" = 0 ] || word=FAILED
  printf '%-28s %-6s  %4d s  %d passed, %d failed, %d skipped\n' \
    "$name" $word $((SECONDS - start)) "$passed" "$failures" "$((skipped + disabled))"
  [ "$failures" = 0 ] && return 0
  # The output of a failed test follows its line.
  awk '/^ *[0-9]+\/[0-9]+ Test +#/ { show = /\*\*\*/ && !/Skipped/ ? 60 : 0 } /^ +Start +[0-9]+: / { next }
    /^[0-9]+% tests passed/ { show = 0 } show-- > 0' "$log" | head -n 400
  awk '/^The following tests FAILED:/ { list = 1 } /^Errors while/ { list = 0 } list' "$log"
  return 1
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
