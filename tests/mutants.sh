#!/usr/bin/env bash
# Mutation tests of one area with its fast tests: mutants.sh AREA [SHARD], for example `mutants.sh objects 0/4` for every fourth mutant.
#
# Works in a copy of the tree in $STRONGROOM_CACHE/mutants, because a run changes the sources. Run again without a shard, it goes on
# where it stopped: mutants that were caught or do not build are not tried again. Results are in mutants/AREA/mutants.out/.
set -euo pipefail

# For one run of the tests of one mutant: a mutant may loop or allocate without end. Processor time, not time on the clock, so that a
# busy or paused machine ends no test.
CPU_SECS=120
MEMORY_BYTES=$((8 << 30))

area=${1:?area}
shard=${2:-}
cache=${STRONGROOM_CACHE:?}
# First the unit tests; then, with what survived, `more` tests. The server's need no RocksDB.
skipped=()
case $area in
etcd-format) package=(-p strongroom-etcd-format) more=(--test=real_snapshot) files=('etcd-format/src/**/*.rs') ;;
pack-format) package=(-p strongroom-store --no-default-features) more=() files=('store/src/packs/format/**/*.rs') ;;
packs | objects | gc | authentication | conditions)
	package=(-p strongroom-server --no-default-features)
	more=(--test=s3_endpoint)
	# Half of the time of all unit tests.
	skipped=(-- -- --skip each_operation_fails_once)
	case $area in
	authentication) files=('server/src/s3/authentication/**/*.rs') ;;
	conditions) files=(server/src/s3/conditions.rs) ;;
	*) files=("server/src/$area/**/*.rs") ;;
	esac
	;;
restore-plan) package=(-p strongroom-restore) more=() files=(restore-tool/src/{chain,cluster,commit_marker,left_out,plan}.rs) ;;
*) echo "mutants: no area $area, see $0" >&2 && exit 2 ;;
esac
if [ -n "$shard" ]; then
	selected=(--shard "$shard" --sharding round-robin)
	results=$cache/mutants/$area-${shard/\//-of-}
else
	selected=(--iterate)
	results=$cache/mutants/$area
fi

cd "$(dirname "$(readlink -f "$0")")/.."
mkdir -p "$cache/mutants"
exec 9>"$cache/mutants/lock"
flock 9
tree=$cache/mutants/tree
rm -rf "$tree"
mkdir "$tree"
# New times (-m): the target folder may hold a build of a mutant that is newer than the sources.
git ls-files -z --cached --others --exclude-standard | tar --null -T - -c --ignore-failed-read | tar -xm -C "$tree"

host=$(rustc -vV | sed -n 's/^host: //p')
host=${host^^}
export "CARGO_TARGET_${host//-/_}_RUNNER=prlimit --cpu=$CPU_SECS --as=$MEMORY_BYTES"
export CARGO_TARGET_DIR=$cache/target-mutants
export PATH=$cache/tools/bin:$PATH
cd "$tree"

# Tests the selected mutants: run RESULTS ARGUMENT... 2: some survived; 3: some timed out. Both are results, not failures.
run() {
	local results=$1 status=0
	shift
	mkdir -p "$results"
	cargo mutants --in-place --output "$results" "${package[@]}" --profile quick --minimum-test-timeout 300 \
		--build-timeout 1200 --colors never --cargo-arg=--locked --cargo-arg=--lib "$@" || status=$?
	[ "$status" -eq 0 ] || [ "$status" -eq 2 ] || [ "$status" -eq 3 ] || exit "$status"
}

run "$results" "${files[@]/#/--file=}" "${selected[@]}" "${skipped[@]}"
mapfile -t missed <"$results/mutants.out/missed.txt"
if [ "${#more[@]}" -gt 0 ] && [ "${#missed[@]}" -gt 0 ]; then
	mapfile -t names < <(printf '%s\n' "${missed[@]}" | sed 's/[][\.*^$()+?{}|&]/\\&/g; s/^/--re=^/; s/$/$/')
	run "$results/more" "${more[@]/#/--cargo-arg=}" "${names[@]}"
	# cargo-mutants also tries mutants that leave out a field, whatever names are given.
	mapfile -t missed < <(grep -Fx -f "$results/mutants.out/missed.txt" "$results/more/mutants.out/missed.txt" || true)
fi
echo "$area: ${#missed[@]} survived"
[ "${#missed[@]}" -eq 0 ] || printf '%s\n' "${missed[@]}"
