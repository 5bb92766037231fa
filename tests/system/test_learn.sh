#!/bin/bash
# jiesu learn: a pack from made-up texts, the same bytes each time, loaded and used; and its mistakes.
. tests/system/lib.sh

# Texts of two first-level categories, and a line each for the words of one.
texts() {
    printf 'id\tlabel\ttitle\tbody\n'
    for i in $(seq 12); do
        printf '%d\t环境保护\t夜间噪音%s\t楼下工地第%s天施工，噪音扰民。\n' "$i" "" "$i"
        printf '%d\t交通运输\t公交太少\t第%s路公交班次少，站台等很久。\n' "$((100 + i))" "$i"
    done
}
segmented() {
    printf 'id\tlabel\ttokens\n'
    for i in $(seq 8); do
        printf 'S%d\t环境保护\t工地 施工 噪音 扰民 邻居 第%s\n' "$i" "$i"
        printf 'T%d\t交通运输\t公交 班次 站台 线路 第%s\n' "$i" "$i"
    done
    printf 'U1\t交通运输\t公交 太少 路 公交 班次 少 站台 等\n'
}
"$JIESU" learn --help | grep -q "^jiesu learn" || fail "--help does not say what it is"
"$JIESU" learn --no-such-flag >/dev/null 2>&1
same "an unknown flag" 64 $?
texts >"$DIR/texts.tsv"
segmented >"$DIR/words.tsv"
learn() { "$JIESU" learn --data "$DIR/texts.tsv" --segmented "$DIR/words.tsv" "$@"; }

learn --out "$DIR/first.tsv" >"$DIR/out" || fail "learn: $(cat "$DIR/out")"
learn --out "$DIR/second.tsv" >/dev/null || fail "learn again"
cmp "$DIR/first.tsv" "$DIR/second.tsv" || fail "the same input gave other bytes"
[ ! -e "$DIR/first.tsv.tmp" ] || fail "a temporary file was left"
for line in '^# training: texts.tsv, 24 rows, XXH3 [0-9a-f]{32}$' '^# training: words.tsv, 17 rows' \
    '^# expected, by 5-fold cross-validation: accuracy [01]\.[0-9]{4}, macro-F1 [01]\.[0-9]{4}$' \
    '^# documents: 24 texts, 16 of words; 1 more of words are among the texts$'; do
    grep -qE "$line" "$DIR/first.tsv" || fail "the head does not say $line: $(head -9 "$DIR/first.tsv")"
done
grep -vE '^(#|jiesu|labels|step|bias|points|lift|few|head)' "$DIR/first.tsv" | cut -f 1 | grep -q '[0-9]' &&
    fail "an n-gram holds a digit"
learn --max-ngrams 10 --out "$DIR/small.tsv" | grep -q ': 10 n-grams$' || fail "--max-ngrams 10"

learn --min-weight 500 --out "$DIR/sure.tsv" >/dev/null || fail "--min-weight 500"
[ "$(wc -l <"$DIR/sure.tsv")" -lt "$(wc -l <"$DIR/first.tsv")" ] || fail "--min-weight dropped nothing"
grep -q ', weights of 0.5 or more of the largest' "$DIR/sure.tsv" || fail "--min-weight left no remark"

