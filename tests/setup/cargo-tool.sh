#!/usr/bin/env bash
# Builds a pinned program of crates.io into $STRONGROOM_CACHE/tools: cargo-tool.sh NAME VERSION. Minutes the first time,
# nothing afterwards.
set -euo pipefail

name=${1:?name}
version=${2:?version}
cache=${STRONGROOM_CACHE:?}

# One at a time: they share a target folder, which the one that is done removes.
mkdir -p "$cache/tools"
exec 9>"$cache/tools/cargo-tool.lock"
flock 9
[ "$("$cache/tools/bin/$name" --version 2>/dev/null)" = "$name $version" ] && exit 0
echo "setup: building $name $version" >&2
# By force: cargo's own list may name a program that is no longer there or does not run.
CARGO_TARGET_DIR=$cache/tools-target cargo install --force --locked --root "$cache/tools" --version "$version" "$name" >&2
rm -rf "$cache/tools-target"
