#!/usr/bin/env bash
# Extracts Prometheus' promtool from Debian's package into $STRONGROOM_CACHE/tools. The package is not installed, because it
# would start a Prometheus server on this machine.
set -euo pipefail

cache=${STRONGROOM_CACHE:?}
here=$(dirname "$(readlink -f "$0")")
tool=$cache/tools/bin/promtool

mkdir -p "${tool%/*}"
exec 9>"$cache/tools/promtool.lock"
flock 9
[ -x "$tool" ] && exit 0
command -v apt-get >/dev/null || { echo "setup: put promtool (of Prometheus 2.40 or later) at $tool, then try again" >&2; exit 1; }
echo "setup: fetching promtool" >&2
work=$cache/tools/promtool.unpacking
rm -rf "$work"
trap 'rm -rf "$work"' EXIT
"$here/debs.sh" "$work" prometheus
"$work/usr/bin/promtool" --version >/dev/null
mv "$work/usr/bin/promtool" "$tool"
