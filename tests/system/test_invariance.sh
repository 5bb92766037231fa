#!/bin/bash
# A complaint keeps its first-level category when it is written in traditional script (three standards of OpenCC),
# or with noise between its characters: in 99 of 100 rows of the dev set, at the least.
. tests/system/lib.sh
DATA=${DATA:-../shared/data}
dev=$DATA/complaints_dev.tsv
[ -r "$dev" ] || skip "no $dev"
for tool in opencc perl; do
    command -v $tool >/dev/null || skip "no $tool"
done

# add_noise: between two Han characters, with a chance of one in three, one to three of the list; ASCII becomes
# full width with a chance of one in two. The same every time: the generator of Park and Miller (1988).
add_noise() {
    perl -CSD -Mutf8 -ne '
        BEGIN {
            $seed = 20;
            @noise = (" ", "  ", "　", "\x{200B}", "\x{FEFF}", "😀", "👍🏽", "❤️", "★", "→", "*", "＊", "·", "•", "_",
                      "＿", "-", "－", "~", "～", "|", "｜", "/", "／");
        }
        sub draw { $seed = $seed * 16807 % 2147483647; return $seed % $_[0]; }
        s/([!-~])/draw(2) ? $1 : chr(ord($1) + 0xFEE0)/ge;
        sub noise { return draw(3) ? "" : join("", map { $noise[draw(24)] } 0 .. draw(3)); }
        s/([\x{4E00}-\x{9FFF}])(?=[\x{4E00}-\x{9FFF}])/$1 . noise()/ge;
        print;'
}

# first_levels FILE: one line for each complaint.
first_levels() {
    "$JIESU" classify --rules rules --json "$1" | jq -r '(.category // "(none)") | split("/")[0]'
}

tail -n +2 "$dev" | cut -f 3,4 >"$DIR/plain"
rows=$(wc -l <"$DIR/plain")
first_levels "$DIR/plain" >"$DIR/plain.levels"
same "verdicts" "$rows" "$(wc -l <"$DIR/plain.levels")"
for form in s2t s2tw s2hk noise; do
    if [ $form = noise ]; then
        add_noise <"$DIR/plain" >"$DIR/$form"
    else
        opencc -c $form.json -i "$DIR/plain" -o "$DIR/$form" || fail "opencc -c $form.json"
    fi
    cmp -s "$DIR/plain" "$DIR/$form" && fail "$form changed nothing"
    first_levels "$DIR/$form" >"$DIR/$form.levels"
    paste "$DIR/plain.levels" "$DIR/$form.levels" | awk -F '\t' -v form=$form -v rows="$rows" '
        $1 == $2 { kept++ }
        END {
            printf "%-5s %.2f %% of %d rows keep their first-level category\n", form, 100 * kept / rows, rows
            exit !(NR == rows && kept >= 0.99 * rows)
        }' || fail "$form changes too many verdicts"
done
