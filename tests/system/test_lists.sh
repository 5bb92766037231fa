#!/usr/bin/env bash
# The lists of warned orders, from outside, on a fast clock: by level, place and worker, page by
# page; an order that is done leaves them, and one that is reopened comes back.
. tests/system/lib.sh

get() { curl -s "$@"; }
post() { curl -s -o "$DIR/body" -w '%{http_code}' -H 'Content-Type: application/json' -d "$2" "$URL$1"; }
orders() { get "$URL/v1/orders?$1"; }
ids() { orders "$1" | jq -r '[.orders[].id]|sort|join(" ")'; }
order() { post /v1/complaints "$1" >/dev/null && jq -r .id "$DIR/body"; }
step() { same "$2 of $1" 200 "$(post "/v1/orders/$1/$2" "$3")"; }
redis() { redis-cli -s "$DIR/redis.sock" "$@"; }
red() { [ "$(ids "warning=red&$1")" = "$2" ]; }

# A Redis of this test's own, which can be taken away.
redis-server --port 0 --unixsocket "$DIR/redis.sock" --dir "$DIR" --save '' --daemonize no >"$DIR/redis.log" 2>&1 &
REDIS_PID=$!
trap 'kill "$REDIS_PID" 2>/dev/null; cleanup' EXIT
await redis PING

# A Monday in working hours; a quarter of an hour takes about three seconds.
start_engine --redis "unix:$DIR/redis.sock" --clock-speed 300 --clock-origin 2026-03-02T09:00:00+08:00
same "none at first" '{"orders":[]}' "$(orders '')"
lamp=$(order '{"text":"碧湖花园3栋的路灯不亮，回电13800001234","resident":{"name":"王小明"},"grid":"bihu-01"}')
other=$(order '{"text":"碧湖花园5栋的路灯不亮","grid":"bihu-01"}')
third=$(order '{"text":"银杏路的路灯不亮","grid":"wutongli-04"}')
all=$(printf '%s\n' "$lamp" "$other" "$third" | sort | paste -sd' ')
both=$(printf '%s\n' "$lamp" "$other" | sort | paste -sd' ')
await red '' "$all" # nobody accepts them

# ---- what is said of an order ----
seen() { # the row and the order, when nothing happened to it in between
    orders 'warning=red' | jq -c --arg id "$lamp" '.orders[]|select(.id==$id)' >"$DIR/row"
    get "$URL/v1/orders/$lamp" >"$DIR/order"
    [ "$(jq .version "$DIR/row")" = "$(jq .version "$DIR/order")" ]
}
await seen
same "the members" "category created_at deadlines grid id next_due status urgency version warning warning_at worker" \
    "$(jq -r 'keys|sort|join(" ")' "$DIR/row")"
same "as the order itself says" "$(jq -c '[.id,.status,.warning,.category,.worker,.version,.next_due]' "$DIR/order")" \
    "$(jq -c '[.id,.status,.warning,.category,.worker,.version,.next_due]' "$DIR/row")"
same "and as it was dispatched" "$(jq -c '.dispatch|[.grid,.urgency,.created_at,.deadlines.respond_by]' "$DIR/order")" \
    "$(jq -c '[.grid,.urgency,.created_at,.deadlines.respond_by]' "$DIR/row")"
same "when it became red" "$(jq '[.history[]|select(.note.clocks|tostring|contains("red"))][0].at' "$DIR/order")" \
    "$(jq '.warning_at|"\(.[0:19])Z"|fromdate - 28800' "$DIR/row")$(jq -r '.warning_at[20:23]' "$DIR/row")"
! grep -qE '1380000|王|碧湖' "$DIR/row" || fail "personal data in a list: $(cat "$DIR/row")"

