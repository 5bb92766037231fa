#!/bin/bash
# run-tests.sh PROGRAM...: runs each test program or script, shows the output of those that fail, and ends
# with "N passed, N failed, N skipped". A program exits 0 (passed), 77 (skipped, saying why on its last
# line) or anything else (failed). Ends with 1 when one failed.
set -u
B=${B:-build}
mkdir -p "$B/test-logs"
passed=0 failed=0 skipped=0
export CMOCKA_MESSAGE_OUTPUT=STDOUT
# A make that a test runs is its own, not a part of the one that runs the tests.
unset MAKEFLAGS MFLAGS MAKELEVEL
export TSAN_OPTIONS="suppressions=$PWD/tests/tsan.supp print_suppressions=0 ${TSAN_OPTIONS:-}"
for t in "$@"; do
    name=$(basename "${t%.sh}")
    room=$(basename "$(dirname "$t")")
    log="$B/test-logs/$room-$name.log"
    start=$(date +%s%N)
    timeout -k 5 "${TEST_TIMEOUT:-240}" "$t" >"$log" 2>&1 </dev/null
    code=$?
    ms=$((($(date +%s%N) - start) / 1000000))
    case $code in
    0) passed=$((passed + 1)); printf 'ok    %-40s %6d ms\n' "$room/$name" "$ms" ;;
    77) skipped=$((skipped + 1)); printf 'skip  %-40s %s\n' "$room/$name" "$(tail -n 1 "$log")" ;;
    *)
        failed=$((failed + 1))
        printf 'FAIL  %-40s exit %d; the end of %s:\n' "$room/$name" "$code" "$log"
        tail -n 60 "$log" | sed 's/^/      /'
        ;;
    esac
done
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
