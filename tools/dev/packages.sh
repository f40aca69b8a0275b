# Installs Debian packages by name, only those that are missing. Sourced by ../../dev.

# Boost's headers, to test our streams under Asio. Debian 12's standard version is too old for the benchmarks, and two versions
# cannot be installed.
boost=libboost-dev
if grep -q '^VERSION_ID="12"' /etc/os-release 2>/dev/null; then boost=libboost1.81-dev; fi

packages_build=(g++ cmake ninja-build pkg-config libcli11-dev libssl-dev nlohmann-json3-dev)
packages_test=("${packages_build[@]}" libgtest-dev "$boost" python3 libsqlite3-dev libpng-dev clang-format gdb valgrind)
packages_lint=("${packages_test[@]}" clang-tidy-16 cppcheck)
packages_docs=(doxygen)
packages_clang=(clang-16 libclang-rt-16-dev)
packages_aarch64=(g++-aarch64-linux-gnu qemu-user-static)

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# need PACKAGE...: makes sure that they are installed. Says nothing where they are.
need() {
  command -v dpkg-query >/dev/null && command -v apt-get >/dev/null || return 0
  local package missing=() as_root=()
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "dev: install these packages as root: ${missing[*]}" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  echo "installing ${missing[*]}"
  local log=$logs/apt.log
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq >"$log" 2>&1 </dev/null || true
  if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    --no-install-recommends "${missing[@]}" >>"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    echo "dev: could not install ${missing[*]}" >&2
    return 1
  fi
}
