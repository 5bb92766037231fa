#!/bin/bash
# The engine as a process, from the outside: ingest, idempotency, batches, the worker's side, what it shows, and
# how it stops.
. tests/system/lib.sh
start_engine

# One complaint becomes one order, decided and explained.
body='{"text":"碧湖花园3栋楼道堆满杂物，电动车还在里面充电，请尽快处理","title":"楼道堆物","resident":{"name":"欧阳测试","phone":"13800001234"},"location":{"address":"碧湖花园3栋"}}'
order=$(post /v1/complaints "$body" -H 'Idempotency-Key: t-1')
same "status of a complaint" 201 "$(status)"
id=$(jq -r .id <<<"$order")
same "community" bihu "${id%%.*}"
same "grid" bihu-01 "$(jq -r .grid <<<"$order")"
same "route" place_name "$(jq -r .route.reason <<<"$order")"
same "status" dispatched "$(jq -r .status <<<"$order")"
jq -e '.category and .urgency and .assignee.id and .deadlines.respond_by and .rule_set and (.evidence|length>0)' \
    <<<"$order" >/dev/null || fail "an answer lacks a member: $order"
words=$(jq -r '.evidence[0].words' <<<"$order")
[[ $body == *"$words"* ]] || fail "the evidence '$words' is not in the resident's words"
grep -qi "^location: /v1/complaints/$id" "$DIR/headers" || fail "no Location"

# The same key and body: the same answer; another body: 422.
again=$(post /v1/complaints "$body" -H 'Idempotency-Key: t-1')
same "status of a retry" 201 "$(status)"
same "answer of a retry" "$order" "$again"
grep -qi '^idempotency-replayed: true' "$DIR/headers" || fail "a replay does not say so"
post /v1/complaints '{"text":"另一件事"}' -H 'Idempotency-Key: t-1' >/dev/null
same "another body under the key" 422 "$(status)"
post /v1/complaints "$body" -H "Idempotency-Key: $(printf 'k%.0s' {1..256})" >/dev/null
same "a key that is too long" 400 "$(status)"
post /v1/complaints "$body" -H 'Idempotency-Key: t-1' -H 'Idempotency-Key: t-2' >/dev/null
same "two keys" 400 "$(status)"

# Every wrong field is named; nothing of what was sent is repeated.
wrong=$(post /v1/complaints '{"txet":"x","title":5,"kind":"rant","source":"fax","location":{"lat":91,"lon":0,"z":1},"resident":{"phone":13800001234},"occurred_at":"yesterday","attachments":["http://a"]}')
same "status of a bad complaint" 400 "$(status)"
same "fields named" "attachments kind location.lat location.z occurred_at resident.phone source text title txet" \
    "$(jq -r '[.errors[].field]|sort|join(" ")' <<<"$wrong")"
grep -qi '^content-type: application/problem+json' "$DIR/headers" || fail "not a problem"
post /v1/complaints '{"text":"   "}' >/dev/null
same "a blank text" 400 "$(status)"
post /v1/complaints "{\"text\":\"$(printf '长%.0s' {1..8000})\"}" >/dev/null
same "8,000 characters" 201 "$(status)"
post /v1/complaints "{\"text\":\"$(printf '长%.0s' {1..8001})\"}" >/dev/null
same "8,001 characters" 400 "$(status)"
post /v1/complaints '{"text":"坏路灯","community":"nowhere"}' >/dev/null
same "an unknown community" 400 "$(status)"
post /v1/complaints '{"text":"坏路灯"' >/dev/null
same "cut JSON" 400 "$(status)"
printf '{"text":"\xff"}' | curl -s -o /dev/null -w '%{http_code}' -H 'Content-Type: application/json' --data-binary @- "$URL/v1/complaints" >"$DIR/status"
same "bytes that are not UTF-8" 400 "$(status)"
curl -s -o /dev/null -w '%{http_code}' -d 'text=x' "$URL/v1/complaints" >"$DIR/status"
same "a form" 415 "$(status)"
curl -s -o /dev/null -D "$DIR/headers" -w '%{http_code}' -X DELETE "$URL/v1/complaints" >"$DIR/status"
same "another method" 405 "$(status)"
grep -qi '^allow:.*POST' "$DIR/headers" || fail "405 without Allow"

