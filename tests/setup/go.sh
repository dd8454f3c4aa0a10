#!/usr/bin/env bash
# Prints the path of a Go command of the pinned version (standard output carries nothing else).
# Go 1.21 and newer can download another toolchain themselves. Debian 12's Go 1.19 is only used to download the toolchain
# module, which is verified against Go's checksum database.
set -euo pipefail

version=go1.26.8
cache=${STRONGROOM_CACHE:?}
here=$(dirname "$(readlink -f "$0")")

mkdir -p "$cache/go"
exec 9>"$cache/go/lock"
flock 9

# Read the whole output: a pipe that closes early kills the program.
usable() {
    local said
    said=$("$1" version 2>/dev/null) && [[ $said == *" $version "* ]]
}

for candidate in "$cache/go/$version/bin/go" "$(command -v go || true)"; do
    [ -n "$candidate" ] && usable "$candidate" && { echo "$candidate"; exit 0; }
done

if ! command -v go >/dev/null; then
    "$here/packages.sh" golang-go ca-certificates
fi
echo "setup: fetching $version as a Go module" >&2
# In the cache, so that the last step is a rename: even a partly copied toolchain has a `go` that runs. Modules are read-only.
work=$cache/go/fetching
discard() { [ ! -e "$work" ] || { chmod -R u+w "$work"; rm -rf "$work"; }; }
discard
mkdir "$work"
trap discard EXIT
(
    cd "$work"
    printf 'module toolchain\n' >go.mod
    export GOFLAGS=-mod=mod GOMODCACHE="$work/modules" GOTOOLCHAIN=local
    go mod download -json "golang.org/toolchain@v0.0.1-$version.$(go env GOOS)-$(go env GOARCH)" >download.json
    dir=$(sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p' download.json)
    cp -r "$dir" tree
    # Modules have no permission bits.
    chmod -R u+w tree
    chmod 755 tree/bin/* tree/pkg/tool/*/*
)
usable "$work/tree/bin/go" || { echo "setup: the fetched $version does not run" >&2; exit 1; }
rm -rf "${cache:?}/go/$version"
mv "$work/tree" "$cache/go/$version"
echo "$cache/go/$version/bin/go"
