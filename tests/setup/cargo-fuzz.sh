#!/usr/bin/env bash
# Installs the pinned cargo-fuzz into $STRONGROOM_CACHE/tools, and nightly Rust where there is none; nothing afterwards.
set -euo pipefail

version=0.13.2
cache=${STRONGROOM_CACHE:?}

# libFuzzer's instrumentation is a nightly feature.
rustup toolchain list | grep -q '^nightly' || rustup toolchain install nightly --profile minimal >&2
[ "$("$cache/tools/bin/cargo-fuzz" --version 2>/dev/null)" = "cargo-fuzz $version" ] && exit 0
echo "setup: building cargo-fuzz $version" >&2
CARGO_TARGET_DIR=$cache/tools-target cargo install --locked --root "$cache/tools" --version "$version" cargo-fuzz >&2
rm -rf "$cache/tools-target"
