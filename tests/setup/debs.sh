#!/usr/bin/env bash
# Fetches Debian packages and unpacks them into a new folder, without installing them: debs.sh FOLDER PACKAGE...
set -euo pipefail

out=${1:?folder}
shift
as_root=()
if [ "$(id -u)" -ne 0 ]; then as_root=(sudo); fi

mkdir -p "$out/packed"
cd "$out/packed"
# As root, apt would fetch as a user of its own that may not write here.
fetch=(apt-get -o APT::Sandbox::User=root -o Acquire::Retries=3 download -q "$@")
# A fresh machine has no package index, an old one names versions that are gone: both are cured by one update.
"${fetch[@]}" >&2 || { "${as_root[@]}" apt-get -o Acquire::Retries=3 update -q >&2; "${fetch[@]}" >&2; }
for package in ./*.deb; do dpkg-deb -x "$package" "$out"; done
cd "$out"
rm -rf "$out/packed"
