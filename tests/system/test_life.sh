#!/bin/bash
# The whole life of an order over HTTP: every step, by whom it may be taken and by whom not, its clocks, what the
# resident sees, and the batch of a backend that was offline.
. tests/system/lib.sh
everyone_on_shift
start_engine --rules "$DIR/always"

# step ORDER STEP JSON [curl options]: takes a step and prints the answer.
step() {
    local id=$1 name=$2
    shift 2
    post "/v1/orders/$id/$name" "$@"
}
# took WHAT STATUS STATE ORDER STEP JSON: the step is answered with that status, and leads to that state.
took() {
    local got
    got=$(step "$4" "$5" "$6")
    same "$1" "$2 $3" "$(status) $(jq -r '.status' <<<"$got")"
}
# refused WHAT STATUS REASON ORDER STEP JSON
refused() {
    local got
    got=$(step "$4" "$5" "$6")
    same "$1" "$2 $3" "$(status) $(jq -r '.reason // .type' <<<"$got")"
}
order() { post /v1/complaints "$1" | jq -r .id; }
show() { get "$URL/v1/orders/$1"; }
queued() { get "$URL/v1/workers/$1/queue?most=100" | jq -e --arg id "$2" '[.orders[].id]|index($id)!=null' >/dev/null; }
later() { date -u -d "+$1" +%Y-%m-%dT%H:%M:%SZ; }

# ---- the straight road: accept, arrive, tell, resolve, rate ----
id=$(order '{"text":"碧湖花园3栋楼道堆满杂物，电动车还在里面充电，请尽快处理","grid":"bihu-01"}')
w=$(show "$id" | jq -r .worker)
same "an order that waits" "dispatched none" "$(show "$id" | jq -r '"\(.status) \(.warning)"')"
same "its clocks" "feedback resolve respond" "$(show "$id" | jq -r '.clocks|keys|join(" ")')"
same "its next deadline" true "$(show "$id" | jq '.next_due == .clocks.respond.due')"
refused "arrive before accept" 409 state "$id" arrive "{\"worker\":\"$w\"}"
took "accept" 200 accepted "$id" accept "{\"worker\":\"$w\"}"
same "respond is met" true "$(show "$id" | jq '.clocks.respond.met_at != null and .clocks.respond.breached == false')"
same "the next deadline then" true "$(show "$id" | jq '.next_due == .clocks.feedback.due')"
took "arrive" 200 arrived "$id" arrive "{\"worker\":\"$w\",\"photos\":[\"https://example.org/1.jpg\"]}"
took "a note to the resident" 200 arrived "$id" note "{\"worker\":\"$w\",\"note\":\"已到现场，回电13800001234\",\"feedback\":true}"
same "feedback is met" true "$(show "$id" | jq '.clocks.feedback.met_at != null')"
resident=$(get "$URL/v1/complaints/$id")
same "what the resident is told" "已到现场，回电138****1234" "$(jq -r '.history[-1].message' <<<"$resident")"
same "what the resident may do now" "" "$(jq -r '.allowed|join(" ")' <<<"$resident")"
[[ $resident != *w-bh* ]] || fail "staff are named to the resident: $resident"
post "/v1/complaints/$id/rate" '{"stars":5}' >/dev/null
same "rating before it is done" 409 "$(status)"
took "resolve" 200 resolved "$id" resolve "{\"worker\":\"$w\",\"result\":\"已清理\"}"
resident=$(get "$URL/v1/complaints/$id")
same "the result" "已清理" "$(jq -r '.history[-1].message' <<<"$resident")"
same "what the resident may do then" "rate reopen" "$(jq -r '.allowed|join(" ")' <<<"$resident")"
same "and until when" true "$(jq --arg due "$(show "$id" | jq -r .next_due)" '.reopen_by == $due' <<<"$resident")"
same "it is to be closed in a week" true "$(show "$id" | jq '.next_due > .clocks.resolve.due')"
post "/v1/complaints/$id/rate" '{"stars":6}' >/dev/null
same "six stars" 400 "$(status)"
post "/v1/complaints/$id/reopen" '{"reason":"not_solved","comment":"还在"}' >/dev/null
same "reopen" 200 "$(status)"
same "it waits again" dispatched "$(show "$id" | jq -r .status)"
same "the resident may cancel again" "cancel null" "$(get "$URL/v1/complaints/$id" | jq -r '"\(.allowed|join(" ")) \(.reopen_by)"')"
queued "$w" "$id" || fail "a reopened order is in no queue"
took "accept again" 200 accepted "$id" accept "{\"worker\":\"$w\"}"
took "resolve again" 200 resolved "$id" resolve "{\"worker\":\"$w\"}"
same "rate" closed "$(post "/v1/complaints/$id/rate" '{"stars":4,"comment":"还行"}' | jq -r .status)"
same "no deadline is left" null "$(show "$id" | jq .next_due)"
same "the resident sees the rating" "4 true reopen" \
    "$(get "$URL/v1/complaints/$id" | jq -r '"\(.rating.stars) \(.reopen_by > .rating.at) \(.allowed|join(" "))"')"
