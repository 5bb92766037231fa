#!/bin/bash
# Every command in README is run, in its order, and what it prints is compared with what README says.
#
# In README, a ```sh block holds commands; a ```json or ```text block after it is what they print on standard output.
# "…" stands for what is left out (readme_match.jq says where). A fence without a name is not looked at. A comment on
# the line before a block changes what is done with it:
#
#   <!-- not run: why -->       the commands are not run; only for make, which is what runs this, or runs for minutes
#   <!-- run as: COMMAND -->    COMMAND is run instead
#   <!-- figures vary -->       of the output, the last line must be exact; of the others every number may differ
#
# The address 127.0.0.1:8080 is replaced by the one of this test's engine, 127.0.0.1:8081 by a free one. The commands
# run in one shell, one after the other, in a folder that looks like the repository with a data folder of its own.
. tests/system/lib.sh
REPO=$PWD
TABLES=$REPO/tests/system/readme_tables.sh
MATCH=$REPO/tests/system/readme_match.jq
# README's commands and this test have engines and a backend in the background; they end with the test.
trap 'kill $(jobs -p) 2>/dev/null; cleanup' EXIT
B=$(realpath "$B")
JIESU=$B/jiesu

# ---- what README says agrees with where it comes from ----

section() { sed -n "/^<!-- $1: begin -->\$/,/^<!-- $1: end -->\$/p" README.md | sed '1d;$d'; }
for table in settings limits; do
    "$TABLES" $table >"$DIR/table" || fail "the table of $table cannot be made"
    diff <(section $table) "$DIR/table" || fail "README's table of $table is old: tests/system/readme_tables.sh update"
done
while read -r file; do
    [ -e "$file" ] || fail "README links to $file, which is not there"
done < <(grep -oE '\]\([^)]+\)' README.md | sed -E 's/^\]\((.*)\)$/\1/' | sort -u)
while read -r folder; do
    [ -d "$folder" ] || fail "README names the folder $folder, which is not there"
done < <(sed -n '/^## The repository/,/^## /p' README.md | grep '^| `' | cut -d'|' -f2 | grep -oE '[a-z/]+/')
while read -r target; do
    grep -q "^$target:.*## " Makefile || fail "README names make $target, which the Makefile does not have"
done < <(grep -oE '(`|^)make [a-z-]+' README.md | awk '{print $2}' | sort -u)
while read -r route; do
    grep -qF "| \`$route\` |" README.md || fail "README's table of routes lacks $route"
done < <(sed -nE 's/^ *\{HTTP_([A-Z]+)_, "([^"]+)".*/\1 \2/p' engine/api/api.c)
while read -r name; do
    grep -qE "\"$name\"" engine/base/metric.h engine/base/metric.c || fail "README names $name, which is no metric"
done < <(grep -oE 'jiesu_[a-z_0-9]+' README.md | grep -v '^jiesu_limit$' | sort -u)
overlong=$(awk '!/^\|/ && !/^[ `]*curl/ {line = $0; gsub(/[\200-\277]/, "", line); if (length(line) > 125) print FNR}' README.md)
[ -z "$overlong" ] || fail "README has lines that are too long: $overlong"

# ---- the blocks ----

mkdir "$DIR/blocks" "$DIR/work"
LC_ALL=C awk -v dir="$DIR/blocks" '
    !open && /^<!-- .* -->$/ { note = $0; next }
    !open && /^```/ {
        open = 1
        language = substr($0, 4)
        file = sprintf("%s/%03d.%s", dir, ++count, language == "" ? "plain" : language)
        printf "%s", note > (file ".note")
        printf "%d", FNR > (file ".line")
        printf "" > file
        note = ""
        next
    }
    open && /^```$/ { open = 0; close(file); next }
    open { print > file; next }
    { note = "" }' README.md
for entry in * .ci; do
    [ "$entry" = build ] || [ "$entry" = data ] || ln -s "$REPO/$entry" "$DIR/work/$entry"
done
ln -s "$B" "$DIR/work/build"

