#!/usr/bin/env bash
# Puts the pinned cargo-fuzz into $STRONGROOM_CACHE/tools, and nightly Rust where there is none.
set -euo pipefail

# libFuzzer's instrumentation is a nightly feature. The list is read to its end: a pipe that closes early kills rustup.
toolchains=$(rustup toolchain list)
[[ $'\n'$toolchains == *$'\n'nightly* ]] || rustup toolchain install nightly --profile minimal >&2
exec "$(dirname "$(readlink -f "$0")")/cargo-tool.sh" cargo-fuzz 0.13.2
