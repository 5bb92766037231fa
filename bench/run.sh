#!/bin/bash
# run.sh: every figure of README, in one go and on the same texts.
#
#   end to end   jiesu with its embedded Redis, over HTTP, closed loop: its highest rate
#   ceiling      the same function calls with the same payloads, pipelined into the same kind of Redis
#   peer         the same job on Fastify and BullMQ (Node), in the same kind of Redis
#   latency      end to end at half of the rate that the same round has just reached, open loop
#   memory       of the engine's process after 100,000 and after 1,000,000 complaints
#
# All of them share this machine with the load generator and take turns, so that what else happens here
# falls on all alike; medians of ROUNDS are shown. (On a shared machine the same work may take half
# as long again a minute later, so half of a rate that was measured then says little.) Everything
# stays on the loopback interface. It takes eight to twelve minutes. The table goes to standard
# output, progress to standard error, the figures to $B/bench/e2e.json.
#
#   ROUNDS=5 SECONDS_EACH=8 ORDERS=1000000 make bench
set -euo pipefail
cd "$(dirname "$0")/.."
B=${B:-build}
DATA=${DATA:-../shared/data}
ROUNDS=${ROUNDS:-5}
SECONDS_EACH=${SECONDS_EACH:-8}
ORDERS=${ORDERS:-1000000}
CEILING_ORDERS=${CEILING_ORDERS:-40000}
OUT=$B/bench/e2e.json
PEER=bench/peers/bullmq
WARMUP=2000
PEER_WARMUP=500 # it is slower

say() { printf '%s\n' "bench: $*" >&2; }
fail() {
    say "$*"
    exit 69
}

scripts/bootstrap.sh bench
for tool in "$B/jiesu" "$B/bench/load" "$B/bench/ceiling"; do
    [ -x "$tool" ] || fail "$tool is not built; run make"
done
texts=$DATA/complaints_unlabelled.tsv
if [ ! -r "$texts" ]; then
    texts=rules/cases/demo.tsv
    say "no $DATA/complaints_unlabelled.tsv; the texts are those of $texts, which are shorter"
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/jiesu-bench.XXXXXX")
mkdir -p "$B/bench"
pids=()

# Ends a process that we started and its children (the embedded Redis), and waits for them.
end() {
    local pid=$1 children
    kill -0 "$pid" 2>/dev/null || return 0
    children=$(ps -o pid= --ppid "$pid" || true)
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 200); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
    # shellcheck disable=SC2086 # a list of pids
    kill -9 "$pid" $children 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}

clean_up() {
    local status=$?
    trap - EXIT
    for pid in "${pids[@]}"; do end "$pid"; done
    rm -rf "$work"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# --- what is measured -----------------------------------------------------------------------------

listening() { grep -m1 '"event":"listening"' "$1" 2>/dev/null; }

# Waits until the log of process $1 says where it listens.
await() {
    local pid=$1 log=$2
    for _ in $(seq 400); do
        listening "$log" >/dev/null && return 0
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
    tail -n 5 "$log" >&2
    fail "a server did not start"
}

start_engine() { # sets engine, port, socket
    rm -rf "$work/engine"
    "$B/jiesu" serve --listen 127.0.0.1:0 --data "$work/engine" --rules rules 2>"$work/engine.log" &
    engine=$!
    pids+=("$engine")
    await "$engine" "$work/engine.log"
    port=$(listening "$work/engine.log" | jq -r .port)
    socket=$(listening "$work/engine.log" | jq -r '.redis | ltrimstr("unix:")')
    for _ in $(seq 200); do
        curl -sf "http://127.0.0.1:$port/readyz" >/dev/null && return 0
        sleep 0.05
    done
    fail "the engine did not become ready"
}

# The peer's Redis is the one that an engine, otherwise idle, starts for itself: the same in every setting.
start_peer() { # processes; sets engine, peer, port
    start_engine
    node "$PEER/server.js" --redis "$socket" --rules rules --processes "$1" >"$work/peer.log" 2>&1 &
    peer=$!
    pids+=("$peer")
    await "$peer" "$work/peer.log"
    port=$(listening "$work/peer.log" | jq -r .port)
}

stop_all() {
    for pid in "${pids[@]}"; do end "$pid"; done
    pids=()
    rm -rf "$work/engine" "$work/ceiling"
}

load() { # texts, arguments of load; prints its JSON, fails when a request failed
    "$B/bench/load" --port "$port" --data "$1" --json "${@:2}" || fail "requests failed"
}

# Processor time of a process so far, in ticks of 10 ms.
ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"; }

run_engine() { # connections seconds
    local redis engine_ticks redis_ticks
    start_engine
    redis=$(ps -o pid= --ppid "$engine" | tr -d " ")
    engine_ticks=$(ticks "$engine") redis_ticks=$(ticks "$redis")
    load "$texts" --connections "$1" --seconds "$2" --warmup "$WARMUP" >"$work/load.json"
    jq -c --argjson engine $(($(ticks "$engine") - engine_ticks)) \
        --argjson redis $(($(ticks "$redis") - redis_ticks)) --argjson warmup "$WARMUP" \
        '. + {engine_cpu_us: ($engine * 10000 / (.requests + $warmup)),
              redis_cpu_us: ($redis * 10000 / (.requests + $warmup))}' "$work/load.json"
    stop_all
}

