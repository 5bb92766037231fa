#!/bin/bash
# fuzz/run.sh: what `make fuzz` runs: each fuzzer for FUZZ_SECONDS (60), from the corpus in tests/fuzz/corpus/<name>,
# two at a time. A crasher is written to tests/fuzz/crashes/<name>; it is kept there and run first ever after.
# NAMES chooses some. Ends with "N passed, N failed".
set -u
cd "$(dirname "$0")/../.."
scripts/bootstrap.sh build fuzz || exit
seconds=${FUZZ_SECONDS:-60}
B=build/fuzz
names=${NAMES:-$(ls tests/fuzz/fuzz_*.c | sed 's/.*fuzz_\(.*\)\.c/\1/')}
make --no-print-directory CC=clang CXX=clang++ B=$B SAN=fuzzer-no-link,address,undefined OPT=-O1 \
    $(for n in $names; do echo "$B/tests/fuzz/fuzz_$n"; done) || exit 1
mkdir -p $B/logs $B/corpus

run_one() {
    local name=$1 log=$B/logs/$1.log
    mkdir -p "$B/corpus/$name" "tests/fuzz/crashes/$name" "tests/fuzz/corpus/$name"
    # First everything that ever crashed, then new inputs; what is found new goes to the build tree.
    if "$B/tests/fuzz/fuzz_$name" -runs=0 "tests/fuzz/crashes/$name" "tests/fuzz/corpus/$name" >"$log" 2>&1 &&
        "$B/tests/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
            -artifact_prefix="tests/fuzz/crashes/$name/" -print_final_stats=1 \
            "$B/corpus/$name" "tests/fuzz/corpus/$name" >>"$log" 2>&1; then
        echo "ok    $name: $(grep -o 'number_of_executed_units: [0-9]*' "$log" | tail -n 1 | grep -o '[0-9]*') inputs in $seconds s"
    else
        echo "FAIL  $name; the end of $log:"
        tail -n 25 "$log" | sed 's/^/      /'
    fi
    rmdir "tests/fuzz/crashes/$name" 2>/dev/null
    rmdir tests/fuzz/crashes 2>/dev/null
}
export -f run_one
export B seconds
printf '%s\n' $names | xargs -P 2 -I NAME bash -c 'run_one NAME' | tee $B/logs/result
failed=$(grep -c ^FAIL $B/logs/result)
echo "$(grep -c ^ok $B/logs/result) passed, $failed failed"
[ "$failed" -eq 0 ]