post "/v1/complaints/$id/rate" '{"stars":1}' >/dev/null
same "rating twice" 409 "$(status)"

# ---- returned twice, and once more ----
id=$(order '{"text":"碧湖花园3栋的路灯不亮","grid":"bihu-01"}')
a=$(show "$id" | jq -r .worker)
due=$(show "$id" | jq -r .clocks.respond.due)
wrong=$(step "$id" return "{\"worker\":\"$a\"}")
same "a return without a reason" "400 reason" "$(status) $(jq -r '.errors[0].field' <<<"$wrong")"
wrong=$(step "$id" return "{\"worker\":\"$a\",\"reason\":\"tired\",\"colour\":1}")
same "fields named" "colour reason" "$(jq -r '[.errors[].field]|sort|join(" ")' <<<"$wrong")"
for n in 1 2 3; do
    holder=$(show "$id" | jq -r .worker)
    queued "$holder" "$id" || fail "return $n: not in the queue of $holder"
    state=dispatched
    [ $n -lt 3 ] || state=awaiting_decision
    took "return $n" 200 $state "$id" return "{\"worker\":\"$holder\",\"reason\":\"not_my_grid\"}"
    [ "$holder" = w-bh-01 ] || ! queued "$holder" "$id" || fail "return $n: still in the queue of $holder"
done
same "the station head has it" "w-bh-01 3" "$(show "$id" | jq -r '"\(.worker) \(.returns)"')"
same "whose queue says so" awaiting_decision "$(get "$URL/v1/workers/w-bh-01/queue" | jq -r --arg id "$id" '.orders[]|select(.id==$id).status')"
same "no clock was reset" "$due" "$(show "$id" | jq -r .clocks.respond.due)"
refused "accept while a decision is awaited" 409 state "$id" accept '{"worker":"w-bh-01"}'
refused "transfer by a leader then" 409 state "$id" transfer '{"worker":"w-bh-02","to":"w-bh-03","reason":"decision"}'
refused "transfer by a worker" 403 urn:jiesu:problem:not-allowed "$id" transfer '{"worker":"w-bh-03","to":"w-bh-03","reason":"decision"}'
refused "transfer to a stranger" 422 urn:jiesu:problem:worker "$id" transfer '{"worker":"w-bh-01","to":"w-qf-03","reason":"decision"}'
took "the head decides" 200 dispatched "$id" transfer '{"worker":"w-bh-01","to":"w-bh-04","reason":"decision"}'
queued w-bh-04 "$id" || fail "not in the queue of who it was transferred to"
took "accept by the new one" 200 accepted "$id" accept '{"worker":"w-bh-04"}'
refused "a step by who held it" 409 holder "$id" resolve "{\"worker\":\"$a\"}"

# ---- extension, whistle, review ----
until=$(later '3 days')
took "asking for time" 200 accepted "$id" extend "{\"worker\":\"w-bh-04\",\"clock\":\"resolve\",\"until\":\"$until\",\"reason\":\"needs_parts\"}"
refused "granting it oneself" 403 urn:jiesu:problem:not-allowed "$id" grant '{"worker":"w-bh-04","clock":"resolve"}'
refused "granting what was not asked for" 409 absent "$id" grant '{"worker":"w-bh-01","clock":"feedback"}'
took "granting" 200 accepted "$id" grant '{"worker":"w-bh-01","clock":"resolve"}'
same "the deadline moved" "true $(date -d "$until" +%s)" \
    "$(show "$id" | jq -r '"\(.clocks.resolve.extended) \(.clocks.resolve.due[:19] + "Z" | fromdate - 28800)"')"
