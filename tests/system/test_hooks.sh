#!/bin/bash
# Webhooks, done-when 5: a receiver that is down (HOOK_DOWN_SECONDS, 4 by default), slow, answering 500 at random,
# breaking and hanging connections, and an engine that is killed in between: it gets every event at least once,
# in order per complaint. Then dead letters, their list and their replay; and what an operator may get wrong.
. tests/system/lib.sh
RECEIVER=$B/tests/system/hook_receiver
[ -x "$RECEIVER" ] || fail "$RECEIVER is not built"
DOWN=${HOOK_DOWN_SECONDS:-4}
receiver_pid="" second_pid=""
hook_port=0

# start_receiver [arguments]: on the port it had before.
start_receiver() {
    : >"$DIR/port"
    "$RECEIVER" --port "$hook_port" --secret "$DIR/secret" --log "$DIR/posts" --gone "$DIR/gone" \
        --seed 7 "$@" >"$DIR/port" 2>>"$DIR/receiver.err" &
    receiver_pid=$!
    await test -s "$DIR/port"
    hook_port=$(cat "$DIR/port")
}
stop_receiver() {
    kill -KILL "$receiver_pid"
    wait "$receiver_pid" 2>/dev/null
    return 0
}

openssl rand -hex 32 >"$DIR/secret" 2>/dev/null || head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$DIR/secret"
: >"$DIR/posts"
: >"$DIR/gone"
start_receiver
cat >"$DIR/hooks.yaml" <<END
webhooks:
  - name: mini-program
    url: http://127.0.0.1:$hook_port/hook?token=not-shown
    secret_file: secret
    allow_private: yes
    timeout_ms: 600
END
start() { start_engine --webhooks "$DIR/hooks.yaml" "$@"; }
redis() { redis-cli -s "$DIR/data/redis/redis.sock" "$@"; }

order() { post /v1/complaints '{"text":"碧湖花园3栋楼道堆满杂物，请尽快处理","grid":"'"$1"'"}' | jq -r .id; }
# step ORDER STEP [more JSON members]: by whoever holds it.
step() {
    local worker
    worker=$(get "$URL/v1/orders/$1" | jq -r .worker)
    post "/v1/orders/$1/$2" "{\"worker\":\"$worker\"${3:+,$3}}" >/dev/null
    [[ $(status) =~ ^20[02]$ ]] || fail "$2 of $1 was answered $(status): $(cat "$DIR/answer")"
}
ids=()
lives() { # COUNT: so many complaints begin, and go on to be resolved
    local id n
    for ((n = 0; n < $1; n++)); do
        id=$(order bihu-01)
        ids+=("$id")
        step "$id" accept
        step "$id" arrive
        step "$id" resolve '"result":"已清理"'
    done
}

# What was to be told: every event of the told types, from Redis; "id complaint version", sorted.
told='create|accept|arrive|resolve|close|return|transfer|escalate|grant|rate|reopen|cancel'
wanted() {
    local key community
    for key in $(redis --scan --pattern 'jiesu:*:events'); do
        community=$(sed -E 's/^jiesu:\{(.*)\}:events$/\1/' <<<"$key")
        redis --json XRANGE "$key" - + | jq -r --arg c "$community" '.[][1] |
            (if type == "array" then [range(0; length; 2) as $i | {key: .[$i], value: .[$i + 1]}] | from_entries else . end) |
            (.facts | split("\n")) as $f | "\($c).\(.order).\($f[0]).\($f[1]) \($c).\(.order) \($f[0])"'
    done | grep -E "\.($told) " | LC_ALL=C sort -u
}
taken() { awk '$1 == "taken" { print $2, $3, $4 }' "$DIR/posts"; }
all_told() {
    wanted >"$DIR/wanted"
    taken | LC_ALL=C sort -u >"$DIR/taken"
    [ -s "$DIR/wanted" ] && [ -z "$(LC_ALL=C comm -23 "$DIR/wanted" "$DIR/taken")" ]
}
# Patient: `await` gives up after 20 s.
await_all_told() {
    local i
    for ((i = 0; i < 60 + DOWN; i++)); do
        all_told && return 0
        sleep 1
    done
    fail "not told: $(LC_ALL=C comm -23 "$DIR/wanted" "$DIR/taken" | head -n 5)"
}
# The first time each event was taken, the events of a complaint came in the order of their versions. And nobody
# was told what never happened, nor anything forged.
check_order() {
    taken | awk '!($1 in seen) { seen[$1] = 1; if ($3 <= last[$2]) { print "out of order:", $0; exit 1 } last[$2] = $3 }' \
        >"$DIR/disorder" || fail "$(cat "$DIR/disorder")"
    same "events nobody knows" "" "$(LC_ALL=C comm -13 "$DIR/wanted" "$DIR/taken" | head -n 3)"
    same "posts with a wrong signature" 0 "$(grep -c '^forged' "$DIR/posts")"
}
metric() { curl -fs "$URL/metrics" | awk -v name="$1" '$1 == name { print $2 }'; }

