#!/usr/bin/env bash
# Installs the pinned cargo-deny into $STRONGROOM_CACHE/tools; minutes the first time, nothing afterwards.
set -euo pipefail

version=0.20.2
cache=${STRONGROOM_CACHE:?}

[ "$("$cache/tools/bin/cargo-deny" --version 2>/dev/null)" = "cargo-deny $version" ] && exit 0
echo "setup: building cargo-deny $version" >&2
CARGO_TARGET_DIR=$cache/tools-target cargo install --locked --root "$cache/tools" --version "$version" cargo-deny >&2
rm -rf "$cache/tools-target"