refused "a second extension" 409 again "$id" extend "{\"worker\":\"w-bh-04\",\"clock\":\"resolve\",\"until\":\"$until\",\"reason\":\"needs_parts\"}"
took "a whistle" 200 accepted "$id" whistle "{\"worker\":\"w-bh-02\",\"parties\":[{\"department\":\"城管局\",\"report_by\":\"$(later '5 minutes')\"},{\"department\":\"供电局\",\"report_by\":\"$(later '2 hours')\"}]}"
same "a department is due next" true "$(show "$id" | jq '.next_due == .parties[0].report_by')"
refused "rating before the report" 409 absent "$id" party_rate '{"worker":"w-bh-02","department":"城管局","stars":3}'
took "a department reports" 200 accepted "$id" party_report '{"worker":"w-bh-04","department":"城管局","result":"已到场"}'
same "it is due no more" true "$(show "$id" | jq '.next_due == .parties[1].report_by')"
refused "a department that was not whistled for" 409 absent "$id" party_report '{"worker":"w-bh-04","department":"水务局"}'
took "the caller rates it" 200 accepted "$id" party_rate '{"worker":"w-bh-02","department":"城管局","stars":3}'
wrong=$(step "$id" review '{"worker":"w-bh-01","category":"没有/这/类"}')
same "a category that is none" 400 "$(status)"
took "a corrected category" 200 accepted "$id" review '{"worker":"w-bh-01","category":"城乡建设/城市建设和市政管理/燃气供应"}'
same "the order has it" "城乡建设/城市建设和市政管理/燃气供应" "$(show "$id" | jq -r .category)"
same "and is an example to learn from" "id label title body|$id 城乡建设  碧湖花园3栋的路灯不亮" \
    "$(get "$URL/v1/examples?community=bihu" | tr '\t\n' ' |' | sed 's/|$//')"
same "the history says who" "engine worker worker worker station worker worker station leader worker leader station" \
    "$(show "$id" | jq -r '[.history[].by]|join(" ")')"
same "a page of it" "3 4" "$(get "$URL/v1/orders/$id?history_from=3" | jq -r '"\(.history[0].version) \(.history[1].version)"')"
get "$URL/v1/orders/$id?history_from=x" >/dev/null
same "a page that is none" 400 "$(status)"
took "cancel by the station head" 200 cancelled "$id" cancel '{"worker":"w-bh-01","reason":"duplicate"}'
same "it has no deadline" 0 "$(redis-cli -s "$DIR/data/redis/redis.sock" ZCARD 'jiesu:{bihu}:due')"

# ---- a disaster reports to the street; a resident withdraws ----
id=$(order '{"text":"碧湖花园3栋着火了，快来人救命","grid":"bihu-01"}')
w=$(show "$id" | jq -r .worker)
same "the clocks of a disaster" "arrive report resolve respond" "$(show "$id" | jq -r '.clocks|keys|join(" ")')"
same "whoever is first due" true "$(show "$id" | jq '.next_due == .clocks.arrive.due')"
step "$id" accept "{\"worker\":\"$w\"}" >/dev/null
took "report to the street" 200 accepted "$id" report "{\"worker\":\"$w\",\"note\":\"已上报\"}"
refused "report twice" 409 again "$id" report "{\"worker\":\"$w\"}"
same "report is met" true "$(show "$id" | jq '.clocks.report.met_at != null and .clocks.arrive.met_at == null')"
post "/v1/complaints/$id/cancel" '{"reason":"withdrawn"}' >/dev/null
same "the resident cancels after acceptance" 409 "$(status)"
id=$(order '{"text":"碧湖花园3栋的路灯不亮","grid":"bihu-01"}')
same "the resident cancels" cancelled "$(post "/v1/complaints/$id/cancel" '{"reason":"withdrawn"}' | jq -r .status)"
! queued "$(show "$id" | jq -r .worker)" "$id" || fail "a cancelled order is still queued"

