#!/bin/bash
# The command line: help, versions, exit statuses, configuration and its mistakes.
. tests/system/lib.sh
for command in serve demo classify eval; do
    "$JIESU" $command --help >"$DIR/out" || fail "$command --help"
    grep -q "^jiesu $command" "$DIR/out" || fail "$command --help does not say what it is"
    "$JIESU" $command --version | grep -q '^jiesu [0-9]' || fail "$command --version"
    "$JIESU" $command --no-such-flag >/dev/null 2>&1
    same "$command with an unknown flag" 64 $?
done
"$JIESU" >/dev/null 2>&1
same "no command" 64 $?
"$JIESU" nonsense >/dev/null 2>&1
same "an unknown command" 64 $?

# expect STATUS TEXT ARGUMENT...: serve must end with STATUS and say TEXT.
expect() {
    local code=$1 text=$2
    shift 2
    timeout 20 "$JIESU" serve --rules rules --data "$DIR/data" "$@" >/dev/null 2>"$DIR/err"
    same "exit status of serve $*" "$code" $?
    grep -qF -- "$text" "$DIR/err" || fail "serve $*: '$text' is not in: $(cat "$DIR/err")"
}
expect 64 'threads must be a number from 0 to 64' --threads 65
expect 64 'listen must be ADDRESS:PORT' --listen nowhere
expect 64 'clock-speed must be a number from 1 to 2000' --clock-speed 0
expect 64 'clock-origin must be a time with its offset' --clock-origin '2026-03-02 08:00'
printf 'threads 1\n# a comment\nlisen 127.0.0.1:1\n' >"$DIR/conf"
expect 78 "$DIR/conf:3: there is no setting \"lisen\"" --config "$DIR/conf"
expect 69 'No such file' --config "$DIR/none"
JIESU_TREADS=1 expect 78 'environment variable JIESU_TREADS' --threads 1
expect 78 'redis' --redis 'redis://:secret@127.0.0.1'
expect 78 'calendar.yaml: cannot open it' --rules "$DIR/none"
mkdir "$DIR/bad"
cp -r rules/* "$DIR/bad/"
sed -i '0,/^  - path:/s//  - pth:/' "$DIR/bad/categories/"chengxiangjianshe.yaml
timeout 20 "$JIESU" serve --rules "$DIR/bad" --data "$DIR/data" 2>"$DIR/err"
same "a rule set with a typo" 78 $?
grep -qE 'chengxiangjianshe.yaml:[0-9]+:[0-9]+: ' "$DIR/err" || fail "no place: $(cat "$DIR/err")"

# The file, the environment and the flags, the later winning.
printf 'listen 127.0.0.1:0\nthreads 3\nlog-level info\n' >"$DIR/conf"
JIESU_THREADS=2 "$JIESU" serve --config "$DIR/conf" --rules rules --data "$DIR/data" 2>"$DIR/log" &
ENGINE_PID=$!
await port_is_known
same "threads" 2 "$(grep -m 1 listening "$DIR/log" | jq .threads)"
# A second engine may not use the same folder.
timeout 20 "$JIESU" serve --listen 127.0.0.1:0 --rules rules --data "$DIR/data" 2>"$DIR/err"
code=$?
[ $code -eq 69 ] || [ $code -eq 78 ] || fail "a second engine on the same folder ended with $code"
port=$(grep -m 1 listening "$DIR/log" | jq .port)
same "the first engine lives on" ok "$(curl -s "http://127.0.0.1:$port/livez")"
stop_engine

# A clock for demonstrations: it shows what it is told to, runs on faster, and the log says that it is not real.
: >"$DIR/log"
began=$(date -u -d '-1 minute' +%Y-%m-%dT%H:%M:%SZ)
"$JIESU" serve --config "$DIR/conf" --rules rules --data "$DIR/data" --clock-speed 60 --clock-began "$began" \
    --clock-origin 2026-03-02T08:00:00+08:00 2>"$DIR/log" &
ENGINE_PID=$!
await port_is_known
same "the clock's warning" "warn 60 2026-03-02T08:00:00+08:00" \
    "$(grep -m 1 clock_not_real "$DIR/log" | jq -r '"\(.level) \(.speed) \(.shows)"')"
port=$(grep -m 1 listening "$DIR/log" | jq .port)
made=$(curl -s "http://127.0.0.1:$port/v1/complaints" -H 'Content-Type: application/json' -d '{"text":"碧湖花园的路灯不亮"}')
[[ $(jq -r .created_at <<<"$made") == 2026-03-02T09:* || $(jq -r .created_at <<<"$made") == 2026-03-02T1?:* ]] ||
    fail "an hour after eight, at least, was: $made"
stop_engine
