#!/bin/bash
# The demo ends with equal counts, and fails when its data is refused.
. tests/system/lib.sh
"$JIESU" demo --rules rules >"$DIR/out" 2>"$DIR/err" || fail "exit $?: $(cat "$DIR/err"; tail -n 5 "$DIR/out")"
n=$(($(grep -c . rules/cases/demo.tsv) - 1))
same "the count that matters" "complaints=$n acknowledged=$n orders=$n taken=$n lost=0 duplicated=0" "$(tail -n 1 "$DIR/out")"
[ "$n" -ge 300 ] || fail "the demo has $n complaints, fewer than 300"
grep -q 'latency p50' "$DIR/out" || fail "no latency in the table"

printf 'title\ttext\nx\t路灯不亮\ny\t\n' >"$DIR/bad.tsv"
"$JIESU" demo --rules rules --data "$DIR/bad.tsv" >"$DIR/out" 2>"$DIR/err"
same "exit status with a refused complaint" 1 $?
grep -q 'complaint 2 was refused' "$DIR/err" || fail "the refused complaint is not named: $(cat "$DIR/err")"
"$JIESU" demo --data /nonexistent.tsv >/dev/null 2>"$DIR/err"
same "exit status without its data" 69 $?