# ---- what reviews teach: rows for jiesu learn ----
id=$(order '{"title":"路灯\t坏了","text":"第一行\n电话13800001234","community":"qingfeng"}')
confirmed=$(order '{"text":"银杏路的路灯不亮","community":"qingfeng"}')
took "another corrected category" 200 dispatched "$id" review '{"worker":"w-qf-01","category":"劳动和社会保障/工资福利/工资发放"}'
took "a category that was right" 200 dispatched "$confirmed" review '{"worker":"w-qf-01"}'
get "$URL/v1/examples?community=qingfeng" >"$DIR/examples.tsv"
same "an example" "$(printf '%s\t劳动和社会保障\t路灯 坏了\t第一行 电话138****1234' "$id")" "$(sed 1d "$DIR/examples.tsv")"
"$JIESU" eval --rules rules --data "$DIR/examples.tsv" >/dev/null || fail "eval does not read the examples"
same "examples passed over" 1 "$(get "$URL/v1/examples?community=qingfeng&skip=1" | wc -l)"
for query in '' '?community=nowhere' '?community=bihu&most=0' '?community=bihu&skip=x'; do
    get "$URL/v1/examples$query" >/dev/null
    same "examples$query" 400 "$(status)"
done

# ---- who goes first: what is urgent, then special groups, then the others ----
# In each of them the order of arrival counts.
placed() { jq -r '"\(.id) \(.assignee.id)"'; }
ten=""
for n in 1 2 3 4 5 6 7 8 9 10; do
    read -r id w < <(post /v1/complaints '{"text":"楼道的路灯不亮","grid":"qingfeng-02"}' | placed)
    ten+=" $id"
done
read -r special w_special < <(post /v1/complaints '{"text":"独居老人家门口的路灯不亮","grid":"qingfeng-02"}' | placed)
same "all have one worker" "$w" "$w_special"
first() { get "$URL/v1/workers/$w/queue?most=100" | jq -r '[.orders[].id]|join(" ")'; }
same "a special group goes first among equals" "$special$ten" "$(first)"
same "and is marked" "blue special_group" "$(get "$URL/v1/workers/$w/queue?most=1" | jq -r '.orders[0]|"\(.urgency) \(.tags|join(" "))"')"
redis() { redis-cli -s "$DIR/data/redis/redis.sock" "$@"; }
same "in its queue too" "$special special 1" "$(redis XRANGE "jiesu:{qingfeng}:q:$w:special" - + |
    sed -n '/^id$/{n;h};/^special$/{N;H;x;p}' | paste -sd' ')"
