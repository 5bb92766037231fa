#!/bin/bash
# The tools of the rule author on small rule sets of their own, and on the shipped one.
. tests/system/lib.sh

# rules STATUS ARGUMENT...: `jiesu rules ARGUMENT...` must end with STATUS; its output is in $DIR/out.
rules() {
    local wanted=$1
    shift
    "$JIESU" rules "$@" >"$DIR/out" 2>"$DIR/err"
    local got=$?
    [ "$got" -eq "$wanted" ] || {
        cat "$DIR/out" "$DIR/err"
        fail "jiesu rules $*: wanted exit status $wanted, got $got"
    }
}
says() { grep -qF -- "$1" "$DIR/out" || fail "'$1' is not in: $(head -n 40 "$DIR/out")"; }
says_not() { ! grep -qF -- "$1" "$DIR/out" || fail "'$1' is in: $(head -n 40 "$DIR/out")"; }
complains() { grep -qF -- "$1" "$DIR/err" || fail "'$1' is not in: $(cat "$DIR/err")"; }

# A small rule set in folder $1.
make_set() {
    mkdir -p "$1/categories" "$1/cases"
    cp rules/sla.yaml "$1/"
    cat >"$1/urgency.yaml" <<'END'
default: blue
rules:
  - level: red
    sla: emergency
    keywords: [着火了, 煤气泄漏]
    unless: [消防演练]
  - level: yellow
    keywords: [停水]
END
    printf 'default: complaint\nrules:\n  - kind: enquiry\n    keywords: {3: [请问]}\n' >"$1/kinds.yaml"
    printf 'rules:\n  - tag: special_group\n    name: 特殊群体\n    keywords: [独居老人]\n' >"$1/tags.yaml"
    printf 'min_score: 3\nmin_margin: 0.15\n' >"$1/review.yaml"
    cat >"$1/categories/chengxiang.yaml" <<'END'
category: 城乡建设
rules:
  - path: 市政管理/环卫
    keywords:
      4: [垃圾清运]
      3: [垃圾]
  - path: 市政管理/供水
    keywords:
      4: [停水, 水压]
END
    cat >"$1/categories/jiaoyu.yaml" <<'END'
category: 教育文体
rules:
  - path: 学校
    keywords:
      4: [学校, 老师]
    regexes:
      4: ['幼儿园.{0,8}收费']
END
    cat >"$1/cases/first.yaml" <<'END'
cases:
  - text: 小区垃圾没人清
    path: 城乡建设/市政管理/环卫
    urgency: blue
    kind: complaint
    review: no
    no_tags: [special_group]
  - title: 停水
    text: 请问独居老人家里停水两天怎么办
    path: 城乡建设
    not_path: 教育文体
    urgency: 黄
    kind: 咨询
    tags: [special_group]
  - text: 学校消防演练说着火了
    path: 教育文体/学校
    review: yes
    reason: negated_emergency
END
}
SET=$DIR/set
make_set "$SET"
printf 'id\tlabel\ttitle\tbody\n' >"$DIR/data.tsv"
printf 'r1\t城乡建设\t垃圾\t楼下垃圾没人清运\nr2\t教育文体\t学校\t学校老师收费\nr3\t城乡建设\t\t路灯不亮\n' >>"$DIR/data.tsv"
printf 'r4\t城乡建设\t\t银杏路的路灯坏了\nr5\t教育文体\t\t学校老师停水\n' >>"$DIR/data.tsv"

# ---- the command line ----
for tool in check test explain coverage suggest diff; do
    rules 0 $tool --help
    says "jiesu rules $tool"
    "$JIESU" rules $tool --version | grep -q '^jiesu [0-9]' || fail "rules $tool --version"
    rules 64 $tool --no-such-flag
done
rules 0 --help
rules 64
rules 64 nonsense
rules 64 check unexpected
rules 64 diff "$SET" --data "$DIR/data.tsv"
rules 64 diff "$SET" "$SET"
rules 64 suggest
rules 64 suggest --rules "$SET" "$DIR/data.tsv" --top 0
rules 64 check --top 3
rules 78 check --rules "$DIR/none"
rules 69 suggest --rules "$SET" "$DIR/none.tsv"

# ---- check ----
rules 0 check --rules "$SET"
says '0 errors, 0 warnings, 0 notes'
rules 0 check --rules "$SET" --json
same "findings" 0 "$(jq '.findings | length' "$DIR/out")"
cp -r "$SET" "$DIR/odd"
cat >"$DIR/odd/categories/odd.yaml" <<'END'
category: 环境保护
rules:
  - path: 噪声
    keywords:
      4: [噪音, 停水]
    regexes:
      4: ['(吵+)+闹', '([a-z]+)*[0-9]', '(噪|噪)*大', '[^a-z]{2}', '楼上.*楼下.*吵', '([0-9]+分?)+贝']
  - path: 空气
    keywords: {-4: [空气炸锅]}
