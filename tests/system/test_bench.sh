#!/bin/bash
# The tools of `make bench`, for a moment: closed loop, open loop and ceiling run and tell the truth in JSON.
set -euo pipefail
cd "$(dirname "$0")/../.."
B=${B:-build}
texts=rules/cases/demo.tsv
work=$(mktemp -d "${TMPDIR:-/tmp}/jiesu-bench-test.XXXXXX")
engine=
clean_up() {
    local status=$?
    trap - EXIT
    if [ -n "$engine" ]; then
        kill "$engine" 2>/dev/null || true
        wait "$engine" 2>/dev/null || true
    fi
    [ "$status" -eq 0 ] || tail -n 20 "$work"/* 2>/dev/null || true
    rm -rf "$work"
    exit "$status"
}
trap clean_up EXIT

check() { # file, what must be true
    jq -e "$2" "$1" >/dev/null || {
        echo "not true: $2" >&2
        jq . "$1" >&2
        exit 1
    }
}

"$B/jiesu" serve --listen 127.0.0.1:0 --data "$work/data" --rules rules 2>"$work/log" &
engine=$!
for _ in $(seq 200); do
    port=$(grep -m1 '"event":"listening"' "$work/log" | jq -r .port || true)
    [ -z "$port" ] || ! curl -sf "http://127.0.0.1:$port/readyz" >/dev/null || break
    sleep 0.05
done
[ -n "$port" ]

ordered='0 < .p50_ms and .p50_ms <= .p90_ms and .p90_ms <= .p99_ms and .p99_ms <= .p999_ms and .p999_ms <= .max_ms'

"$B/bench/load" --port "$port" --data $texts --count 400 --warmup 50 --connections 8 --json >"$work/closed.json"
check "$work/closed.json" '.requests == 400 and .errors == 0 and .per_s > 0 and .cpu_us_per_request > 0'
check "$work/closed.json" '([.statuses[]] | add) == 400 and .statuses["201"] > 0'
check "$work/closed.json" "$ordered"

# At 200 per second 200 requests take a second, whatever the engine does.
"$B/bench/load" --port "$port" --data $texts --rate 200 --seconds 1 --connections 8 --json >"$work/open.json"
check "$work/open.json" '.requests == 200 and .errors == 0 and .seconds > 0.9 and .seconds < 3'
check "$work/open.json" "$ordered"

# What the generator was told is what the engine counted.
made=$(curl -sf "http://127.0.0.1:$port/metrics" | awk '/^jiesu_complaints_total\{.*accepted/ { print $2 }')
[ "$made" -eq 650 ] || {
    echo "650 complaints were sent, the engine accepted $made" >&2
    exit 1
}

# Nobody there: it says so, and ends.
if "$B/bench/load" --port 1 --data $texts --count 50 --json >"$work/nobody.json"; then
    echo "load exits 0 though nobody answered" >&2
    exit 1
fi
check "$work/nobody.json" '.errors > 0 and .per_s == 0'

"$B/bench/ceiling" --data-dir "$work/ceiling" --data $texts --rules rules --count 300 --json >"$work/ceiling.json"
check "$work/ceiling.json" '.orders == 300 and .calls == 300 and .per_s > 0 and .bytes_each > 500'

# Whole lives, against the ceiling; the ratio of so few says nothing, so neither does the status.
"$B/bench/lifecycle" --data $texts --rounds 1 --lives 60 --warmup 0 --connections 8 --out "$work/lifecycle.json" \
    >"$work/lifecycle" || [ $? -eq 1 ]
check "$work/lifecycle.json" '.lives_per_s > 0 and .ceiling_per_s > .lives_per_s and .ratio > 0 and .engine_cpu_us > 0'
grep -q '^  ratio ' "$work/lifecycle"

# Every warning once, from either of two engines.
"$B/bench/sweep" --sizes 300 --window 2 --out "$work/sweep.json" >"$work/sweep"
check "$work/sweep.json" '.sizes[0] | .open == 300 and .due == 300 and .fired == 300 and .twice == 0 and .missed == 0'
check "$work/sweep.json" '.sizes[0] | .early == 0 and .other_steps == 0 and .p50_ms <= .p99_ms and .p99_ms <= .max_ms'