# ---- a receiver that works: each event once, signed ----
start
lives 3
await_all_told
check_order
same "each event once" "$(wc -l <"$DIR/wanted")" "$(taken | wc -l)"
same "nothing refused" "" "$(grep -v '^taken' "$DIR/posts")"
if command -v openssl >/dev/null; then # the recipe of README
    signature=$(sed -n 's/^Jiesu-Signature: //p' "$DIR/posts.sample" | tr -d '\r')
    t=${signature#t=} t=${t%%,*} v1=${signature##*v1=}
    body=$(sed '1,/^\r$/d' "$DIR/posts.sample")
    code=$(printf '%s.%s' "$t" "$body" | openssl dgst -sha256 -hmac "$(cat "$DIR/secret")" -r | cut -d' ' -f1)
    same "the signature" "$code" "$v1"
    same "the body's members" "at complaint id progress status type version" "$(jq -r 'keys|join(" ")' <<<"$body")"
    same "the body's words" "已办结" "$(jq -r 'select(.type == "complaint.resolved").progress' <<<"$body")"
fi
list=$(get "$URL/v1/webhooks")
same "the list" "mini-program http://127.0.0.1:$hook_port up 0" \
    "$(jq -r '.webhooks[]|"\(.name) \(.host) \(.state) \(.dead_letters)"' <<<"$list")"
[[ $list != *$(cat "$DIR/secret")* && $list != *not-shown* ]] || fail "the list shows a secret: $list"

# ---- 500 at random, broken and hanging connections, slow ----
stop_receiver
start_receiver --fail 30 --cut 10 --hang 8 --slow 30
lives 8

# ---- down; the engine is killed meanwhile, and its Redis with it ----
stop_receiver
lives 4
redis_pid=$(cat "$DIR/data/redis/redis.pid")
kill -KILL "$ENGINE_PID" "$redis_pid"
wait "$ENGINE_PID" 2>/dev/null
start
lives 2
before=$SECONDS
while [ $((SECONDS - before)) -lt "$DOWN" ]; do sleep 0.2; done
is_down() { get "$URL/v1/webhooks" | jq -e '.webhooks[0]|.state == "down" and .waiting > 0 and .waiting_since != null'; }
await is_down
start_receiver --fail 20 --slow 100
lives 2
kill -KILL "$ENGINE_PID"
wait "$ENGINE_PID" 2>/dev/null
start
lives 1
await_all_told
check_order
n=$(wc -l <"$DIR/wanted")
[ "$n" -ge 80 ] || fail "only $n events were to be told"
echo "events=$n taken=$(taken | wc -l) refused=$(grep -c '^refused' "$DIR/posts") cut=$(grep -c '^cut' "$DIR/posts") hung=$(grep -c '^hung' "$DIR/posts") down=${DOWN}s"
same "lost=0" 0 "$(LC_ALL=C comm -23 "$DIR/wanted" "$DIR/taken" | wc -l)"

# ---- dead letters: 410 for one complaint; others go on ----
stop_receiver
start_receiver
id=$(order bihu-01)
community=${id%.*}
await_all_told
echo "$id" >"$DIR/gone"
step "$id" accept
dead() { get "$URL/v1/webhooks/dead?endpoint=mini-program&community=$community"; }
has_dead() { [ "$(dead | jq '.letters|length')" -eq "$1" ]; }
await has_dead 1
same "why it is dead" "HTTP 410 1" "$(dead | jq -r '.letters[0]|"\(.reason) \(.attempts)"')"
step "$id" arrive
await has_dead 2
same "what follows it" "$id.2.accept $id.3.arrive" "$(dead | jq -r '[.letters[].event]|join(" ")')"
lives 1
last=${ids[-1]}
resolved() { taken | grep -q "^$last.4.resolve "; }
await resolved
same "in pages" "$id.3.arrive null" "$(get "$URL/v1/webhooks/dead?endpoint=mini-program&community=$community&limit=1&after=$(dead | jq -r '.letters[0].letter')" | jq -r '"\(.letters[0].event) \(.next)"' | sed 's/ [0-9-]*$/ null/')"

# A restart forgets none of that; a replay that fails leaves them there.
stop_engine
start
step "$id" resolve
await has_dead 3
post /v1/webhooks/dead/replay "{\"endpoint\":\"mini-program\",\"complaint\":\"$id\"}" >/dev/null
same "a replay" "202 1" "$(status) $(jq .complaints "$DIR/answer")"
tried_again() { [ "$(grep -c "^gone $id.2.accept" "$DIR/posts")" -ge 2 ]; }
await tried_again
given_up() { get "$URL/v1/webhooks" | jq -e '.webhooks[0]|.replaying == 0 and .dead_letters == 3'; }
await given_up

: >"$DIR/gone"
post /v1/webhooks/dead/replay "{\"endpoint\":\"mini-program\",\"community\":\"$community\"}" >/dev/null
same "a replay of all" "202 1" "$(status) $(jq .complaints "$DIR/answer")"
await has_dead 0
post "/v1/complaints/$id/rate" '{"stars":5}' >/dev/null
same "rating" 200 "$(status)"
await_all_told
check_order
[ "$(metric jiesu_webhook_replayed_total)" -eq 3 ] || fail "replayed: $(metric jiesu_webhook_replayed_total)"

# ---- what is refused ----
for wrong in '{}' '{"endpoint":"mini-program"}' '{"endpoint":1,"community":"bihu"}' \
    "{\"endpoint\":\"mini-program\",\"community\":\"$community\",\"complaint\":\"$id\"}" \
    '{"endpoint":"mini-program","complaint":"nonsense"}'; do
    post /v1/webhooks/dead/replay "$wrong" >/dev/null
    same "a replay of $wrong" 400 "$(status)"
done
post /v1/webhooks/dead/replay "{\"endpoint\":\"other\",\"community\":\"$community\"}" >/dev/null
same "a replay to nobody" 404 "$(status)"
dead >/dev/null
for query in "endpoint=other&community=$community" "endpoint=mini-program&community=nowhere" "endpoint=mini-program"; do
    get "$URL/v1/webhooks/dead?$query" >/dev/null
    same "dead letters of $query" 404 "$(status)"
done
for query in 'after=x' 'limit=0' 'limit=1001'; do
    get "$URL/v1/webhooks/dead?endpoint=mini-program&community=$community&$query" >/dev/null
    same "dead letters with $query" 400 "$(status)"
done
stop_engine

# ---- two engines and one Redis: one delivers, and when it falls silent the other one does ----
shared=$DIR/shared.sock
redis-server --port 0 --unixsocket "$shared" --dir "$DIR" --save '' --daemonize no >"$DIR/shared.log" 2>&1 &
shared_pid=$!
trap 'kill -KILL "$shared_pid" "$second_pid" 2>/dev/null; cleanup' EXIT
answers() { redis-cli -s "$shared" ping; }
await answers
redis() { redis-cli -s "$shared" "$@"; }
: >"$DIR/posts"
stop_receiver
start_receiver --fail 10 --slow 60
rm -r "$DIR/data" # what its outbox still holds is of the other Redis
start --redis "unix:$shared"
holder() { redis get "jiesu:{$community}:lease:hook:mini-program"; }
held() { [ -n "$(holder)" ]; }
await held
first=$(holder)
"$JIESU" serve --listen 127.0.0.1:0 --data "$DIR/data-2" --rules rules --redis "unix:$shared" \
    --webhooks "$DIR/hooks.yaml" 2>"$DIR/log-2" &
second_pid=$!
second_listens() { grep -q '"event":"listening"' "$DIR/log-2"; }
await second_listens
lives 2
same "who delivers while both live" "$first" "$(holder)"
kill -STOP "$ENGINE_PID"
URL=http://127.0.0.1:$(grep -m 1 '"event":"listening"' "$DIR/log-2" | jq -r .port)
lives 2
other() { held && [ "$(holder)" != "$first" ]; }
await other
kill -CONT "$ENGINE_PID"
lives 2
await_all_told
check_order
[ "$(wc -l <"$DIR/wanted")" -eq 24 ] || fail "two engines: $(wc -l <"$DIR/wanted") events instead of 24"
kill -TERM "$second_pid"
wait "$second_pid"
same "exit status of the second engine" 0 $?
await held
same "who delivers in the end" "$first" "$(holder)"
stop_engine
kill -KILL "$shared_pid"
wait "$shared_pid" 2>/dev/null
trap cleanup EXIT

# ---- the file is read again while the engine runs ----
rm -r "$DIR/data"
redis() { redis-cli -s "$DIR/data/redis/redis.sock" "$@"; }
stop_receiver
start_receiver --fail 20 --slow 60
: >"$DIR/posts"
openssl rand -hex 32 >"$DIR/secret-2" 2>/dev/null || head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$DIR/secret-2"
: >"$DIR/posts-2"
"$RECEIVER" --port 0 --secret "$DIR/secret-2" --log "$DIR/posts-2" --gone "$DIR/gone" --seed 8 >"$DIR/port-2" &
second_pid=$!
trap 'kill -KILL "$second_pid" 2>/dev/null; cleanup' EXIT
await test -s "$DIR/port-2"
# hook NAME PORT SECRET-FILE TIMEOUT
hook() {
    printf '  - {name: %s, url: "http://127.0.0.1:%s/hook", secret_file: %s, allow_private: yes, timeout_ms: %s}\n' "$@"
}
reload() {
    post /v1/rules/reload '' >/dev/null
    same "the reload" 200 "$(status)"
}
names() { get "$URL/v1/webhooks" | jq -r '[.webhooks[].name]|sort|join(" ")'; }
cp "$DIR/hooks.yaml" "$DIR/first.yaml"
start
lives 1
# One that does not pass changes nothing, and says where it is wrong.
sed 's/timeout_ms/time/' "$DIR/first.yaml" >"$DIR/hooks.yaml"
post /v1/rules/reload '' >/dev/null
same "a wrong file" "422 true" "$(status) $(jq --arg at "$DIR/hooks.yaml:6:5: " '.detail|contains($at)' "$DIR/answer")"
same "which endpoints there are" mini-program "$(names)"
# Another way for each post, again and again, while events come: none is lost, none out of order.
for n in 1 2 3 4 5 6; do
    { echo webhooks:; hook mini-program "$hook_port" secret $((600 + n)); } >"$DIR/hooks.yaml"
    if [ $((n % 2)) -eq 0 ]; then reload; else kill -HUP "$ENGINE_PID"; fi
    lives 1
done
await_all_told
check_order
# The host is down; another one with another secret takes its place and gets what waits.
stop_receiver
lives 2
await is_down
{ echo webhooks:; hook mini-program "$(cat "$DIR/port-2")" secret-2 600; } >"$DIR/hooks.yaml"
reload
told_by_both() {
    cat "$DIR/posts-2" >>"$DIR/posts"
    all_told
}
await told_by_both
check_order
grep -q '^taken' "$DIR/posts-2" || fail "the second receiver got nothing"
# A new one gets what happens from now on, beside the one that stays.
same "all before it" 36 "$(wc -l <"$DIR/wanted")"
: >"$DIR/posts"
: >"$DIR/posts-2"
start_receiver
{ echo webhooks:; hook mini-program "$(cat "$DIR/port-2")" secret-2 600; hook other "$hook_port" secret 600; } >"$DIR/hooks.yaml"
reload
same "which there are then" "mini-program other" "$(names)"
lives 1
last=${ids[-1]}
count_of() { awk '$1 == "taken" { print $2 }' "$DIR/$1" | sort -u | wc -l; }
both_have() { [ "$(count_of posts)" -eq "$1" ] && [ "$(count_of posts-2)" -eq "$2" ]; }
await both_have 4 4
same "of whom" "$last" "$(cat "$DIR/posts" "$DIR/posts-2" | awk '{ print $3 }' | sort -u)"
# One that is gone hears no more, and leaves no cursor.
{ echo webhooks:; hook other "$hook_port" secret 600; } >"$DIR/hooks.yaml"
reload
no_cursor() { [ "$(redis HEXISTS "jiesu:{$community}:cursors" hook:mini-program)" = 0 ]; }
await no_cursor
same "which are left" other "$(names)"
lives 1
untold=${ids[-1]}
await both_have 8 4
# And when it comes again, it is a new one.
{ echo webhooks:; hook mini-program "$(cat "$DIR/port-2")" secret-2 600; hook other "$hook_port" secret 600; } >"$DIR/hooks.yaml"
reload
lives 1
await both_have 12 8
! grep -F "$untold" "$DIR/posts-2" || fail "one that was gone was told of $untold"
same "posts with a wrong signature" 0 "$(cat "$DIR/posts" "$DIR/posts-2" | grep -c '^forged')"
# Nor does one leave a cursor that goes while Redis is away.
kill -KILL "$(cat "$DIR/data/redis/redis.pid")"
{ echo webhooks:; hook other "$hook_port" secret 600; } >"$DIR/hooks.yaml"
reload
await no_cursor
same "the cursor of who stays" 1 "$(redis HEXISTS "jiesu:{$community}:cursors" hook:other)"
stop_engine
kill -KILL "$second_pid"
wait "$second_pid" 2>/dev/null
trap cleanup EXIT
cp "$DIR/first.yaml" "$DIR/hooks.yaml"

# refused TEXT: the engine does not start with the webhooks file as it is, and says why.
refused() {
    timeout 20 "$JIESU" serve --rules rules --data "$DIR/other" --webhooks "$DIR/bad.yaml" 2>"$DIR/err"
    same "exit status" 78 $?
    grep -qF -- "$1" "$DIR/err" || fail "'$1' is not in: $(cat "$DIR/err")"
}
sed 's/secret_file: secret/secret_file: none/' "$DIR/hooks.yaml" >"$DIR/bad.yaml"
refused "$DIR/bad.yaml:4:18: $DIR/none: No such file"
sed 's/timeout_ms/time/' "$DIR/hooks.yaml" >"$DIR/bad.yaml"
refused "$DIR/bad.yaml:6:5: "

# Without allow_private the same endpoint gets nothing, and that is said.
sed -i '/allow_private/d' "$DIR/hooks.yaml"
: >"$DIR/posts"
start
order bihu-01 >/dev/null
said() { grep -q 'its address is not a public one' "$DIR/log"; }
await is_down
await said
same "posts to a private address" "" "$(cat "$DIR/posts")"
stop_engine
stop_receiver
