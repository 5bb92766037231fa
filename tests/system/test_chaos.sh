#!/bin/bash
# A short chaos run, each fault once; and the same with an engine whose replay is broken, which must be found out. The
# full run is `make chaos`.
. tests/system/lib.sh
[ -x "$B/tests/chaos/chaos" ] || fail "$B/tests/chaos/chaos is not built"
case $B in
*san) skip "chaos is run on the plain build: a sanitizer's engine takes too long to start again" ;;
esac
# Both wait most of the time, for what they broke to come back: so they run side by side, each with
# a Redis of its own.
B=$B ROUNDS=6 SEED=7 MUTANT=replay tests/chaos/run.sh >"$DIR/mutant" 2>&1 &
mutant=$!
B=$B ROUNDS=6 SEED=7 tests/chaos/run.sh >"$DIR/out" 2>&1
code=$?
wait "$mutant" || fail "the mutant: $(tail -n 15 "$DIR/mutant")"
[ "$code" -eq 0 ] || fail "chaos: $(tail -n 15 "$DIR/out")"
grep -qE '^rounds=6 acknowledged=[1-9][0-9]* orders=[1-9][0-9]* lost=0 duplicated=0$' "$DIR/out" ||
    fail "chaos said: $(tail -n 3 "$DIR/out")"
grep -qE '^steps: acknowledged=([1-9][0-9]*) in histories=\1 lost=0 twice=0$' "$DIR/out" ||
    fail "chaos said of the steps: $(tail -n 3 "$DIR/out")"
grep -qE '^queues: entries=[1-9][0-9]* stale=0$' "$DIR/out" ||
    fail "chaos said of the queues: $(tail -n 3 "$DIR/out")"