run_half() { # rate seconds
    start_engine
    load "$texts" --connections 256 --rate "$1" --seconds "$2" --warmup "$WARMUP"
    stop_all
}

run_peer() { # processes connections seconds
    start_peer "$1"
    load "$texts" --connections "$2" --seconds "$3" --warmup "$PEER_WARMUP"
    stop_all
}

run_ceiling() {
    "$B/bench/ceiling" --data-dir "$work/ceiling" --data "$texts" --rules rules \
        --count "$CEILING_ORDERS" --json || fail "the ceiling could not be measured"
    rm -rf "$work/ceiling"
}

median() { sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
medians() { jq -r "$2" "$1" | median; }
whole() { printf '%.0f' "$1"; }
resident_mib() { awk '/^VmRSS:/ { printf "%.1f", $2 / 1024 }' "/proc/$1/status"; }

# --- the peer's packages ---------------------------------------------------------------------------

if [ ! -e "$PEER/node_modules/.package-lock.json" ] ||
    [ "$PEER/package-lock.json" -nt "$PEER/node_modules/.package-lock.json" ]; then
    say "installing the peer's packages"
    (cd "$PEER" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2) ||
        fail "npm ci failed in $PEER"
fi

# --- room for a million orders: about 6 KiB each in Redis, and as much in its append-only file, twice
# while it is rewritten ---

memory_texts=$texts
free_mib=$(df -Pm "$work" | awk 'NR == 2 { print $4 }')
memory_mib=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
needed_mib=$((ORDERS * 12 / 1000))
if [ "$memory_mib" -lt "$needed_mib" ] || [ "$free_mib" -lt $((needed_mib * 2)) ]; then
    [ "$free_mib" -gt "$needed_mib" ] || fail "needs $needed_mib MiB in ${TMPDIR:-/tmp}, which has $free_mib"
    memory_texts=rules/cases/demo.tsv
    say "little memory ($memory_mib MiB) or disk ($free_mib MiB): the million are the short texts of $memory_texts"
fi

# --- the best that each can do: how many connections, how many processes ------------------------------

best=0
for connections in 32 128 256; do
    run_engine "$connections" 3 >"$work/try.json"
    rate=$(jq .created_per_s "$work/try.json")
    say "jiesu, $connections connections: $(whole "$rate")/s"
    if [ "$(whole "$rate")" -gt "$(whole "$best")" ]; then best=$rate engine_connections=$connections; fi
done
best=0
for processes in 1 2; do
    for connections in 64 256; do
        run_peer "$processes" "$connections" 3 >"$work/try.json"
        rate=$(jq .created_per_s "$work/try.json")
        say "peer, $processes processes, $connections connections: $(whole "$rate")/s"
        if [ "$(whole "$rate")" -gt "$(whole "$best")" ]; then
            best=$rate peer_processes=$processes peer_connections=$connections
        fi
    done
done

# --- rounds ---------------------------------------------------------------------------------------

for round in $(seq "$ROUNDS"); do
    run_engine "$engine_connections" "$SECONDS_EACH" >>"$work/engine.json"
    half=$(tail -n 1 "$work/engine.json" | jq '.created_per_s / 2 | floor')
    echo "$half" >>"$work/halves"
    run_half "$half" "$SECONDS_EACH" >>"$work/half.json"
    say "at $half/s: $(tail -n 1 "$work/half.json" | jq -c '{p50_ms, p99_ms, p999_ms, max_ms}')"
    run_ceiling >>"$work/ceiling.json"
    run_peer "$peer_processes" "$peer_connections" "$SECONDS_EACH" >>"$work/peer.json"
    say "round $round of $ROUNDS:" \
        "jiesu $(tail -n 1 "$work/engine.json" | jq '.created_per_s | floor')/s," \
        "ceiling $(tail -n 1 "$work/ceiling.json" | jq '.per_s | floor')/s," \
        "peer $(tail -n 1 "$work/peer.json" | jq '.created_per_s | floor')/s"
done
engine_per_s=$(medians "$work/engine.json" .created_per_s)
ceiling_per_s=$(medians "$work/ceiling.json" .per_s)
bullmq_per_s=$(medians "$work/peer.json" .created_per_s)
engine_cpu=$(medians "$work/engine.json" .engine_cpu_us)
redis_cpu=$(medians "$work/engine.json" .redis_cpu_us)
load_cpu=$(medians "$work/engine.json" .cpu_us_per_request)
half=$(median <"$work/halves")
p50=$(medians "$work/half.json" .p50_ms)
p99=$(medians "$work/half.json" .p99_ms)

# --- memory ------------------------------------------------------------------------------------------

start_engine
load "$memory_texts" --connections "$engine_connections" --count $((ORDERS / 10)) >"$work/memory.json"
sleep 4 # until the outbox has let go of what Redis holds
rss_small=$(resident_mib "$engine")
say "memory after $((ORDERS / 10)) complaints: $rss_small MiB"
load "$memory_texts" --connections "$engine_connections" --count $((ORDERS - ORDERS / 10)) >"$work/memory.json"
sleep 4
rss_large=$(resident_mib "$engine")
say "memory after $ORDERS complaints: $rss_large MiB"
stop_all

# --- the table ---------------------------------------------------------------------------------------

jq -n --argjson engine "$engine_per_s" --argjson ceiling "$ceiling_per_s" \
    --argjson bullmq "$bullmq_per_s" --argjson p50 "$p50" --argjson p99 "$p99" \
    --argjson small "$rss_small" --argjson large "$rss_large" --argjson engine_cpu "$engine_cpu" \
    --argjson redis_cpu "$redis_cpu" --argjson load_cpu "$load_cpu" \
    '{engine_per_s: $engine, ceiling_per_s: $ceiling, bullmq_per_s: $bullmq, p50_ms_at_half: $p50,
      p99_ms_at_half: $p99, rss_100k_mib: $small, rss_1m_mib: $large, engine_cpu_us: $engine_cpu, redis_cpu_us: $redis_cpu,
      load_cpu_us: $load_cpu}' >"$OUT"

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }
count=$(($(wc -l <"$texts") - 1))
cat <<TABLE

