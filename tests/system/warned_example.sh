#!/bin/bash
# What README shows of a list of warned orders: two orders that nobody accepts, on a fast clock,
# until they are red.
. tests/system/lib.sh
start_engine --clock-speed 300 --clock-origin 2026-03-02T09:00:00+08:00
for house in 3 5; do
    post /v1/complaints "{\"text\":\"碧湖花园${house}栋的路灯不亮\",\"grid\":\"bihu-01\"}" >/dev/null
done
list() { curl -s "$URL/v1/orders?warning=red&community=bihu&limit=$1"; }
both_red() { [ "$(list 2 | jq '.orders | length')" = 2 ]; }
await both_red
list 1
stop_engine