# Below those that the system gives out, and apart from those of test_free_port: other tests run beside us.
free_port() {
    local port
    while true; do
        port=$((25000 + RANDOM % 7000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo $port
}

# The engine's data folder is where the commands look for it.
mkdir "$DIR/work/data"
ln -s work/data "$DIR/data"
everyone_on_shift
start_engine --rules "$DIR/always"
OTHER=$(free_port)

# Compares two files of text, of which the first is documented.
text_matches() {
    local -a want got
    local w=0 g=0 any=0 pattern
    settle() {
        sed -E -e 's/\r$//' -e 's/[0-9A-HJKMNP-TV-Z]{26}/ULID/g' -e 's/\bw-[a-z]{2}-[0-9]{2}\b/WORKER/g' \
            -e 's/\b[0-9]{13}(-[0-9]+)?\b/STAMP/g' "$1"
    }
    mapfile -t want < <(settle "$1")
    mapfile -t got < <(settle "$2")
    for ((; w < ${#want[@]}; w++)); do
        if [ "${want[w]}" = … ]; then
            any=1
            continue
        fi
        pattern=$(sed 's/[][*?\\]/\\&/g; s/…/*/g' <<<"${want[w]}")
        # shellcheck disable=SC2053 # it is a pattern
        while [ $any -eq 1 ] && [ $g -lt ${#got[@]} ] && [[ ${got[g]} != $pattern ]]; do g=$((g + 1)); done
        # shellcheck disable=SC2053
        if [ $g -ge ${#got[@]} ] || [[ ${got[g]} != $pattern ]]; then
            echo "wanted: ${want[w]}"
            echo "got:    ${got[g]:-(nothing more)}"
            return 1
        fi
        g=$((g + 1))
        any=0
    done
    [ $any -eq 1 ] || [ $g -eq ${#got[@]} ] || {
        echo "not documented: ${got[g]}"
        return 1
    }
}

# The same for output whose figures vary: each documented line must be there, and the last one be the same.
figures_match() {
    local line numbers='s/[0-9]+(\.[0-9]+)?/N/g; s/ +/ /g'
    [ "$(tail -n 1 "$1")" = "$(tail -n 1 "$2")" ] || {
        echo "the last line is: $(tail -n 1 "$2")"
        return 1
    }
    sed -E "$numbers" "$2" >"$DIR/figures"
    while IFS= read -r line; do
        [ "$line" = … ] || grep -qxF -- "$line" "$DIR/figures" || {
            echo "not there: $line"
            return 1
        }
    done < <(sed -E "$numbers" "$1")
}

compare() { # documented, got, note
    case $1 in
    *.json)
        jq -s . "$2" >"$DIR/got.json" || return 1
        jq -r --slurpfile want "$1" -f "$MATCH" "$DIR/got.json" >"$DIR/differences" || return 1
        [ ! -s "$DIR/differences" ] || {
            cat "$DIR/differences"
            return 1
        }
        ;;
    *) if [ "$3" = "<!-- figures vary -->" ]; then figures_match "$1" "$2"; else text_matches "$1" "$2"; fi ;;
    esac
}

ran=0 compared=0 place=''
shown=''
for block in "$DIR"/blocks/*; do
    note=$(cat "$block.note" 2>/dev/null)
    case $block in
    *.sh)
        place="the block in line $(cat "$block.line") of README"
        shown=''
        if [[ $note == "<!-- not run: "* ]]; then
            grep -qv '^make ' "$block" && fail "$place is not run, and is not just make"
            continue
        fi
        if [[ $note =~ ^"<!-- run as: "(.*)" -->"$ ]]; then echo "${BASH_REMATCH[1]}" >"$block"; fi
        if grep -q '^sqlite3 ' "$block" && ! command -v sqlite3 >/dev/null; then
            echo "$place is left out: there is no sqlite3"
            continue
        fi
        sed -e "s/127\.0\.0\.1:8080/127.0.0.1:$PORT/g" -e "s/127\.0\.0\.1:8081/127.0.0.1:$OTHER/g" "$block" >"$DIR/commands"
        cd "$DIR/work" || fail "no folder"
        # shellcheck source=/dev/null
        . "$DIR/commands" >"$DIR/shown" 2>"$DIR/said"
        code=$?
        cd "$REPO" || fail "no folder"
        [ $code -eq 0 ] || fail "$place ends with $code: $(cat "$DIR/said" "$DIR/shown")"
        shown=$DIR/shown
        ran=$((ran + 1))
        ;;
    *.json | *.text)
        [ -n "$shown" ] || continue
        compare "$block" "$shown" "$note" >"$DIR/why" ||
            fail "$place does not print what README says: $(cat "$DIR/why"; echo; head -c 3000 "$shown")"
        shown=''
        compared=$((compared + 1))
        ;;
    esac
done
echo "$ran blocks of commands run, $compared outputs compared"
if [ $ran -lt 20 ] || [ $compared -lt 18 ]; then fail "README has lost its examples, or this test does not find them"; fi

# ---- metrics and statuses that README names ----

curl -s "$URL/metrics" >"$DIR/metrics"
while read -r metric; do
    grep -qE "^$metric(_count)?[{ ]" "$DIR/metrics" || fail "README names the metric $metric, which is not there"
done < <(grep -oE '`(jiesu|process)_[a-z_]+[`{]' README.md | tr -d '`{' | sort -u)

documented() { grep -qE "^\| ([0-9]+, )?$1(, [0-9]+)? \|" README.md || fail "README does not document status $1"; }
answers() { # STATUS CURL-ARGUMENT...
    same "status of curl ${*:2}" "$1" "$(curl -s -o /dev/null -w '%{http_code}' "${@:2}")"
    documented "$1"
}
long=$(head -c 17000 /dev/zero | tr '\0' a)
spaces=$DIR/spaces
head -c 70000 /dev/zero | tr '\0' ' ' >"$spaces"
json='Content-Type: application/json'
order=$(post /v1/complaints '{"text":"碧湖花园的路灯不亮"}')
id=$(jq -r .id <<<"$order")
worker=$(jq -r .assignee.id <<<"$order")
answers 400 "$URL/v1/complaints" -H "$json" -d '{'
answers 404 "$URL/nowhere"
answers 405 -X DELETE "$URL/v1/complaints"
answers 409 "$URL/v1/orders/$id/resolve" -H "$json" -d "{\"worker\":\"$worker\"}"
answers 411 -X POST "$URL/v1/complaints" -H "$json"
answers 413 "$URL/v1/complaints" -H "$json" --data-binary "@$spaces"
answers 414 "$URL/$long"
answers 415 "$URL/v1/complaints" -d '{}'
answers 417 "$URL/v1/complaints" -H "$json" -H 'Expect: a miracle' -d '{}'
answers 422 "$URL/v1/orders/$id/accept" -H "$json" -d '{"worker":"nobody"}'
answers 431 "$URL/livez" -H "X-Long: $long"
answers 501 -X FROBNICATE "$URL/livez"
for code in 201 202 408 500 503 505; do
    grep -qE "(\| |\*\*|, )$code" README.md || fail "README does not document status $code"
done

# ---- the Node example ----

if ! command -v node >/dev/null; then
    echo "the Node example was not run: there is no node"
    stop_engine
    exit 0
fi
mapfile -t examples < <(ls "$DIR"/blocks/*.js)
same "Node examples" 1 ${#examples[@]}
cp "${examples[0]}" "$DIR/backend.mjs"
ENGINE=$URL PORT=0 node "$DIR/backend.mjs" >"$DIR/backend.log" 2>&1 &
backend_listens() { grep -q '^listening on ' "$DIR/backend.log"; }
await backend_listens
BACKEND=http://127.0.0.1:$(sed -n 's/^listening on //p' "$DIR/backend.log")/
draft='{"draft":"1","text":"银杏路的路灯不亮"}'
first=$(curl -s "$BACKEND" -d "$draft" -w '\n%{http_code}')
same "status through the Node backend" 201 "$(tail -n 1 <<<"$first")"
same "a second tap" "$first" "$(curl -s "$BACKEND" -d "$draft" -w '\n%{http_code}')"
same "its order" dispatched "$(head -n 1 <<<"$first" | jq -r .status)"
same "a complaint without text" 400 "$(curl -s -o /dev/null -w '%{http_code}' "$BACKEND" -d '{"draft":"2"}')"
same "no draft" 400 "$(curl -s -o /dev/null -w '%{http_code}' "$BACKEND" -d 'null')"
# The engine is away when the resident sends, and comes up while the backend asks again.
stop_engine
curl -s -o "$DIR/late" -w '%{http_code}' "$BACKEND" -d '{"draft":"3","text":"碧湖花园停水两天了"}' >"$DIR/late.status" &
late=$!
start_engine
wait $late
same "status of what was sent while the engine was away" 201 "$(cat "$DIR/late.status")"
stop_engine
