#!/usr/bin/env bash
# Installs the given Debian packages if they are missing. Fails if it cannot install them.
set -euo pipefail

find_missing() {
    local package status
    missing=()
    for package in "$@"; do
        status=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
        [ "$status" = "install ok installed" ] || missing+=("$package")
    done
}

find_missing "$@"
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
    echo "setup: install these by your own package manager, then try again: ${missing[*]}" >&2
    exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "setup: need root or sudo to install: ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
fi

# Our own runs take turns. Wait for the automatic updates of a machine that has just started.
mkdir -p "${STRONGROOM_CACHE:?}"
exec 9>"$STRONGROOM_CACHE/packages.lock"
flock 9
find_missing "$@"
[ ${#missing[@]} -eq 0 ] && exit 0

echo "setup: installing ${missing[*]}" >&2
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 -q)
# A new machine has no package index; an old index lists versions that are gone. One update fixes both.
"${apt[@]}" install -y --no-install-recommends "${missing[@]}" >&2 || {
    "${apt[@]}" update >&2
    "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >&2
}