END
rules 1 check --rules "$DIR/odd"
says "$DIR/odd/categories/odd.yaml:5:15: warning: “停水” has a weight for “环境保护” here (4) and for “城乡建设”"
for pattern in '(吵+)+闹' '([a-z]+)*[0-9]' '(噪|噪)*大' '([0-9]+分?)+贝'; do
    says "error: the regex “$pattern” is stopped by its limits on a text of 60 characters"
done
says 'regex-nested-repeats'
says 'regex-alternatives-alike'
says 'regex-wide-repeats'
says 'regex-without-literal'
says '“环境保护/空气” can never be chosen'
rules 1 check --rules "$DIR/odd" --json
same "errors as JSON" 4 "$(jq '.errors' "$DIR/out")"
same "a place as JSON" '7:11' "$(jq -r '.findings | map(select(.code == "regex-blows-up"))[0] | "\(.line):\(.column)"' "$DIR/out")"
sed -i 's/path: 噪声/pth: 噪声/' "$DIR/odd/categories/odd.yaml"
rules 78 check --rules "$DIR/odd"
complains 'odd.yaml:3:5: '
rules 78 check --rules "$DIR/odd" --json
same "does not compile" false "$(jq .compiles "$DIR/out")"

# ---- test ----
rules 0 test --rules "$SET"
says '3 cases: 3 passed, 0 failed'
rules 0 test --rules "$SET" --json
same "passed" 3 "$(jq .passed "$DIR/out")"
# An edit that breaks a case is found, and the case is shown with what decided.
cp -r "$SET" "$DIR/broken"
sed -i 's/3: \[垃圾\]/3: [垃圾堆]/' "$DIR/broken/categories/chengxiang.yaml"
rules 1 test --rules "$DIR/broken"
says "$DIR/broken/cases/first.yaml:2: FAILED"
says '小区垃圾没人清'
says 'expected  城乡建设/市政管理/环卫'
says 'got       (no category)'
says '3 cases: 2 passed, 1 failed'
rules 1 test --rules "$DIR/broken" --json
same "what failed" 'path review' "$(jq -r '[.failures[0].failures[].what] | join(" ")' "$DIR/out")"
rules 0 test --rules "$DIR/broken" --json /dev/stdin <<<"$(printf 'cases:\n  - text: 水压低\n    path: 城乡建设\n')"
# Colours only where they are asked for.
says_not $'\033'
rules 1 test --rules "$DIR/broken" --color always
says $'\033'
# refused PLACE TEXT YAML: a file of cases with this text is refused.
refused() {
    printf '%s' "$3" >"$DIR/cases.yaml"
    rules 78 test --rules "$SET" "$DIR/cases.yaml"
    complains "$DIR/cases.yaml:$1: $2"
}
refused 1:1 'the key "other" is not known here' 'other: 1'
refused 2:5 'the key "text" is missing here' $'cases:\n  - path: 城乡建设\n'
refused 2:5 'this case expects nothing' $'cases:\n  - text: 路灯\n'
refused 3:11 '“城建” is not a category path' $'cases:\n  - text: 路灯\n    path: 城建\n'
refused 3:15 '“城建” is not a category path' $'cases:\n  - text: 路灯\n    not_path: 城建\n'
refused 3:14 '“green” is not a level' $'cases:\n  - text: 路灯\n    urgency: green\n'
refused 3:11 '“gossip” is not a kind' $'cases:\n  - text: 路灯\n    kind: gossip\n'
refused 3:5 '' $'cases:\n  - text: 路灯\n    pth: 城乡建设\n'
refused 3:11 '' $'cases:\n  - text: 路灯\n    tags: special_group\n'
rules 69 test --rules "$SET" "$DIR/no-such-file.yaml"

# ---- explain ----
rules 0 explain --rules "$SET" '学校垃圾没人清，老师说着火了是消防演练' --title 停水
says 'category  教育文体/学校'
says '+4 “老师” category 教育文体/学校, categories/jiaoyu.yaml:3'
says 'not       城乡建设/市政管理/供水'
says 'it has 7 points and lacks 1'
says 'it would have counted: 水压 +4'
says '     8.00      8.00      0.00  教育文体'
says '     3.00      3.00      0.00      环卫'
says 'urgency   yellow'
says '0 “着火了” urgency red, urgency.yaml:3 (set aside): the unless of its rule holds'
says 'review    yes: negated_emergency'
says_not $'\033'
rules 0 explain --rules "$SET" '学校的垃圾' --color always
says $'\033[32m学校\033[0m'
rules 0 explain --rules "$SET" '一片空白'
says 'nothing in the text speaks for any category'
rules 0 explain --rules "$SET" '学校停水，请问独居老人怎么办' --json
same "the matches" '停水=category 停水=urgency 学校=category 独居老人=tag 请问=kind' \
    "$(jq -r '[.matches[] | "\(.pattern)=\(.for)"] | sort | join(" ")' "$DIR/out")"
same "the scores" '城乡建设 4 教育文体 4' \
    "$(jq -r '[.categories[] | select(.category | contains("/") | not) | "\(.category) \(.score)"] | join(" ")' "$DIR/out")"
