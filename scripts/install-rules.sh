#!/bin/bash
# install-rules.sh RULES FOLDER: copies the rules to FOLDER/rules. Where there are some already, which a
# street has made its own, they stay as they are, and those of this version go to FOLDER/rules.new.
set -eu
rules=$1 folder=$2
rm -rf "$folder/rules.new"
if [ ! -e "$folder/rules" ]; then
    cp -r "$rules" "$folder/rules"
elif ! diff -rq "$rules" "$folder/rules" >/dev/null; then
    cp -r "$rules" "$folder/rules.new"
    echo "the rules in $folder/rules were kept; those of this version are in $folder/rules.new"
    echo "what the change would do: jiesu rules diff $folder/rules $folder/rules.new --data FILE.tsv"
fi
