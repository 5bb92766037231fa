#!/bin/bash
# Rule sets are swapped under load without failing a request, and every verdict names the one it came
# from; a bad one is refused with its place, and the one in force stays.
#
# Two rule sets differ in one keyword, so that a verdict's category tells which of them it came from.
# The load posts batches of texts with that keyword. RELOAD_SECONDS (4) is how long.
. tests/system/lib.sh

seconds=${RELOAD_SECONDS:-4}
first_set=$DIR/first
second_set=$DIR/second
live=$DIR/rules
cp -r rules "$first_set"
cp -r rules "$second_set"
mark() { # folder category-file: a keyword that decides, in this file
    sed -i 's/^rules:$/rules:\n  - path: 试验\n    keywords: {20: [乾坤挪移试验词]}/' "$1/categories/$2"
}
mark "$first_set" jiaotongyunshu.yaml
mark "$second_set" huanjingbaohu.yaml
cp -r "$first_set" "$live"

put() { # folder: makes it the live rule set, file by file as an editor would
    cp "$1"/categories/{jiaotongyunshu,huanjingbaohu}.yaml "$live/categories/"
}
reload() { curl -s -o "$DIR/reload.json" -w '%{http_code}' -d '' "$URL/v1/rules/reload"; }
verdict() {
    curl -s "$URL/v1/classify" -H 'Content-Type: application/json' -d '{"text":"乾坤挪移试验词"}' |
        jq -r '"\(.rule_set) \(.category | split("/")[0])"'
}

verdict_is() { [ "$(verdict)" = "$1" ]; }

start_engine --rules "$live"

# --- one after the other ---
first=$(verdict)
same "the first rule set decides" 交通运输 "${first#* }"
same "nothing changed" "200 false" "$(reload) $(jq -r .changed "$DIR/reload.json")"
put "$second_set"
same "a reload" "200 true" "$(reload) $(jq -r .changed "$DIR/reload.json")"
second=$(verdict)
same "the second rule set decides" 环境保护 "${second#* }"
same "its id is what the reload said" "${second% *}" "$(jq -r .rule_set "$DIR/reload.json")"
[ "${first% *}" != "${second% *}" ] || fail "two rule sets have one id"
same "what is in force" "${second% *}" "$(get "$URL/v1/rules" | jq -r .rule_set)"
hits=$(get "$URL/v1/rules" | jq '[.rules[] | select(.rule | startswith("categories/huanjingbaohu.yaml")) | .hits] | add')
[ "$hits" -ge 1 ] || fail "the rules' counters say $hits hits"

# --- a bad one is refused with its place ---
printf 'category: [坏了\n' >"$live/categories/huanjingbaohu.yaml"
same "a bad rule set" 422 "$(reload)"
jq -e --arg id "${second% *}" '.in_force == $id and (.detail | test("huanjingbaohu.yaml:[0-9]+:[0-9]+: "))' \
    "$DIR/reload.json" >/dev/null || fail "the refusal says $(cat "$DIR/reload.json")"
same "the one in force stays" "$second" "$(verdict)"
put "$first_set"

# --- SIGHUP ---
kill -HUP "$ENGINE_PID"
await verdict_is "$first"

# --- under load ---
for n in $(seq 200); do printf '{"text":"乾坤挪移试验词，第%d条"}\n' "$n"; done >"$DIR/batch"
(
    end=$((SECONDS + seconds))
    while [ $SECONDS -lt $end ]; do
        put "$second_set"
        [ "$(reload)" = 200 ] || echo "reload: $(cat "$DIR/reload.json")"
        put "$first_set"
        [ "$(reload)" = 200 ] || echo "reload: $(cat "$DIR/reload.json")"
    done
) >"$DIR/reloads" 2>&1 &
reloader=$!
: >"$DIR/pairs"
batches=0
while kill -0 $reloader 2>/dev/null; do
    curl -s "$URL/v1/complaints" -H 'Content-Type: application/x-ndjson' --data-binary "@$DIR/batch" |
        jq -r 'if .status == 201 then "\(.order.rule_set) \(.order.category | split("/")[0])"
               elif .status == 202 then "later"
               else "failed \(.status)" end' >>"$DIR/pairs"
    batches=$((batches + 1))
done
wait $reloader
same "failed reloads" "" "$(cat "$DIR/reloads")"
same "answers" $((batches * 200)) "$(wc -l <"$DIR/pairs")"
same "failed requests" 0 "$(grep -c failed "$DIR/pairs" || true)"
pairs=$(grep -v later "$DIR/pairs" | sort -u)
want=$(printf '%s\n%s\n' "$first" "$second" | sort -u)
same "every verdict names the rule set it came from" "$want" "$pairs"
reloads=$(get "$URL/metrics" | sed -n 's/^jiesu_rules_reloads_total{result="loaded"} //p')
echo "$reloads reloads under $(wc -l <"$DIR/pairs") complaints in $seconds s"

# --- watching ---
stop_engine
put "$first_set"
start_engine --rules "$live" --watch yes
put "$second_set"
await verdict_is "$second"
stop_engine
