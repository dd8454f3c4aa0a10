#!/usr/bin/env bash
# Puts etcd, etcdctl and (from 3.5 on) etcdutl of one minor version into $STRONGROOM_CACHE/peers/etcd-<minor>.
# 3.4 is Debian's build, unpacked without installing it (its package would start a service on 2379); newer ones are built
# from the exact versions in tests/peers/etcd-<minor>/go.sum. A stamp names what was built.
set -euo pipefail

minor=${1:?minor version, like 3.6}
cache=${STRONGROOM_CACHE:?}
here=$(dirname "$(readlink -f "$0")")
module=$(readlink -f "$here/../peers")/etcd-$minor
out=$cache/peers/etcd-$minor

mkdir -p "$cache/peers"
exec 9>"$cache/peers/lock"
flock 9

from_debian() {
    [ "$(cat "$out/stamp" 2>/dev/null)" = debian ] && return
    tree=$(mktemp -d)
    trap 'rm -rf "$tree"' EXIT
    mkdir -p "$out"
    if etcd --version 2>/dev/null | grep -q '^etcd Version: 3\.4\.' && etcdctl version 2>/dev/null | grep -q 'version: 3\.4\.'; then
        cp "$(command -v etcd)" "$(command -v etcdctl)" "$out/"
    else
        echo "setup: unpacking Debian's etcd 3.4" >&2
        (
            cd "$tree"
            if ! apt-get -o APT::Sandbox::User=root download -q etcd-server etcd-client >&2; then
                if [ "$(id -u)" -eq 0 ]; then apt-get update -q >&2; else sudo apt-get update -q >&2; fi
                apt-get -o APT::Sandbox::User=root download -q etcd-server etcd-client >&2
            fi
            for package in ./*.deb; do dpkg -x "$package" root; done
            cp root/usr/bin/etcd root/usr/bin/etcdctl "$out/"
        )
    fi
    "$out/etcd" --version | grep -q '^etcd Version: 3\.4\.' || { echo "setup: $out/etcd is not 3.4" >&2; exit 1; }
    echo debian >"$out/stamp"
}

from_module() {
    local stamp go
    stamp=$(cat "$module/go.mod" "$module/go.sum" "$here/go.sh" | sha256sum | cut -d' ' -f1)
    [ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ] && return
    go=$("$here/go.sh")
    echo "setup: building etcd $minor (about a minute)" >&2
    mkdir -p "$out"
    cd "$module"
    export CGO_ENABLED=0 GOFLAGS=-mod=readonly GOTOOLCHAIN=local
    "$go" build -trimpath -o "$out/etcd" go.etcd.io/etcd/server/v3
    "$go" build -trimpath -o "$out/etcdctl" go.etcd.io/etcd/etcdctl/v3
    "$go" build -trimpath -o "$out/etcdutl" go.etcd.io/etcd/etcdutl/v3
    "$out/etcd" --version | grep -q "^etcd Version: ${minor/./\\.}\\." || { echo "setup: $out/etcd is not $minor" >&2; exit 1; }
    echo "$stamp" >"$out/stamp"
}

if [ "$minor" = 3.4 ]; then from_debian; else from_module; fi