# A batch answers line by line, in order, and a bad line harms no other.
batch=$(printf '{"text":"银杏路的路灯不亮"}\n{"text":1}\n\n{"text":"碧湖花园停水两天了"}\n' |
    curl -s -H 'Content-Type: application/x-ndjson' -H 'Idempotency-Key: b-1' --data-binary @- "$URL/v1/complaints")
same "lines and statuses of a batch" "1:201 2:400 4:201" "$(jq -r '"\(.line):\(.status)"' <<<"$batch" | paste -sd' ')"
batch_again=$(printf '{"text":"银杏路的路灯不亮"}\n{"text":1}\n\n{"text":"碧湖花园停水两天了"}\n' |
    curl -s -H 'Content-Type: application/x-ndjson' -H 'Idempotency-Key: b-1' --data-binary @- "$URL/v1/complaints")
same "a batch sent again" "$(jq -c 'select(.status==201).order' <<<"$batch")" \
    "$(jq -c 'select(.status==201).order' <<<"$batch_again")"
yes '{"text":"批量"}' | head -n 1001 | curl -s -o /dev/null -w '%{http_code}' \
    -H 'Content-Type: application/x-ndjson' --data-binary @- "$URL/v1/complaints" >"$DIR/status"
same "1,001 lines" 413 "$(status)"
lines=$(yes '{"text":"批量来的一件事"}' | head -n 1000 | curl -s -H 'Content-Type: application/x-ndjson' \
    --data-binary @- "$URL/v1/complaints" | jq -r .status | sort | uniq -c | awk '{print $1 "x" $2}' | paste -sd' ')
[[ $lines == *1000x201* || $lines == *x202* ]] || fail "1,000 lines: $lines"

# Staff and resident see the order; personal data is masked, and staff are not named to residents.
seen=$(get "$URL/v1/orders/$id")
same "GET an order" 200 "$(status)"
same "its state" dispatched "$(jq -r .status <<<"$seen")"
[[ $seen != *13800001234* && $seen != *欧阳测试* ]] || fail "personal data in the clear"
resident=$(get "$URL/v1/complaints/$id")
same "GET a complaint" 200 "$(status)"
[[ $resident != *w-bh* && $resident != *evidence* ]] || fail "the resident sees internals: $resident"
# A regex with a gap takes what stands in it; what is a number there is masked.
fire=$(post /v1/complaints '{"text":"碧湖花园3栋着火了，我的电话13800001234，快来人救命"}' | jq -r .id)
seen=$(get "$URL/v1/orders/$fire")
jq -e '[.dispatch.evidence[]|select(.words|test("着火.*快来"))]|length>0' <<<"$seen" >/dev/null ||
    fail "no evidence with a gap: $seen"
[[ $seen != *13800001234* ]] || fail "a phone number in the evidence: $seen"
get "$URL/v1/orders/bihu.00000000000000000000000000" >/dev/null
same "an order that is not there" 404 "$(status)"
get "$URL/v1/orders/nonsense" >/dev/null
same "an id that is none" 404 "$(status)"

