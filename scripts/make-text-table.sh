#!/bin/sh
# make-text-table.sh GENERATOR: prints the C header with the tables of text normalisation. The generator
# knows Unicode (utf8proc); traditional and simplified come from OpenCC's own dictionaries of characters,
# which lie in OPENCC_DATA (/usr/share/opencc).
set -eu
generator=$1
data=${OPENCC_DATA:-/usr/share/opencc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for name in TSCharacters STCharacters TWVariants HKVariants; do
    opencc_dict -i "$data/$name.ocd2" -f ocd2 -o "$work/$name" -t text
done
"$generator" "$work/TSCharacters" "$work/STCharacters" "$work/TWVariants" "$work/HKVariants"
