#!/bin/bash
# run-tests.sh PROGRAM...: runs the test programs and scripts, JOBS at a time (2: most of them wait
# more than they work), shows the output of those that fail, and ends with "N passed, N failed, N
# skipped". A program exits 0 (passed), 77 (skipped, saying why on its last line) or anything else
# (failed). Ends with 1 when one failed.
set -u
export B=${B:-build}
export CMOCKA_MESSAGE_OUTPUT=STDOUT
# A make that a test runs is its own, not a part of the one that runs the tests.
unset MAKEFLAGS MFLAGS MAKELEVEL
export TSAN_OPTIONS="suppressions=$PWD/tests/tsan.supp print_suppressions=0 ${TSAN_OPTIONS:-}"
mkdir -p "$B/test-logs"
rm -f "$B"/test-logs/*.result
if [ $# -eq 0 ]; then
    echo "0 passed, 0 failed, 0 skipped"
    exit 0
fi

# Its lines go out in one write, so that those of two tests do not mix.
run_one() {
    local t=$1 name room log start code ms
    name=$(basename "${t%.sh}")
    room=$(basename "$(dirname "$t")")
    log="$B/test-logs/$room-$name.log"
    start=$(date +%s%N)
    timeout -k 5 "${TEST_TIMEOUT:-240}" "$t" >"$log" 2>&1 </dev/null
    code=$?
    ms=$((($(date +%s%N) - start) / 1000000))
    case $code in
    0) printf 'ok    %-40s %6d ms\n' "$room/$name" "$ms" ;;
    77) printf 'skip  %-40s %s\n' "$room/$name" "$(tail -n 1 "$log")" ;;
    *)
        printf '%s\n%s\n' "FAIL  $room/$name: exit $code; the end of $log:" \
            "$(tail -n 60 "$log" | sed 's/^/      /')"
        ;;
    esac
    echo "$code" >"${log%.log}.result"
}
export -f run_one

# One that was killed leaves no result, and so counts as failed.
# shellcheck disable=SC2016 # the inner shell expands it
printf '%s\0' "$@" | xargs -0 -n 1 -P "${JOBS:-2}" bash -c 'run_one "$1"' run-tests
results=$(cat "$B"/test-logs/*.result 2>/dev/null)
passed=$(grep -cx 0 <<<"$results")
skipped=$(grep -cx 77 <<<"$results")
failed=$(($# - passed - skipped))
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
