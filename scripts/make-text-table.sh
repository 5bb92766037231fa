#!/bin/sh
# make-text-table.sh GENERATOR: prints the C header with the tables of text normalisation. The generator
# knows Unicode (utf8proc); traditional to simplified comes from OpenCC's own dictionaries, asked here with
# one Chinese character per line, so that no phrase rule applies.
set -eu
generator=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$generator" chars >"$work/chars"
for config in t2s tw2s hk2s; do
    opencc -c "$config.json" -i "$work/chars" -o "$work/$config"
done
"$generator" table "$work/chars" "$work/t2s" "$work/tw2s" "$work/hk2s"