red=$(post /v1/complaints '{"text":"楼道着火了，快来人救命","grid":"qingfeng-02"}' | jq -r .id)
same "an emergency comes before it" "$red $special$ten" "$(first)"
second=$(post /v1/complaints '{"text":"我是残疾人，坐轮椅，楼道的路灯不亮","grid":"qingfeng-02"}' | jq -r .id)
same "the second after the first" "$red $special $second$ten" "$(first)"
took "accepted and done" 200 accepted "$special" accept "{\"worker\":\"$w\"}"
took "accepted and done" 200 resolved "$special" resolve "{\"worker\":\"$w\"}"
post "/v1/complaints/$special/reopen" '{"reason":"not_solved"}' >/dev/null
same "reopened it goes first again, after who came before" "$red $second $special$ten" "$(first)"
one=${ten##* }
for id in "$one" "$special"; do
    took "transferred" 200 dispatched "$id" transfer "{\"worker\":\"w-qf-01\",\"to\":\"w-qf-09\",\"reason\":\"reassign\"}"
done
same "transferred they are gone" "$red $second${ten% *}" "$(first)"
w=w-qf-09
same "and the special one is first where they went" "$special $one" "$(first)"
for id in $ten $red $special $second; do
    post "/v1/complaints/$id/cancel" '{"reason":"withdrawn"}' >/dev/null
done

# ---- who has no such step ----
post "/v1/complaints/$id/accept" '{}' >/dev/null
same "a resident who accepts" 404 "$(status)"
step "$id" rate '{"worker":"w-bh-01","stars":5}' >/dev/null
same "a worker who rates" 404 "$(status)"
step "$id" dance '{"worker":"w-bh-01"}' >/dev/null
same "no such step" 404 "$(status)"
step bihu.00000000000000000000000000 accept '{"worker":"w-bh-03"}' >/dev/null
same "no such order" 404 "$(status)"

# ---- offline: a batch of what happened, with when ----
id=$(order '{"text":"碧湖花园3栋的路灯不亮","grid":"bihu-01"}')
sleep 1 # so that something can have happened between the order and now
at=$(date -u +%Y-%m-%dT%H:%M:%S.%3NZ)
lines="{\"order\":\"$id\",\"step\":\"accept\",\"worker\":\"w-bh-03\",\"at\":\"$at\"}
{\"order\":\"$id\",\"step\":\"arrive\",\"worker\":\"w-bh-03\",\"at\":\"2020-01-01T00:00:00Z\"}
{\"order\":\"$id\",\"step\":\"arrive\",\"worker\":\"w-bh-03\",\"at\":\"$(later '1 hour')\"}
{\"order\":\"$id\",\"step\":\"arrive\"}
{\"order\":\"$id\",\"step\":\"fly\",\"worker\":\"w-bh-03\"}
not json
{\"order\":\"$id\",\"step\":\"resolve\",\"worker\":\"w-bh-03\",\"at\":\"$at\",\"result\":\"已换灯泡\"}
{\"order\":\"$id\",\"step\":\"resolve\",\"worker\":\"w-bh-03\",\"at\":\"$at\"}"
batch() { curl -s -H 'Content-Type: application/x-ndjson' -H "Idempotency-Key: $1" --data-binary "$lines" "$URL/v1/steps"; }
first=$(batch off-1)
same "its lines" "1:200 2:409:time 3:400 4:400 5:400 6:400 7:200 8:409:state" \
    "$(jq -r '"\(.line):\(.status)" + (if .problem.reason then ":" + .problem.reason else "" end)' <<<"$first" | paste -sd' ')"
same "the batch sent again" "$(jq -c '{line, status, order}' <<<"$first")" "$(batch off-1 | jq -c '{line, status, order}')"
same "when it happened" "$(date -d "$at" +%s%3N)" "$(show "$id" | jq -r '.history[1].at')"
post /v1/steps '{}' >/dev/null
same "a batch that is none" 415 "$(status)"

# ---- a step is durable like a complaint: kill -9 of both, and the histories are whole ----
id=$(order '{"text":"碧湖花园3栋的路灯不亮","grid":"bihu-01"}')
step "$id" accept '{"worker":"w-bh-03"}' -H 'Idempotency-Key: k-1' >/dev/null
step "$id" arrive '{"worker":"w-bh-03"}' -H 'Idempotency-Key: k-2' >/dev/null
redis_pid=$(cat "$DIR/data/redis/redis.pid")
kill -9 "$ENGINE_PID" "$redis_pid"
wait "$ENGINE_PID" 2>/dev/null
gone() { ! kill -0 "$redis_pid"; }
await gone
start_engine --rules "$DIR/always"
arrived() { [ "$(show "$id" | jq -r .status)" = arrived ]; }
await arrived
took "a step after both were killed" 200 resolved "$id" resolve '{"worker":"w-bh-03"}'
same "a retry from before" 200 "$(step "$id" accept '{"worker":"w-bh-03"}' -H 'Idempotency-Key: k-1' >/dev/null; status)"
same "its history" "create accept arrive resolve" "$(show "$id" | jq -r '[.history[].step]|join(" ")')"
stop_engine

# ---- who whistled rates; a class that must say why it is late ----
# By a clock that runs fast, from a Monday's morning.
rm -r "$DIR/data"
cp -r rules "$DIR/rules"
sed -i '/name: ordinary$/,/resolve:/{s/resolve: .*/resolve: 10min/;s/title:/overdue_reason: true\n    title:/}' "$DIR/rules/sla.yaml"
start_engine --rules "$DIR/rules" --clock-speed 600 --clock-origin 2026-03-02T10:00:00+08:00
fast() { date -u -d "2026-03-02T02:00:00Z +$1" +%Y-%m-%dT%H:%M:%SZ; }
id=$(order '{"text":"碧湖花园3栋的路灯不亮","grid":"bihu-01"}')
same "its class" ordinary "$(show "$id" | jq -r .class)"
w=$(show "$id" | jq -r .worker)
took "accept" 200 accepted "$id" accept "{\"worker\":\"$w\"}"
took "the leader whistles" 200 accepted "$id" whistle "{\"worker\":\"w-bh-02\",\"parties\":[{\"department\":\"城管局\",\"report_by\":\"$(fast '9 hours')\"}]}"
took "so does the head" 200 accepted "$id" whistle "{\"worker\":\"w-bh-01\",\"parties\":[{\"department\":\"供电局\",\"report_by\":\"$(fast '9 hours')\"}]}"
same "the callers" "w-bh-02 w-bh-01" "$(show "$id" | jq -r '[.parties[].caller]|join(" ")')"
for department in 城管局 供电局; do
    took "$department reports" 200 accepted "$id" party_report "{\"worker\":\"$w\",\"department\":\"$department\"}"
done
rating() { echo "{\"worker\":\"$1\",\"department\":\"$2\",\"stars\":4}"; }
refused "the head rates whom the leader called" 403 caller "$id" party_rate "$(rating w-bh-01 城管局)"
same "who may" true "$(jq '.detail|contains("who whistled")' "$DIR/answer")"
refused "a leader rates whom the head called" 403 caller "$id" party_rate "$(rating w-bh-02 供电局)"
refused "a worker rates" 403 urn:jiesu:problem:not-allowed "$id" party_rate "$(rating "$w" 城管局)"
took "the head rates whom the head called" 200 accepted "$id" party_rate "$(rating w-bh-01 供电局)"
sed -i '/id: w-bh-02$/,/shifts:/s/shifts: .*/shifts: [mon-sun 03:00-03:30]/' "$DIR/rules/directory/wangyue.yaml"
post /v1/rules/reload '' >/dev/null
same "the leader is off shift" 200 "$(status)"
for n in 1 2; do
    same "the head rates instead, time $n" 200 \
        "$(step "$id" party_rate "$(rating w-bh-01 城管局)" -H 'Idempotency-Key: stars' >/dev/null; status)"
done
same "rated once" "4 4 1" "$(show "$id" | jq -r '"\([.parties[].stars]|join(" ")) \([.history[]|select(.step == "party_rate" and .note.department == "城管局")]|length)"')"
is_late() { show "$id" | jq -e .clocks.resolve.breached; }
await is_late
refused "late without a word" 409 overdue "$id" resolve "{\"worker\":\"$w\",\"result\":\"好了\"}"
same "what is missing" overdue_reason "$(jq -r '.errors[0].field' "$DIR/answer")"
step "$id" resolve "{\"worker\":\"$w\",\"overdue_reason\":\"　\"}" >/dev/null
same "an empty word" "400 overdue_reason" "$(status) $(jq -r '.errors[0].field' "$DIR/answer")"
same "the street has heard nothing" 0 "$(get "$URL/v1/workers/w-wy-01/notices" | jq '[.notices[]|select(.step == "resolve")]|length')"
took "late, and why" 200 resolved "$id" resolve "{\"worker\":\"$w\",\"overdue_reason\":\"灯头缺货\"}"
same "the history has it" 灯头缺货 "$(show "$id" | jq -r '.history[-1].note.overdue_reason')"
same "and the street" "$id 灯头缺货" "$(get "$URL/v1/workers/w-wy-01/notices?most=100" | jq -r '.notices[]|select(.step == "resolve")|"\(.order) \(.note.overdue_reason)"')"
id=$(order '{"text":"碧湖花园3栋的路灯不亮","grid":"bihu-01"}')
w=$(show "$id" | jq -r .worker)
step "$id" accept "{\"worker\":\"$w\"}" >/dev/null
step "$id" resolve "{\"worker\":\"$w\"}" >/dev/null
cp "$DIR/answer" "$DIR/resolved" # is_late asks anew
case "$(status)" in
200) ;;
409) is_late >/dev/null && [ "$(jq -r .reason "$DIR/resolved")" = overdue ] ;; # the machine is slow
*) false ;;
esac || fail "in time: $(cat "$DIR/resolved")"
stop_engine
