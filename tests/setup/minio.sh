#!/usr/bin/env bash
# Builds MinIO into $STRONGROOM_CACHE/peers/minio, from the exact versions in tests/peers/minio/go.sum: the last public source.
# The folder is renamed when it is complete, including the stamp that identifies the build.
set -euo pipefail

cache=${STRONGROOM_CACHE:?}
here=$(dirname "$(readlink -f "$0")")
module=$(readlink -f "$here/../peers")/minio
out=$cache/peers/minio
new=$out.new

mkdir -p "$cache/peers"
exec 9>"$cache/peers/lock"
flock 9

stamp=$(cat "$module/go.mod" "$module/go.sum" "$here/go.sh" | sha256sum | cut -d' ' -f1)
[ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ] && exit 0
go=$("$here/go.sh")
echo "setup: building MinIO (some minutes)" >&2
rm -rf "$new"
mkdir "$new"
(cd "$module" && CGO_ENABLED=0 GOFLAGS=-mod=readonly GOTOOLCHAIN=local "$go" build -trimpath -o "$new/minio" github.com/minio/minio)
"$new/minio" --version >/dev/null
echo "$stamp" >"$new/stamp"
rm -rf "$out"
mv "$new" "$out"
