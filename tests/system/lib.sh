# lib.sh: what the system tests share: a jiesu of their own, started and stopped, and ways to fail.
# Sourced. B names the build tree; the engine's folder goes away with the test.
set -u
B=${B:-build}
JIESU=$B/jiesu
DIR=$(mktemp -d "${TMPDIR:-/tmp}/jiesu-test-XXXXXX")
ENGINE_PID=""
cleanup() {
    if [ -n "$ENGINE_PID" ]; then
        kill -TERM "$ENGINE_PID" 2>/dev/null
        wait "$ENGINE_PID" 2>/dev/null
    fi
    rm -rf "$DIR"
}
trap cleanup EXIT

fail() {
    echo "FAILED: $*"
    [ -r "$DIR/log" ] && tail -n 20 "$DIR/log"
    exit 1
}

skip() {
    echo "$*"
    exit 77
}

# same WHAT WANTED GOT
same() {
    [ "$2" = "$3" ] || fail "$1: wanted '$2', got '$3'"
}

# Waits (20 s at most) until the command given succeeds. It looks again at short intervals: what is waited for is
# another process, which has no other way to tell a shell.
await() {
    local i
    for ((i = 0; i < 400; i++)); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.05
    done
    fail "waited in vain for: $*"
}

port_is_known() { grep -q '"event":"listening"' "$DIR/log"; }
is_ready() { curl -fs "$URL/readyz"; }

# Starts the engine with what is given and waits until it is ready. Sets PORT, URL, ENGINE_PID.
start_engine() {
    : >"$DIR/log"
    "$JIESU" serve --listen "127.0.0.1:${PORT:-0}" --data "$DIR/data" --rules rules "$@" 2>>"$DIR/log" &
    ENGINE_PID=$!
    await port_is_known
    PORT=$(grep -m 1 '"event":"listening"' "$DIR/log" | jq -r .port)
    URL=http://127.0.0.1:$PORT
    await is_ready
}

# Makes $DIR/always, the rules with everyone on shift whatever the hour: the engine hands no order over by itself.
everyone_on_shift() {
    cp -rL rules "$DIR/always"
    sed -i '/^ *shifts:/d' "$DIR"/always/directory/*.yaml
}

# Stops it and checks that it ended with 0.
stop_engine() {
    kill -TERM "$ENGINE_PID"
    wait "$ENGINE_PID"
    local code=$?
    ENGINE_PID=""
    same "exit status after SIGTERM" 0 "$code"
}

# post PATH BODY [curl options]: prints the body; the status goes to the file $DIR/status.
post() {
    local path=$1 body=$2
    shift 2
    printf '%s' "$body" | curl -sS -o "$DIR/answer" -w '%{http_code}' -D "$DIR/headers" \
        -H 'Content-Type: application/json' --data-binary @- "$@" "$URL$path" >"$DIR/status"
    cat "$DIR/answer"
}
get() {
    curl -sS -o "$DIR/answer" -w '%{http_code}' -D "$DIR/headers" "$@" >"$DIR/status"
    cat "$DIR/answer"
}
status() { cat "$DIR/status"; }
