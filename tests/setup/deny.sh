#!/usr/bin/env bash
# Installs the pinned cargo-deny into $STRONGROOM_CACHE/tools.
set -euo pipefail

exec "$(dirname "$(readlink -f "$0")")/cargo-tool.sh" cargo-deny 0.20.2
