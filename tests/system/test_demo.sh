#!/bin/bash
# The demo ends with equal counts, and fails when its data is refused.
. tests/system/lib.sh
mkdir "$DIR/tmp"
export TMPDIR=$DIR/tmp
day=("$JIESU" demo --rules rules --speed 2000 --hours 8)
"${day[@]}" >"$DIR/out" 2>"$DIR/err" || fail "exit $?: $(cat "$DIR/err"; tail -n 5 "$DIR/out")"
n=$(($(grep -c . rules/cases/demo.tsv) - 1))
same "the count that matters" \
    "complaints=$n acknowledged=$n orders=$n taken=$n lost=0 duplicated=0 forgotten=0" "$(tail -n 1 "$DIR/out")"
[ "$n" -ge 300 ] || fail "the demo has $n complaints, fewer than 300"
grep -q 'latency p50' "$DIR/out" || fail "no latency in the table"
# The day was one: people were late, the engine handed over and warned, residents had their say.
hours=$(grep -cE '^  Mon [0-9]{2}:00 ' "$DIR/out")
[ "$hours" -ge 7 ] || fail "$hours hours of the day are told"
for what in 'handed over' returned reviewed reopened rated; do
    grep -qE "(^|, | )$what [1-9]" "$DIR/out" || fail "nothing was $what: $(grep 'handed over' "$DIR/out")"
done
grep -qE '^    respond +[1-9][0-9]* +[1-9][0-9]* +[1-9]' "$DIR/out" || fail "no warning: $(grep '^    respond' "$DIR/out")"

printf 'title\ttext\nx\t路灯不亮\ny\t\n' >"$DIR/bad.tsv"
"${day[@]}" --data "$DIR/bad.tsv" >"$DIR/out" 2>"$DIR/err"
same "exit status with a refused complaint" 1 $?
grep -q 'complaint 2 was refused' "$DIR/err" || fail "the refused complaint is not named: $(cat "$DIR/err")"
"$JIESU" demo --data /nonexistent.tsv >/dev/null 2>"$DIR/err"
same "exit status without its data" 69 $?
same "folders left" "" "$(ls "$TMPDIR")"

# Stopped in the middle, or left without its engine, it leaves no process and no folder behind.
left() { find /proc/[0-9]* -maxdepth 1 -name cwd -lname "$DIR/tmp/*" 2>/dev/null | wc -l; }
serving() { pgrep -P "$demo" -f 'jiesu serve' && [ "$(left)" -gt 0 ]; }
gone() { [ "$(left)" -eq 0 ]; }
for signal in TERM INT HUP; do
    # A shell's background process ignores SIGINT unless it is told otherwise.
    env --default-signal=INT "${day[@]}" >"$DIR/out" 2>"$DIR/err" &
    demo=$!
    await serving
    kill -"$signal" "$demo"
    wait "$demo"
    code=$?
    same "exit status after SIG$signal" "$signal" "$(kill -l "$code")"
    same "processes left after SIG$signal" 0 "$(left)"
    same "folders left after SIG$signal" "" "$(ls "$DIR/tmp")"
done
"${day[@]}" >"$DIR/out" 2>"$DIR/err" &
demo=$!
await serving
kill -KILL "$(pgrep -P "$demo" -f 'jiesu serve')"
wait "$demo"
same "exit status when the engine is killed" 69 $?
grep -q 'the engine ended by itself (status 0, signal 9)' "$DIR/err" || fail "not said: $(cat "$DIR/err")"
await gone
[ -s "$(echo "$DIR"/tmp/*/engine.log)" ] || fail "the log it names is not there"