$count texts of ${texts##*/}, $(nproc) processors shared with the load generator, medians of $ROUNDS rounds

  what                                          figure         against
  -------------------------------------------   ------------   ----------------------------
  jiesu, end to end ($(printf '%3d' "$engine_connections") connections)           $(printf '%8.0f' "$engine_per_s")/s
  ceiling: the calls alone, into bare Redis     $(printf '%8.0f' "$ceiling_per_s")/s     jiesu is at $(ratio "$engine_per_s" "$ceiling_per_s")  (>= 0.60)
  peer: Fastify + BullMQ ($peer_processes processes)         $(printf '%8.0f' "$bullmq_per_s")/s     jiesu is $(ratio "$engine_per_s" "$bullmq_per_s") x (>= 3)
  latency at $(printf '%6.0f' "$half")/s, half of the most: p50      $(printf '%8.2f' "$p50") ms
                                          p99      $(printf '%8.2f' "$p99") ms    (<= 20 ms)
  memory after $(printf '%9d' $((ORDERS / 10))) complaints             $(printf '%8.1f' "$rss_small") MiB
  memory after $(printf '%9d' "$ORDERS") complaints             $(printf '%8.1f' "$rss_large") MiB   $(awk -v a="$rss_large" -v b="$rss_small" 'BEGIN { printf "%+.1f MiB", a - b }') (<= +64)
  processor time per complaint: engine $(printf '%.0f' "$engine_cpu") us, Redis $(printf '%.0f' "$redis_cpu") us, load generator $(printf '%.0f' "$load_cpu") us

written to $OUT
TABLE
