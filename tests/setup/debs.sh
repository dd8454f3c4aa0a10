#!/usr/bin/env bash
# Downloads Debian packages and unpacks them into a new folder, without installing them: debs.sh FOLDER PACKAGE...
set -euo pipefail

out=${1:?folder}
shift
as_root=()
if [ "$(id -u)" -ne 0 ]; then as_root=(sudo); fi

mkdir -p "$out/packed"
cd "$out/packed"
# When run as root, apt would download as its own user, which may not write here.
fetch=(apt-get -o APT::Sandbox::User=root -o Acquire::Retries=3 download -q "$@")
# A new machine has no package index; an old index lists versions that are gone. One update fixes both.
"${fetch[@]}" >&2 || { "${as_root[@]}" apt-get -o Acquire::Retries=3 update -q >&2; "${fetch[@]}" >&2; }
for package in ./*.deb; do dpkg-deb -x "$package" "$out"; done
cd "$out"
rm -rf "$out/packed"
