#!/bin/bash
# The three commands that `make run` prints work as they stand, at any hour: here on a Sunday night.
. tests/system/lib.sh

"$JIESU" serve --listen 127.0.0.1:0 --data "$DIR/data" --rules rules --examples yes \
    --clock-origin 2026-03-01T03:00:00+08:00 >"$DIR/examples" 2>"$DIR/log" &
ENGINE_PID=$!
await grep -q 'Stop it with' "$DIR/examples"
URL=http://127.0.0.1:$(grep -m 1 '"event":"listening"' "$DIR/log" | jq -r .port)
await is_ready
cd "$DIR" || exit
sed -n '/^  curl/,/^$/p' examples >three
for i in 1 2 3; do # a command that ends in a backslash goes on
    awk -v n="$i" '/^  curl/ { k++ } k == n' three >"command$i"
    sh "command$i" >"out$i" || fail "command $i: $(cat "command$i")"
done
id=$(jq -r .id out1)
[ "$id" != null ] || fail "the first: $(cat out1)"
same "the order in the queue" "$id" "$(jq -r '.orders[].id' out2)"
grep -q '^jiesu_complaints_total\|^jiesu_' out3 || fail "the third: $(head out3)"
