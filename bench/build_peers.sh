#!/usr/bin/env bash
# Builds the peers that CMake does not build, Go's and Tokio's, into DIR, and writes DIR/versions.json.
# Usage: bench/build_peers.sh DIR
set -u
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" && out=$(cd "$1" && pwd)

go=$("$here/peers/go.sh" || true)
if [ -n "$go" ]; then # one program from one folder: Go takes no files from elsewhere
  rm -rf "$out/go" && mkdir -p "$out/go"
  cp "$here"/peers/go/* "$out/go/"
  for f in "$here"/peers/*/main.go; do cp "$f" "$out/go/$(basename "$(dirname "$f")").go"; done
  (cd "$out/go" && "$go" build -o "$out/peer_go" .) || go=
else
  echo "build_peers: no Go" >&2
fi

registry=/usr/share/cargo/registry
if command -v cargo >/dev/null; then
  offline=()
  if [ -d "$registry" ]; then
    offline=(--offline --config 'source.crates-io.replace-with="debian"'
      --config "source.debian.directory=\"$registry\"")
  fi
  rm -f "$here/peers/tokio/Cargo.lock" # it follows what the system has
  if cargo build --quiet --release --manifest-path "$here/peers/tokio/Cargo.toml" --target-dir "$out/tokio" \
    "${offline[@]}"; then
    cp "$out/tokio/release/peer_tokio" "$out/"
  else
    echo "build_peers: Tokio's program could not be built" >&2
  fi
else
  echo "build_peers: no cargo" >&2
fi

crate() { grep -A1 "^name = \"$1\"$" "$here/peers/tokio/Cargo.lock" 2>/dev/null | sed -n 's/^version = "\(.*\)"/\1/p'; }
package() { dpkg-query -W -f '${Version}' "$1" 2>/dev/null | sed 's/-.*//'; }
cat >"$out/versions.json" <<JSON
{"Go": "$([ -n "$go" ] && "$go" version | awk '{sub(/^go/, "", $3); print $3}')",
 "rustc": "$(rustc --version 2>/dev/null | awk '{print $2}')", "Tokio": "$(crate tokio)", "flume": "$(crate flume)",
 "Boost": "$(package libboost1.81-dev)", "oneTBB": "$(package libtbb-dev)"}
JSON