rules 64 explain --rules "$SET"
rules 64 explain --rules "$SET" 一 二
rules 64 explain --rules "$SET" 一 --color sometimes
rules 1 explain --rules "$SET" $'\xff'

# ---- coverage ----
rules 0 coverage --rules "$SET" "$DIR/data.tsv"
says '      1     1 of 2     categories/chengxiang.yaml:7  category 城乡建设/市政管理/供水'
says '      2     2 of 3     categories/jiaoyu.yaml:3  category 教育文体/学校'
says '3 rules never found:'
says '  tags.yaml:2  tag special_group'
says '  categories/chengxiang.yaml:9:15  水压 (城乡建设/市政管理/供水)'
says '  categories/jiaoyu.yaml:7:11  幼儿园.{0,8}收费 (教育文体/学校)'
says '2 of 5 texts without a category:'
says '  r4'
rules 0 coverage --rules "$SET" "$DIR/data.tsv" --show 1
says_not '  r4'
rules 0 coverage --rules "$SET" "$DIR/data.tsv" --json
same "hits" '学校 2 老师 2' "$(jq -r '[.rules[] | select(.rule == "categories/jiaoyu.yaml:3").words[:2][] | "\(.pattern) \(.hits)"] | join(" ")' "$DIR/out")"
same "silent texts" 'r3 r4' "$(jq -r '.without_category | join(" ")' "$DIR/out")"
rules 69 coverage --rules "$SET" "$DIR/none.tsv"
# A condition counts as a word of the rules that name it.
cp -r "$SET" "$DIR/conditions"
printf 'conditions:\n  - name: 路灯坏\n    all: [路灯]\n    any: [坏, 不亮]\n  - name: 没用到\n    all: [井盖]\n' >"$DIR/conditions/conditions.yaml"
printf '  - path: 市政管理/路灯\n    conditions: {5: [路灯坏], 4: [没用到]}\n' >>"$DIR/conditions/categories/chengxiang.yaml"
rules 0 coverage --rules "$DIR/conditions" "$DIR/data.tsv"
says '      2     1 of 2     categories/chengxiang.yaml:10  category 城乡建设/市政管理/路灯'
says '0 of 5 texts without a category:'
says '没用到 (城乡建设/市政管理/路灯)'
rules 0 check --rules "$DIR/conditions"

# ---- suggest ----
rules 0 suggest --rules "$SET" "$DIR/data.tsv"
says '5 rows, 2 wrong; with these keywords 0'
says '- 路灯  # repairs 2, breaks 0'
rules 0 suggest --rules "$SET" "$DIR/data.tsv" --json --weight 5
same "the keyword" '城乡建设 路灯 5 2 0' \
    "$(jq -r '.keywords[0] | "\(.category) \(.keyword) \(.weight) \(.repaired) \(.broken)"' "$DIR/out")"
# What it prints can be pasted.
"$JIESU" rules suggest --rules "$SET" "$DIR/data.tsv" | sed '/^[0-9]/d' >"$DIR/pasted"
cp -r "$SET" "$DIR/repaired"
cat "$DIR/pasted" >>"$DIR/repaired/categories/chengxiang.yaml"
rules 0 suggest --rules "$DIR/repaired" "$DIR/data.tsv"
says '5 rows, 0 wrong; with these keywords 0'
printf 'r6\t没有这一类\t\t路灯\nr7\n' >>"$DIR/data.tsv"
rules 1 suggest --rules "$SET" "$DIR/data.tsv"
complains 'line 7: its label is not a first-level category'
complains 'line 8: '

# ---- diff ----
head -n 6 "$DIR/data.tsv" >"$DIR/rows.tsv"
rules 0 diff "$SET" "$SET" --data "$DIR/rows.tsv"
says '0 of 5 verdicts would change'
rules 1 diff "$SET" "$DIR/repaired" --data "$DIR/rows.tsv"
says '2 of 5 verdicts would change: category 2, urgency 0, kind 0, tags 0, review 2'
says 'of 5 rows with a label, right: 3 before, 5 after'
says '      2  (no category) -> 城乡建设  (right: 0 before, 2 after)'
rules 1 diff "$SET" "$DIR/repaired" --data "$DIR/rows.tsv" --json
same "a changed verdict" 'r3 城乡建设' "$(jq -r '.verdicts[0] | "\(.id) \(.new.category)"' "$DIR/out")"

# ---- the shipped rules ----
rules 0 test --rules rules
cp -r rules "$DIR/shipped"
printf 'cases:\n  - text: 银杏路的路灯不亮\n    path: 城乡建设/城市建设和市政管理\n' >"$DIR/shipped/cases/added.yaml"
rules 0 test --rules "$DIR/shipped"
sed -i 's/路灯/路等/g' "$DIR"/shipped/categories/*.yaml
rules 1 test --rules "$DIR/shipped"
says 'added.yaml:2: FAILED'
"$JIESU" rules check --rules rules --json >"$DIR/out"
same "errors in the shipped rules" 0 "$(jq '.errors' "$DIR/out")"
