#!/usr/bin/env bash
# Installs etcd, etcdctl and (since 3.5) etcdutl of one minor version into $STRONGROOM_CACHE/peers/etcd-<minor>.
# 3.4 is Debian's build, unpacked but not installed (the package would start a service on port 2379). Newer versions are built
# from the exact versions in tests/peers/etcd-<minor>/go.sum. A stamp file identifies the build.
#
# The folder is made under another name and renamed when it is complete, including the stamp. Runs from several checkouts wait
# for each other.
set -euo pipefail

minor=${1:?minor version, like 3.6}
cache=${STRONGROOM_CACHE:?}
here=$(dirname "$(readlink -f "$0")")
module=$(readlink -f "$here/../peers")/etcd-$minor
out=$cache/peers/etcd-$minor
new=$out.new

mkdir -p "$cache/peers"
exec 9>"$cache/peers/lock"
flock 9

# Whether the program reports this minor version. Read its whole output: a pipe that closes early kills it.
is_etcd() {
    local said
    said=$("$1" --version 2>/dev/null) && [[ $said == "etcd Version: $minor."* ]]
}

is_etcdctl() {
    local said
    said=$("$1" version 2>/dev/null) && [[ $said == *"version: $minor."* ]]
}

from_debian() {
    stamp=debian
    [ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ] && exit 0
    begin
    if is_etcd etcd && is_etcdctl etcdctl; then
        cp "$(command -v etcd)" "$(command -v etcdctl)" "$new/"
        return
    fi
    command -v apt-get >/dev/null || {
        echo "setup: put etcd and etcdctl 3.4 into the PATH, then try again" >&2
        exit 1
    }
    echo "setup: unpacking Debian's etcd 3.4" >&2
    "$here/debs.sh" "$new/debs" etcd-server etcd-client
    cp "$new/debs/usr/bin/etcd" "$new/debs/usr/bin/etcdctl" "$new/"
    rm -rf "$new/debs"
}

from_module() {
    stamp=$(cat "$module/go.mod" "$module/go.sum" "$here/go.sh" | sha256sum | cut -d' ' -f1)
    [ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ] && exit 0
    local go
    go=$("$here/go.sh")
    echo "setup: building etcd $minor (about a minute)" >&2
    begin
    cd "$module"
    export CGO_ENABLED=0 GOFLAGS=-mod=readonly GOTOOLCHAIN=local
    "$go" build -trimpath -o "$new/etcd" go.etcd.io/etcd/server/v3
    "$go" build -trimpath -o "$new/etcdctl" go.etcd.io/etcd/etcdctl/v3
    "$go" build -trimpath -o "$new/etcdutl" go.etcd.io/etcd/etcdutl/v3
}

begin() {
    rm -rf "$new"
    mkdir "$new"
}

if [ "$minor" = 3.4 ]; then from_debian; else from_module; fi
is_etcd "$new/etcd" || { echo "setup: $new/etcd is not $minor" >&2; exit 1; }
is_etcdctl "$new/etcdctl" || { echo "setup: $new/etcdctl is not $minor" >&2; exit 1; }
echo "$stamp" >"$new/stamp"
rm -rf "$out"
mv "$new" "$out"
