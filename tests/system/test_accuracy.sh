#!/bin/bash
# The shipped rules are right about the first-level category of the dev set as often as is promised, with the
# learned weights; and still often enough without them, so that a street can run on rules it wrote itself.
. tests/system/lib.sh
DATA=${DATA:-../shared/data}
dev=$DATA/complaints_dev.tsv
[ -r "$dev" ] || skip "no $dev"

# reaches WHAT FIGURE BAR: false for a figure that is missing, too.
reaches() {
    awk -v figure="$2" -v bar="$3" 'BEGIN { exit !(figure ~ /^[01](\.[0-9]+)?$/ && figure + 0 >= bar) }' ||
        fail "$1 is '$2', and should be $3 at the least"
    printf '%-32s %.4f (>= %s)\n' "$1" "$2" "$3"
}

evaluate() { # FILE [FLAG]
    "$JIESU" eval --rules rules --data "$dev" --json "${@:2}" >"$1" || fail "eval ${*:2}"
}

# Of rows that were not read, nothing can be right or wrong.
labels=$(($(wc -l <"$dev") - 1))
evaluate "$DIR/all"
evaluate "$DIR/by_hand" --no-learned
for run in all by_hand; do same "rows" "$labels" "$(jq .rows "$DIR/$run")"; done
reaches "accuracy" "$(jq .accuracy "$DIR/all")" 0.92
reaches "macro-F1" "$(jq .macro_f1 "$DIR/all")" 0.91
reaches "macro-F1, by the rules alone" "$(jq .macro_f1 "$DIR/by_hand")" 0.75
