#!/usr/bin/env bash
# Installs the aws command and boto3, in the versions of python-requirements.txt, into $STRONGROOM_CACHE/python.
set -euo pipefail

cache=${STRONGROOM_CACHE:?}
here=$(dirname "$(readlink -f "$0")")
out=$cache/python
requirements=$here/python-requirements.txt

mkdir -p "$cache"
exec 9>"$cache/python.lock"
flock 9
stamp=$(sha256sum <"$requirements" | cut -d' ' -f1)
# A virtual environment refers to the machine's Python, which may have been replaced in the meantime.
[ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ] && "$out/bin/python" -c 'import botocore' 2>/dev/null && exit 0

python=$(command -v python3 || true)
if [ -z "$python" ] || ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    "$here/packages.sh" python3 python3-venv
    python=/usr/bin/python3
fi
echo "setup: installing the aws command and boto3" >&2
# Its scripts contain their own path, so it is created in place and not renamed; the stamp is written last.
rm -rf "$out"
"$python" -m venv "$out"
"$out/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$requirements" >&2
"$out/bin/aws" --version >&2
echo "$stamp" >"$out/stamp"
