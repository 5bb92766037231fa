#!/bin/bash
# chaos/run.sh: what `make chaos` runs. ROUNDS (30) and SEED (today's date) can be given.
#
# The outbox gets a small file system of its own where this user may mount one (in a mount namespace that goes with
# the run), so that "disk full" is a full disk.
#
# With MUTANT=replay it proves that the run can fail: it builds an engine that does not replay what it holds when Redis
# came back with another run id, and expects the run to find what was lost.
set -u
cd "$(dirname "$0")/../.."
B=${B:-build}
ROUNDS=${ROUNDS:-30}
SEED=${SEED:-$(date +%Y%m%d)}
if [ "${INSIDE:-}" = "" ]; then
    dir=$(mktemp -d "${TMPDIR:-/tmp}/jiesu-chaos-XXXXXX") || exit
    trap 'rm -rf "$dir"' EXIT
    export INSIDE="$dir" B ROUNDS SEED
    mkdir "$dir/disk"
    if unshare -m true 2>/dev/null; then
        unshare -m "$0"
    elif unshare -rm true 2>/dev/null; then
        unshare -rm "$0"
    else
        "$0"
    fi
    exit
fi

dir=$INSIDE
disk=()
if mount -t tmpfs -o size=160m tmpfs "$dir/disk" 2>/dev/null; then
    disk=(--disk "$dir/disk")
fi
texts=rules/cases/demo.tsv
[ -r "${DATA:-}/complaints_unlabelled.tsv" ] && texts=$DATA/complaints_unlabelled.tsv
engine=$B/jiesu
if [ "${MUTANT:-}" = replay ]; then
    engine=$(tests/chaos/mutant.sh "$dir/mutant") || exit
fi
echo "chaos: $ROUNDS rounds, seed $SEED, texts $texts"
out=$dir/result
"$B/tests/chaos/chaos" --engine "$engine" --rules rules --texts "$texts" --dir "$dir" \
    "${disk[@]}" --rounds "$ROUNDS" --seed "$SEED" | tee "$out"
status=${PIPESTATUS[0]}
if [ "${MUTANT:-}" != "" ]; then
    if [ "$status" -eq 1 ] && grep -qE ' lost=[1-9]' "$out"; then
        echo "the broken engine was found out, as it should be"
        exit 0
    fi
    echo "the broken engine was not found out (exit $status)"
    exit 1
fi
[ "$status" -eq 0 ] || tail -n 20 "$dir/engine.log"
exit "$status"
