#!/usr/bin/env bash
# Installs what the benchmarks compare with, where it is missing and the system is Debian's kind. What cannot be
# installed is left out of the comparison; nothing here fails for want of a network.
set -u
packages=(libboost1.81-dev libboost-context1.81-dev libboost-fiber1.81-dev libtbb-dev libbenchmark-dev valgrind
  librust-tokio-dev librust-futures-dev librust-flume-dev librust-async-channel-dev librust-libc-dev)
command -v cargo >/dev/null || packages+=(cargo)
command -v go >/dev/null || packages+=(golang-go) # used where a newer one cannot be had

command -v dpkg-query >/dev/null || { echo "setup: not a Debian system, taking what is there" >&2; exit 0; }
missing=()
for p in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
done
# The Go beside the system makes the packaged one unnecessary.
if [ -x "${TMPDIR:-/tmp}/runnel-go/bin/go" ]; then missing=("${missing[@]/golang-go/}"); fi
read -ra missing <<<"${missing[*]-}"
[ ${#missing[@]} -gt 0 ] || exit 0

sudo=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null && sudo=(sudo -n) || { echo "setup: cannot install ${missing[*]}" >&2; exit 0; }
fi
echo "setup: installing ${missing[*]}" >&2
"${sudo[@]}" apt-get update -qq >/dev/null 2>&1
for p in "${missing[@]}"; do
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "$p" >/dev/null 2>&1 ||
    echo "setup: $p could not be installed" >&2
done
exit 0