# The worker reads the queue, accepts, resolves; stale steps are 409.
worker=$(jq -r .assignee.id <<<"$order")
queue=$(get "$URL/v1/workers/$worker/queue")
jq -e --arg id "$id" '[.orders[].id]|index($id)!=null' <<<"$queue" >/dev/null || fail "the queue lacks $id: $queue"
post "/v1/orders/$id/resolve" "{\"worker\":\"$worker\",\"result\":\"已清理\"}" >/dev/null
same "resolve before accept" 409 "$(status)"
accepted=$(post "/v1/orders/$id/accept" "{\"worker\":\"$worker\",\"version\":1}" -H 'Idempotency-Key: a-1')
same "accept" 200 "$(status)"
same "state after accept" accepted "$(jq -r .status <<<"$accepted")"
post "/v1/orders/$id/accept" "{\"worker\":\"$worker\",\"version\":1}" -H 'Idempotency-Key: a-1' >/dev/null
same "accept retried with its key" 200 "$(status)"
post "/v1/orders/$id/accept" "{\"worker\":\"$worker\"}" -H 'Idempotency-Key: a-1' >/dev/null
same "its key with another body" 422 "$(status)"
conflict=$(post "/v1/orders/$id/accept" "{\"worker\":\"$worker\"}")
same "a second accept" 409 "$(status)"
same "what is allowed then" "state arrive,report,resolve,return" "$(jq -r '"\(.reason) " + (.allowed[:4]|join(","))' <<<"$conflict")"
post "/v1/orders/$id/resolve" '{"worker":"w-nobody"}' >/dev/null
same "an unknown worker" 422 "$(status)"
other=$(awk '/- id: w-bh-/ {print $3}' rules/directory/*.yaml | grep -v "^$worker$" | head -n 1)
post "/v1/orders/$id/resolve" "{\"worker\":\"$other\",\"result\":\"x\"}" >/dev/null
same "resolve by one who does not hold it" 409 "$(status)"
post "/v1/orders/$id/resolve" "{\"worker\":\"$worker\",\"result\":\"已清理，回电13800001234\"}" >/dev/null
same "resolve" 200 "$(status)"
seen=$(get "$URL/v1/orders/$id")
same "history" "dispatched accepted resolved" "$(jq -r '[.history[].to]|join(" ")' <<<"$seen")"
[[ $seen != *13800001234* ]] || fail "a note's phone number in the clear: $seen"
queue=$(get "$URL/v1/workers/$worker/queue")
jq -e --arg id "$id" '[.orders[].id]|index($id)==null' <<<"$queue" >/dev/null || fail "an accepted order is still queued"

# A long poll is woken by a new order.
idle=w-bh-01
get "$URL/v1/workers/$idle/queue?most=100" >/dev/null
while [ "$(get "$URL/v1/workers/$idle/queue" | jq '.orders|length')" -gt 0 ]; do
    mapfile -t accepts < <(jq -r --arg u "$URL" '.orders[]|"\($u)/v1/orders/\(.id)/accept"' "$DIR/answer")
    curl -s -H 'Content-Type: application/json' -d "{\"worker\":\"$idle\"}" "${accepts[@]}" >/dev/null
done
curl -s "$URL/v1/workers/$idle/queue?wait=20" >"$DIR/poll" &
poll=$!
waiting() { curl -s "$URL/metrics" | grep -q '^jiesu_long_polls 1$'; }
await waiting
before=$(date +%s%N)
woken=$(post /v1/complaints '{"text":"不知道在哪里的一件小事","community":"bihu"}' | jq -r .id)
wait "$poll"
took=$((($(date +%s%N) - before) / 1000000))
same "what the long poll brought" "$woken" "$(jq -r '.orders[0].id' "$DIR/poll")"
[ "$took" -lt 4000 ] || fail "the long poll took $took ms to wake"
same "a poll that finds nothing in time" 200 "$(curl -s -o /dev/null -w '%{http_code}' "$URL/v1/workers/w-bh-02/queue?wait=1")"
get "$URL/v1/workers/nobody/queue" >/dev/null
same "a queue of nobody" 404 "$(status)"

# Classification without an order.
verdict=$(post /v1/classify '{"text":"家里煤气泄漏，有人晕倒了，快救命"}')
same "classify" 200 "$(status)"
same "urgency of a gas leak" red "$(jq -r .urgency <<<"$verdict")"

# What operations see; no personal data in it.
same "livez" ok "$(curl -s "$URL/livez")"
curl -s "$URL/metrics" >"$DIR/metrics"
grep -q '^jiesu_complaints_total{result="accepted"} [1-9]' "$DIR/metrics" || fail "no count of complaints"
grep -q '^jiesu_limit{name="http_body_bytes",unit="bytes"} 65536' "$DIR/metrics" || fail "no limits in /metrics"
if command -v promtool >/dev/null; then
    promtool check metrics <"$DIR/metrics" >"$DIR/promtool" 2>&1 || fail "promtool: $(cat "$DIR/promtool")"
fi
stop_engine
grep -q -e 13800001234 -e 欧阳 -e 杂物 "$DIR/log" && fail "personal data in the log"
while read -r line; do jq -e . <<<"$line" >/dev/null || fail "a log line is not JSON: $line"; done <"$DIR/log"

# What was told is still there after a restart.
start_engine
same "the order after a restart" resolved "$(get "$URL/v1/orders/$id" | jq -r .status)"
stop_engine
