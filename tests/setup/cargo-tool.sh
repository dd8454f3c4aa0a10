#!/usr/bin/env bash
# Builds a pinned program from crates.io into $STRONGROOM_CACHE/tools: cargo-tool.sh NAME VERSION. Takes minutes the first time
# and does nothing if the version is already there.
set -euo pipefail

name=${1:?name}
version=${2:?version}
cache=${STRONGROOM_CACHE:?}

# One run at a time: runs share a target folder, and each run removes it at its end.
mkdir -p "$cache/tools"
exec 9>"$cache/tools/cargo-tool.lock"
flock 9
# As cargo calls it: some know no --version without their own name before it.
[ "$("$cache/tools/bin/$name" "${name#cargo-}" --version 2>/dev/null)" = "$name $version" ] && exit 0
echo "setup: building $name $version" >&2
# --force: cargo's list may contain a program that is missing or does not run.
CARGO_TARGET_DIR=$cache/tools-target cargo install --force --locked --root "$cache/tools" --version "$version" "$name" >&2
rm -rf "$cache/tools-target"
