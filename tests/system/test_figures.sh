#!/bin/bash
# The figures over HTTP: they follow the orders' steps, add up, survive a restart, and refuse what cannot be asked.
. tests/system/lib.sh
start_engine

step() { post "/v1/orders/$1/$2" "$3" >/dev/null; same "$2" 200 "$(status)"; }
resident() { post "/v1/complaints/$1/$2" "$3" >/dev/null; same "$2" 200 "$(status)"; }
order() { post /v1/complaints "$1" | jq -r .id; }
worker() { get "$URL/v1/orders/$1" | jq -r .worker; }
kpi() { get "$URL/v1/stats/kpi?$1"; }
# counted FILTER: true for the total of all.
counted() { kpi '' | jq -e ".total | $1" >/dev/null; }
# adds_up BY: the rows give the total.
adds_up() {
    kpi "by=$1" | jq -e '
      def sum(f): [.rows[] | f] | add // 0;
      .total.orders == {created: sum(.orders.created), open: sum(.orders.open), responded: sum(.orders.responded),
        resolved: sum(.orders.resolved), closed: sum(.orders.closed), reopened: sum(.orders.reopened),
        cancelled: sum(.orders.cancelled), provisional: sum(.orders.provisional)}
      and .total.clocks.respond.in_time == sum(.clocks.respond.in_time)
      and (.total.orders | .created == .open + .resolved + .cancelled)' >/dev/null ||
        fail "by $1 the rows do not add up: $(kpi "by=$1" | head -c 2000)"
}

same "nothing yet" "0 null" "$(kpi '' | jq -r '.total | "\(.orders.created) \(.rates.response.share)"')"

# ---- five orders: done and rated, reopened, cancelled, open, and one that nobody knows a place for ----
hazard=$(order '{"text":"碧湖花园3栋楼道堆满杂物，电动车还在里面充电，请尽快处理","grid":"bihu-01"}')
w=$(worker "$hazard")
for s in accept arrive resolve; do step "$hazard" $s "{\"worker\":\"$w\"}"; done
resident "$hazard" rate '{"stars":5}'
again=$(order '{"text":"小区门口的路灯坏了","grid":"qingfeng-01"}')
w=$(worker "$again")
for s in accept resolve; do step "$again" $s "{\"worker\":\"$w\"}"; done
resident "$again" rate '{"stars":2}'
await counted '.rates.satisfaction == {share: 0.5, of: 2}'
same "the hazard is in time" '{"share":1,"of":1,"target":0.95,"met":true}' \
    "$(kpi community=bihu | jq -c .total.targets.safety_in_time)"
resident "$again" reopen '{"reason":"not_solved"}'
gone=$(order '{"text":"路灯不亮","grid":"bihu-02"}')
resident "$gone" cancel '{"reason":"withdrawn"}'
order '{"text":"路灯不亮","grid":"bihu-02"}' >/dev/null
order '{"text":"路灯不亮"}' >/dev/null
await counted '.orders == {created: 5, open: 3, responded: 2, resolved: 1, closed: 1, reopened: 1, cancelled: 1,
  provisional: 0}'
same "the rates" "0.5 4 0.25 4 1 1" \
    "$(kpi '' | jq -r '.total.rates | "\(.response.share) \(.response.of) \(.resolution.share) \(.resolution.of) \(.satisfaction.share) \(.satisfaction.of)"')"
same "the clocks" "true true" \
    "$(kpi '' | jq -r '.total.clocks.respond | "\(.orders == 5 and .met == 2 and .in_time == 2 and .late == 0 and .stopped == 1) \(.p50_s <= .p90_s and .p90_s <= .p99_s and .mean_s > 0)"')"
for by in grid community street worker category kind day; do adds_up $by; done
same "by community" "bihu:3 qingfeng:1 wangyue:1" \
    "$(kpi by=community | jq -r '[.rows[] | "\(.community):\(.orders.created)"] | join(" ")')"
same "by day" "$(TZ=Asia/Shanghai date +%F):5" "$(kpi by=day | jq -r '.rows[] | "\(.day):\(.orders.created)"')"
same "one community" 3 "$(kpi community=bihu | jq .total.orders.created)"
same "a street" 5 "$(kpi street=wangyue | jq .total.orders.created)"
same "days before" 0 "$(kpi 'from=2020-01-01&to=2020-12-31' | jq .total.orders.created)"

# ---- what cannot be asked ----
while read -r query part; do
    kpi "$query" >/dev/null
    same "$query" 400 "$(status)"
    [[ $(jq -r .detail "$DIR/answer") == *"$part"* ]] || fail "$query: $(cat "$DIR/answer")"
done <<'END'
by=mood by is grid
by= by is grid
from=yesterday days from 1970
from=2026-02-30 days from 1970
to=2026-1-1 days from 1970
from=2026-03-02&to=2026-03-01 later than
from=2025-01-01&to=2026-01-02 366 days
street=nowhere no such street
community=nowhere no such community
since=2026-01-01 the parameters are
END
post /v1/stats/kpi '{}' >/dev/null
same "another method" 405 "$(status)"

# ---- they are still there after a restart, and go on ----
before=$(kpi by=grid | jq -c '.rows | map({grid, orders})')
stop_engine
start_engine
same "after a restart" "$before" "$(kpi by=grid | jq -c '.rows | map({grid, orders})')"
step "$again" accept "{\"worker\":\"$(worker "$again")\"}"
step "$again" resolve "{\"worker\":\"$(worker "$again")\"}"
await counted '.orders.resolved == 2 and .orders.reopened == 1'
stop_engine
echo "the figures follow the orders"
