#!/usr/bin/env bash
# Installs the pinned cargo-mutants into $STRONGROOM_CACHE/tools.
set -euo pipefail

exec "$(dirname "$(readlink -f "$0")")/cargo-tool.sh" cargo-mutants 27.1.0