# ---- by level, place and worker ----
same "no more blue or yellow" "" "$(ids 'warning=blue,yellow')"
same "of several levels" "$all" "$(ids 'warning=blue,red')"
same "of any" "$all" "$(ids '')"
same "of a community" "$third" "$(ids 'community=wutongli')"
same "of another" "$both" "$(ids 'community=bihu&warning=red')"
same "of a community without any" "" "$(ids 'community=qingfeng')"
street=$(jq -r .dispatch.street "$DIR/order")
same "of the street" "$both" "$(comm -12 <(ids "street=$street" | tr ' ' '\n') <(tr ' ' '\n' <<<"$both") | paste -sd' ')"
same "what was asked is said" "bihu $street" "$(orders "community=bihu&street=$street" | jq -r '"\(.community) \(.street)"')"
holder=$(jq -r .worker "$DIR/order")
ids "worker=$holder" | grep -q "$lamp" || fail "the holder's do not have it"
same "of nobody" "" "$(ids 'worker=w-nobody')"

# ---- page by page ----
after='' seen=''
for page in 1 2 3; do
    orders "limit=1$after" >"$DIR/page"
    seen+="$(jq -r '.orders[0].id' "$DIR/page")"$'\n'
    next=$(jq -r '.next // empty' "$DIR/page")
    after="&after=$next"
done
same "all, one by one" "$all" "$(sort <<<"$seen" | sed '/^$/d' | paste -sd' ')"
same "as in one page" "$(orders '' | jq -r '.orders[].id')" "$(sed '/^$/d' <<<"$seen")"
same "the last says so" "" "$next"

# ---- done, and taken up again ----
step "$third" accept '{"worker":"w-wt-06"}'
step "$third" resolve '{"worker":"w-wt-06","result":"已换灯泡"}'
same "one that is done" "$both" "$(ids 'warning=red')"
since=$(get "$URL/v1/orders/$third" | jq '[.history[]|select(.note.clocks|tostring|contains("red"))][0].at')
same "reopened" 200 "$(post "/v1/complaints/$third/reopen" '{"reason":"not_solved"}')"
same "it comes back" "$all" "$(ids 'warning=red')"
same "with when it became red" "$since" "$(redis ZSCORE 'jiesu:{wutongli}:idx:warning:red' "${third#*.}")"
step "$lamp" cancel '{"worker":"w-bh-01","reason":"duplicate"}'
! ids '' | grep -q "$lamp" || fail "a cancelled order is listed"

# ---- what is wrong is named ----
bad() { # QUERY WORDS
    same "orders?$1" 400 "$(get -o "$DIR/body" -w '%{http_code}' "$URL/v1/orders?$1")"
    same "its type" "urn:jiesu:problem:query" "$(jq -r .type "$DIR/body")"
    grep -q "$2" "$DIR/body" || fail "orders?$1 does not say '$2': $(cat "$DIR/body")"
}
for level in none green '' red, RED red,green; do bad "warning=$level" 'warning is blue, yellow or red'; done
for limit in 0 201 x ''; do bad "limit=$limit" 'limit is a number from 1 to 200'; done
for after in x '' red.1 "red.1.$lamp.x" "none.1.$lamp"; do bad "after=$after" 'after is what an answer before said'; done
for worker in 'W' '' 'a%20b'; do bad "worker=$worker" 'worker is the id of a worker'; done
bad community=nowhere 'no such community'
bad street=nowhere 'no such street'
bad mood=bad 'the parameters are warning, street, community, worker, limit and after'
same "another method" 405 "$(get -o "$DIR/body" -w '%{http_code}' -X DELETE "$URL/v1/orders")"

# ---- without Redis ----
kill "$REDIS_PID"
wait "$REDIS_PID"
unavailable() { [ "$(get -o "$DIR/body" -D "$DIR/headers" -w '%{http_code}' "$URL/v1/orders")" = 503 ]; }
await unavailable
grep -qi '^retry-after: 1' "$DIR/headers" || fail "it does not say when to come again"
same "what is wrong is still said" 400 "$(get -o "$DIR/body" -w '%{http_code}' "$URL/v1/orders?warning=x")"
stop_engine
