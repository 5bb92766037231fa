#!/bin/bash
# readme_tables.sh settings|limits|update: README's generated tables. They stand in README between
# <!-- NAME: begin --> and <!-- NAME: end -->; test_readme.sh fails when they are not what this prints, and `update`
# writes them there.
#
#   settings   from `jiesu serve --help`, whose rows come from engine/app/config.h
#   limits     from the rows of engine/base/limits.h
set -eu
B=${B:-build}

settings() {
    local name meaning default range
    echo '| setting | default | range | meaning |'
    echo '| --- | --- | --- | --- |'
    "$B/jiesu" serve --help | sed -n 's/^  --//p' | while read -r name meaning; do
        default='' range=''
        if [[ $meaning =~ ^(.*)\ \[([^][]*)\]$ ]]; then
            meaning=${BASH_REMATCH[1]} default="\`${BASH_REMATCH[2]}\`"
        fi
        if [[ $meaning =~ ^(.*)\ \(([0-9]+\ to\ [0-9]+)\)$ ]]; then
            meaning=${BASH_REMATCH[1]} range=${BASH_REMATCH[2]}
        fi
        printf '| `%s` | %s | %s | %s |\n' "$name" "$default" "$range" "$meaning"
    done
}

limits() {
    local header=engine/base/limits.h rows
    rows=$(sed -n '/^#define LIMIT_TABLE/,/^$/p' "$header" | tr -d '\\\n' |
        grep -oE 'X\([A-Z0-9_]+, *[0-9]+, *"[^"]*", *"[^"]*"\)')
    # A row that this cannot read must not be left out in silence.
    if [ "$(grep -oE 'X\([A-Z0-9_]+,' "$header" | wc -l)" -ne "$(wc -l <<<"$rows")" ]; then
        echo "readme_tables.sh: a row of $header is not understood" >&2
        exit 1
    fi
    echo '| limit | value | unit | what it bounds |'
    echo '| --- | ---: | --- | --- |'
    sed -E 's/X\(([A-Z0-9_]+), *([0-9]+), *"([^"]*)", *"([^"]*)"\)/| `\L\1\E` | \2 | \3 | \4 |/' <<<"$rows"
}

update() {
    local name table
    table=$(mktemp)
    for name in settings limits; do
        "$name" >"$table"
        sed -i -e "/^<!-- $name: begin -->$/,/^<!-- $name: end -->$/{/^<!-- $name: begin -->$/r $table" \
            -e "/^<!-- $name: /!d}" README.md
    done
    rm "$table"
}

case ${1:-} in
settings | limits | update) "$1" ;;
*)
    echo "usage: readme_tables.sh settings|limits|update" >&2
    exit 64
    ;;
esac
