#!/usr/bin/env bash
# Puts Prometheus' promtool into $STRONGROOM_CACHE/tools: out of Debian's package, without installing that, since it would
# start a Prometheus server on this machine.
set -euo pipefail

cache=${STRONGROOM_CACHE:?}
tool=$cache/tools/bin/promtool

[ -x "$tool" ] && exit 0
command -v apt-get >/dev/null || { echo "setup: put promtool (of Prometheus 2.40 or later) at $tool, then try again" >&2; exit 1; }
echo "setup: fetching promtool" >&2
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A fresh machine has no package index, an old one names versions that are gone: both are cured by one update.
(cd "$work" && { apt-get download -q prometheus >&2 || { "${as_root[@]}" apt-get update -q >&2; apt-get download -q prometheus >&2; }; })
dpkg-deb -x "$work"/prometheus_*.deb "$work/package"
"$work/package/usr/bin/promtool" --version >/dev/null
mkdir -p "${tool%/*}"
install -m 0755 "$work/package/usr/bin/promtool" "$tool.new"
mv "$tool.new" "$tool"
