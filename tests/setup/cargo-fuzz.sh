#!/usr/bin/env bash
# Installs the pinned cargo-fuzz into $STRONGROOM_CACHE/tools, and nightly Rust if it is missing.
set -euo pipefail

# libFuzzer's instrumentation needs nightly. Read the whole list: a pipe that closes early kills rustup.
toolchains=$(rustup toolchain list)
[[ $'\n'$toolchains == *$'\n'nightly* ]] || rustup toolchain install nightly --profile minimal >&2
exec "$(dirname "$(readlink -f "$0")")/cargo-tool.sh" cargo-fuzz 0.13.2
