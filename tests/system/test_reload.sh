#!/bin/bash
# Rule sets are swapped under load without failing a request, and every verdict names the one it came
# from; a bad one is refused with its place, and the one in force stays.
#
# Two rule sets differ in one keyword, so that a verdict's category tells which of them it came from.
# The load is three clients at a time: two post batches of texts with that keyword, one asks for verdicts alone.
# RELOAD_SECONDS (4) is how long; `make soak-reload` does it for a minute, under the sanitizers too.
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
printf '{"text":"乾坤挪移试验词"}' >"$DIR/one"
end=$((SECONDS + seconds))
swap() {
    local folder
    while [ $SECONDS -lt $end ]; do
        for folder in "$second_set" "$first_set"; do
            put "$folder"
            [ "$(reload)" = 200 ] || echo "reload: $(cat "$DIR/reload.json")"
        done
    done
    touch "$DIR/swapped"
}
# client NAME TYPE BODY ANSWERS URL...: posts the body to each URL, one after the other, until the last swap is done
# (or much too late). Of each of the ANSWERS of a round NAME.pairs gets a line: the rule set with the category,
# "later" for an order that is made later, or what failed. NAME.sent says how many answers there should be.
client() {
    local name=$1 sent=0
    while [ ! -e "$DIR/swapped" ] && [ $SECONDS -lt $((end + 60)) ]; do
        curl -sS --max-time 60 -w '%{stderr}%{http_code}\n' -H "Content-Type: $2" --data-binary "@$3" "${@:5}" \
            >"$DIR/$name.answers" 2>"$DIR/$name.codes" || echo "failed: curl $?"
        sed '/^200$/d; s/^/failed: /' "$DIR/$name.codes"
        jq -r '(if .status == 201 then .order else . end) |
            if .rule_set and .category then "\(.rule_set) \(.category | split("/")[0])"
            elif .status == 202 then "later"
            else "failed: \(tojson)" end' "$DIR/$name.answers" || echo "failed: not JSON"
        sent=$((sent + $4))
    done >"$DIR/$name.pairs" 2>&1
    echo $sent >"$DIR/$name.sent"
}
mapfile -t urls < <(yes "$URL/v1/classify" | head -n 50)
swap >"$DIR/reloads" 2>&1 &
client first_batches application/x-ndjson "$DIR/batch" 200 "$URL/v1/complaints" &
client second_batches application/x-ndjson "$DIR/batch" 200 "$URL/v1/complaints" &
client verdicts application/json "$DIR/one" 50 "${urls[@]}" &
for job in $(jobs -p); do [ "$job" = "$ENGINE_PID" ] || wait "$job"; done
same "failed reloads" "" "$(cat "$DIR/reloads")"
want=$(printf '%s\n%s\n' "$first" "$second" | sort -u)
for name in first_batches second_batches verdicts; do
    grep -m 1 failed "$DIR/$name.pairs" && fail "a request of $name failed"
    sent=$(cat "$DIR/$name.sent")
    [ "$sent" -ge 1 ] || fail "$name sent nothing"
    same "answers of $name" "$sent" "$(wc -l <"$DIR/$name.pairs")"
    other=$(grep -vxF -e later -e "$first" -e "$second" "$DIR/$name.pairs" | sort | uniq -c)
    same "$name: every verdict names the rule set it came from" "" "$other"
done
pairs=$(cat "$DIR"/*.pairs | grep -vx later | sort -u)
same "both rule sets have decided" "$want" "$pairs"
reloads=$(get "$URL/metrics" | sed -n 's/^jiesu_rules_reloads_total{result="loaded"} //p')
echo "$reloads reloads under $(cat "$DIR"/*_batches.pairs | wc -l) complaints and $(wc -l <"$DIR/verdicts.pairs")" \
    "other verdicts in $seconds s"

# --- watching ---
stop_engine
put "$first_set"
start_engine --rules "$live" --watch yes
put "$second_set"
await verdict_is "$second"
stop_engine
