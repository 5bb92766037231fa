#!/bin/bash
# Starting and stopping under pressure. What was acknowledged before a SIGTERM is an order after the restart, whatever
# was in flight is answered, and the exit status is 0, also with a second SIGTERM, with long polls, with a batch, and
# with a Redis that does not answer. What cannot start says why, in time, and leaves nothing behind.
. tests/system/lib.sh

# Ids of all orders, from Redis.
order_ids() {
    redis-cli -s "$DIR/data/redis/redis.sock" --scan --pattern 'jiesu:*:order:*' |
        sed -E 's/^jiesu:\{(.*)\}:order:(.*)$/\1.\2/' | sort
}

# client N: posts one complaint after the other on one connection until it cannot connect any more; a line
# "status id" of each answer goes to the file N, what went wrong to N.errors.
client() {
    curl -s --no-progress-meter -H 'Content-Type: application/json' -d '{"text":"碧湖花园3栋楼道堆满杂物"}' \
        "$URL/v1/complaints?n=[1-20000]" --fail-early -w '\n%{stderr}%{http_code} %{exitcode} %{num_connects} %{errormsg}\n' \
        >"$DIR/client.$1" 2>"$DIR/client.$1.status"
}

# Under load: every request is answered, and every 2xx is an order.
for round in 1 2 3; do
    rm -rf "$DIR/data" "$DIR"/client.*
    start_engine
    clients=()
    for n in 1 2 3 4 5 6 7 8; do
        client $n &
        clients+=($!)
    done
    busy() { [ "$(cat "$DIR"/client.*.status | wc -l)" -gt $((round * 200)) ]; }
    await busy
    stop_engine
    wait "${clients[@]}"
    # 7: the connection was refused, after the stop. Anything else is a request that got no answer.
    same "how clients ended in round $round" "7" \
        "$(cat "$DIR"/client.*.status | awk '$2 != 0 {print $2}' | sort -u | paste -sd' ')"
    same "statuses in round $round, but 201, 202 and 503" "" \
        "$(cat "$DIR"/client.*.status | awk '$2 == 0 && $1 !~ /^(201|202|503)$/' | sort | uniq -c | paste -sd' ')"
    acknowledged=$(cat "$DIR"/client.*.status | grep -cE '^20[12] 0 ')
    cat "$DIR"/client.[1-8] | jq -r 'select(.id and (.status | type == "string")) | .id' | sort >"$DIR/acknowledged"
    same "ids given out in round $round" "$acknowledged" "$(wc -l <"$DIR/acknowledged")"
    start_engine
    order_ids >"$DIR/orders"
    stop_engine
    same "acknowledged, and no order, in round $round" "" "$(comm -23 "$DIR/acknowledged" "$DIR/orders" | head -n 3)"
    same "orders nobody was told of in round $round" "" "$(comm -13 "$DIR/acknowledged" "$DIR/orders" | head -n 3)"
done

# SIGTERM again and again, up to the end.
start_engine
pid=$ENGINE_PID
kill -TERM "$pid"
while kill -TERM "$pid" 2>/dev/null; do :; done
wait "$pid"
code=$?
ENGINE_PID=""
same "exit status after many SIGTERM" 0 $code

# Redis does not answer: long polls, a batch and a complaint are answered all the same, in time.
rm -rf "$DIR/data"
start_engine
redis_pid=$(cat "$DIR/data/redis/redis.pid")
curl -s -o "$DIR/poll" -w '%{http_code}' "$URL/v1/workers/w-bh-02/queue?wait=60" >"$DIR/poll.status" &
poll=$!
waiting() { curl -s "$URL/metrics" | grep -q '^jiesu_long_polls 1$'; }
await waiting
kill -STOP "$redis_pid"
yes '{"text":"银杏路的路灯不亮"}' | head -n 1000 |
    curl -s -H 'Content-Type: application/x-ndjson' --data-binary @- "$URL/v1/complaints" >"$DIR/batch" &
batch=$!
post /v1/complaints '{"text":"碧湖花园停水两天了"}' >"$DIR/one"
same "a complaint while Redis does not answer" 202 "$(status)"
before=$(date +%s%N)
kill -TERM "$ENGINE_PID"
wait "$poll" "$batch"
took=$((($(date +%s%N) - before) / 1000000))
[ "$took" -lt 9000 ] || fail "it took $took ms to answer what was in flight"
[[ $(cat "$DIR/poll.status") =~ ^(200|503)$ ]] || fail "the long poll got '$(cat "$DIR/poll.status")'"
same "lines of the batch" 1000 "$(wc -l <"$DIR/batch")"
same "their statuses" 202 "$(jq -r .status "$DIR/batch" | sort -u)"
kill -CONT "$redis_pid"
wait "$ENGINE_PID"
code=$?
ENGINE_PID=""
same "exit status with a Redis that was frozen" 0 $code
start_engine
same "orders of the batch and of the one" 1001 "$(order_ids | wc -l)"
order_ids >"$DIR/orders"
{ jq -r .id "$DIR/one"; jq -r .order.id "$DIR/batch"; } | sort >"$DIR/acknowledged"
same "acknowledged, and no order" "" "$(comm -23 "$DIR/acknowledged" "$DIR/orders" | head -n 3)"

# As many connections as the limit says need more descriptors than a process usually gets.
stop_engine
: >"$DIR/log"
(
    ulimit -Sn 256
    exec "$JIESU" serve --listen 127.0.0.1:0 --data "$DIR/data" --rules rules 2>"$DIR/log"
) &
ENGINE_PID=$!
await port_is_known
files=$(awk '/^Max open files/ {print $4}' "/proc/$ENGINE_PID/limits")
[ "$files" -gt 10000 ] || [ "$files" -eq "$(ulimit -Hn)" ] || fail "only $files descriptors for 10,000 connections"

# What cannot start: status, text, and nothing left behind. refused STATUS TEXT ARGUMENT...
refused() {
    local code=$1 text=$2
    shift 2
    timeout 15 env PATH="${SERVE_PATH:-$PATH}" "$JIESU" serve --rules rules "$@" 2>"$DIR/err"
    same "exit status of serve $*" "$code" $?
    grep -qF -- "$text" "$DIR/err" || fail "serve $*: '$text' is not in: $(cat "$DIR/err")"
}
port=$(grep -m 1 '"event":"listening"' "$DIR/log" | jq .port)
refused 69 'Address already in use' --data "$DIR/other" --listen "127.0.0.1:$port"
refused 69 'outbox.db' --data "$DIR/data" --listen 127.0.0.1:0
same "the engine whose folder it is lives on" ok "$(curl -s "http://127.0.0.1:$port/livez")"
stop_engine
: >"$DIR/file"
refused 69 "$DIR/file" --data "$DIR/file"
refused 78 "$DIR/no/folder" --data "$DIR/no/folder"
refused 78 'not a numeric' --data "$DIR/other" --listen localhost:0
SERVE_PATH=$DIR refused 78 'redis-server not found' --data "$DIR/other"
if [ "$(id -u)" -ne 0 ]; then
    mkdir -m 500 "$DIR/locked"
    refused 69 'Permission denied' --data "$DIR/locked"
fi
left=$(find /proc/[0-9]* -maxdepth 1 -name cwd -lname "$DIR/*" 2>/dev/null | wc -l)
same "processes left behind" 0 "$left"