# It classifies, alone and beside the rules, and shows itself as evidence.
cp -r rules "$DIR/rules"
mkdir -p "$DIR/rules/learned"
rm -f "$DIR"/rules/learned/*.tsv
cp "$DIR/first.tsv" "$DIR/rules/learned/first_level.tsv"
"$JIESU" eval --rules "$DIR/rules" --data "$DIR/texts.tsv" --no-hand --json >"$DIR/eval" || fail "eval"
same "accuracy on what it learned from" 1 "$(jq .accuracy "$DIR/eval")"
same "the confusion of one label" 12 "$(jq '.confusion["环境保护"]["环境保护"]' "$DIR/eval")"
same "the labels" 2 "$(jq '.labels | length' "$DIR/eval")"
"$JIESU" eval --rules "$DIR/rules" --data "$DIR/texts.tsv" >"$DIR/eval" || fail "eval as a table"
grep -q '^accuracy ' "$DIR/eval" || fail "no accuracy in the table"
echo '楼下工地施工，噪音扰民' | "$JIESU" classify --rules "$DIR/rules" --no-hand --json >"$DIR/verdict"
jq -e '[.evidence[].rule | startswith("learned/first_level.tsv:")] | any' "$DIR/verdict" >/dev/null ||
    fail "no n-gram is evidence: $(cat "$DIR/verdict")"
learn --rules rules --out "$DIR/scaled.tsv" >/dev/null || fail "--rules"
grep -q '^# expected with the hand-written rules' "$DIR/scaled.tsv" || fail "--rules left no remark"

# expect STATUS TEXT ARGUMENT...: learn must end with STATUS, say TEXT and write nothing.
expect() {
    local code=$1 text=$2
    shift 2
    rm -f "$DIR/none.tsv"
    "$JIESU" learn "$@" >/dev/null 2>"$DIR/err"
    same "exit status of learn $*" "$code" $?
    grep -qF -- "$text" "$DIR/err" || fail "learn $*: '$text' is not in: $(cat "$DIR/err")"
    [ ! -e "$DIR/none.tsv" ] || fail "learn $* wrote a pack"
}
none="--out $DIR/none.tsv"
expect 64 '--data FILE.tsv is missing' $none
expect 64 '--out FILE is missing' --data "$DIR/texts.tsv"
expect 64 '--max-ngrams must be a number from 1 to 20000' --data "$DIR/texts.tsv" $none --max-ngrams 20001
expect 64 '--min-weight must be a number from 0 to 999' --data "$DIR/texts.tsv" $none --min-weight 1000
expect 64 '--folds' --data "$DIR/texts.tsv" $none --folds 1
expect 69 'cannot be opened' --data "$DIR/nothing.tsv" $none
expect 69 'cannot be written' --data "$DIR/texts.tsv" --out "$DIR/no/such/folder.tsv"
expect 78 'words.tsv:1: the first line must name the columns label, title and body' --data "$DIR/words.tsv" $none
expect 78 'texts.tsv:1: the first line must name the columns label and tokens' \
    --data "$DIR/texts.tsv" --segmented "$DIR/texts.tsv" $none
(head -1 "$DIR/texts.tsv" && grep 环境保护 "$DIR/texts.tsv") >"$DIR/one.tsv"
expect 78 'two at least' --data "$DIR/one.tsv" $none
printf 'label\ttitle\tbody\n交通运输\t\t公交\nx\ty\n' >"$DIR/short.tsv"
expect 78 'short.tsv:3: the row has 2 cells, the header 3' --data "$DIR/short.tsv" $none
expect 78 'cannot be opened' --data "$DIR/texts.tsv" $none --rules "$DIR/no"

# The shipped pack keeps the promises made for it.
pack=rules/learned/first_level.tsv
ngrams=$(grep -vcE '^(#|jiesu|labels|step|bias|points|lift|few|head)' "$pack")
[ "$ngrams" -gt 0 ] && [ "$ngrams" -le 20000 ] || fail "$pack has $ngrams n-grams"
grep -vE '^(#|jiesu|labels|step|bias|points|lift|few|head)' "$pack" | cut -f 1 | grep -q '[0-9]' &&
    fail "an n-gram of $pack holds a digit"

# The command that README and the pack's own notes give makes the shipped pack. Without --rules, which chooses only
# how far the weights count beside the rules: those change more often, and the pack need not follow each time.
DATA=${DATA:-../shared/data}
commands() { # FILE: its commands to learn, each in one line
    sed -e ':a' -e '/\\$/{N;s/ *\\\n */ /;ba' -e '}' "$1" | grep '^build/jiesu learn '
}
command=$(commands README.md)
same "the command of $(dirname "$pack")/README.md" "$command" "$(commands "$(dirname "$pack")/README.md")"
[[ $command == *" --rules rules --out $pack" ]] || fail "README's command is: $command"
for file in complaints_sample.tsv complaints_train_segmented.tsv; do
    [ -r "$DATA/$file" ] || { echo "the shipped pack was not made again: no $DATA/$file"; exit 0; }
done
command=${command%% --rules *}
command=${command#build/jiesu learn }
# shellcheck disable=SC2086 # they are arguments
"$JIESU" learn ${command//..\/shared\/data/$DATA} --out "$DIR/again.tsv" >/dev/null || fail "README's command"
made() { grep -vE '^(# expected with the hand-written rules|points)' "$1"; }
diff <(made "$pack") <(made "$DIR/again.tsv") >"$DIR/differences" ||
    fail "README's command makes another pack: $(head -5 "$DIR/differences")"
exit 0
