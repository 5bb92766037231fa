#!/usr/bin/env bash
# The engine's own steps, from outside, on a fast clock: an order that nobody accepts goes from post to post and warns;
# all who had it still see it, one may accept it; who is to know is told; the triage of the street sees what went
# up to it.
. tests/system/lib.sh

get() { curl -s "$@"; }
post() { curl -s -o "$DIR/body" -w '%{http_code}' -H 'Content-Type: application/json' -d "$2" "$URL$1"; }
show() { get "$URL/v1/orders/$1"; }
queued() { get "$URL/v1/workers/$1/queue?most=100" | jq -e --arg id "$2" '[.orders[].id]|index($id)!=null' >/dev/null; }
redis() { redis-cli -s "$DIR/data/redis/redis.sock" "$@"; }
notices() { get "$URL/v1/workers/$1/notices?${2:-}"; }
is_red() { [ "$(show "$1" | jq -r '[.clocks.respond.warning, .history[-1].step] | join(" ")')" = "red warn" ]; }

# A Monday in working hours; a quarter of an hour takes about three seconds.
start_engine --clock-speed 300 --clock-origin 2026-03-02T09:00:00+08:00
post /v1/complaints '{"text":"碧湖花园3栋的路灯不亮","grid":"bihu-01"}' >/dev/null
id=$(jq -r .id "$DIR/body")
first=$(jq -r .assignee.id "$DIR/body")
same "who has it first" w-bh-03 "$first"
await is_red "$id"
steps=$(show "$id" | jq -r '[.history[].step] | join(" ")')
[[ $steps == "create hand_over"* ]] || fail "nobody accepted it, and it was not handed over: $steps"
holder=$(show "$id" | jq -r .worker)
[ "$holder" != "$first" ] || fail "it is still with $first"
same "the levels, each once" "blue yellow red" "$(show "$id" | jq -r '[.history[]|select(.step=="warn")|.note.clocks.respond|values]|join(" ")')"
same "the breach is counted" true "$(show "$id" | jq .clocks.respond.breached)"
queued "$first" "$id" || fail "the first post does not see it any more"
queued "$holder" "$id" || fail "the holder does not see it"
same "the station head is told" red "$(notices w-bh-01 | jq -r --arg id "$id" '[.notices[]|select(.order==$id and .step=="warn")|.note.clocks.respond]|.[-1]')"
after=$(notices w-bh-01 | jq -r .after)
same "and once" 0 "$(notices w-bh-01 "after=$after" | jq '.notices|length')"
same "a page of one" 1 "$(notices w-bh-01 'most=1' | jq '.notices|length')"
for bad in after=x after=bihu:1 most=0 most=101; do
    same "notices?$bad" 400 "$(get -o "$DIR/body" -w '%{http_code}' "$URL/v1/workers/w-bh-01/notices?$bad")"
done
same "notices of nobody" 404 "$(get -o "$DIR/body" -w '%{http_code}' "$URL/v1/workers/nobody/notices")"
resident=$(get "$URL/v1/complaints/$id")
same "what the resident sees of all this" dispatched "$(jq -r '[.history[].status]|join(" ")' <<<"$resident")"
same "one accepts" 200 "$(post "/v1/orders/$id/accept" '{"worker":"w-bh-03"}')"
same "another comes too late" 409 "$(post "/v1/orders/$id/accept" "{\"worker\":\"$holder\"}")"
! queued "$first" "$id" || fail "an accepted order is in a queue"
! queued "$holder" "$id" || fail "an accepted order is in another's queue"
same "who holds it" w-bh-03 "$(redis HKEYS 'jiesu:{bihu}:open')"

# ---- an order of a community that went up to the street ----
post /v1/complaints '{"text":"独居老人家门口的路灯不亮","grid":"bihu-01"}' >/dev/null
id=$(jq -r .id "$DIR/body")
get "$URL/v1/workers/w-wy-01/queue?wait=20" >"$DIR/poll" &
poll=$!
waits() { [ "$(get "$URL/metrics" | awk '$1 == "jiesu_long_polls" {print $2}')" = 5 ]; }
await waits # one for each community, and the street's own
order="jiesu:{bihu}:order:${id#*.}"
redis FCALL jiesu_step 3 "$order" 'jiesu:{bihu}:due' 'jiesu:{bihu}:events' escalate up engine '' any dispatched dispatched \
    "$(redis HGET "$order" created_at)" '' 0 '' w-wy-01 '' @ '' w-wy-01 >/dev/null
wait "$poll"
same "the triage's long poll" "$id" "$(jq -r '.orders[0].id' "$DIR/poll")"
triage_has_its_own() {
    post /v1/complaints '{"text":"路灯不亮"}' >/dev/null
    [ "$(jq -r .assignee.id "$DIR/body")" = w-wy-01 ]
}
await triage_has_its_own # or another of the triage, which has fewer
same "a special group from below goes before it" "$id $(jq -r .id "$DIR/body")" \
    "$(get "$URL/v1/workers/w-wy-01/queue" | jq -r '[.orders[].id]|join(" ")')"
same "the triage is told" "escalate" "$(notices w-wy-01 | jq -r --arg id "$id" '[.notices[]|select(.order==$id)|.step]|.[0]')"
same "the triage accepts" 200 "$(post "/v1/orders/$id/accept" '{"worker":"w-wy-01"}')"
! queued w-wy-01 "$id" || fail "an accepted order is in the triage's queue"
stop_engine
