#!/bin/bash
# chaos/mutant.sh DIR: builds in DIR an engine whose dispatcher is broken on purpose: it takes every Redis for the one it
# knew, and so never replays what a restarted Redis may have forgotten. Prints the path of the program.
set -eu
cd "$(dirname "$0")/../.."
dir=$1
B=$(cd "${B:-build}" && pwd)
mkdir -p "$dir"
cp -r engine classifiers rules scripts Makefile "$dir/"
# The build tree comes along, so that only the broken file is compiled.
mkdir -p "$dir/build"
cp -r "$B/engine" "$B/classifiers" "$B/gen" "$B/lib" "$B/llhttp" "$B/.bootstrap" "$B/.flags" "$dir/build/"
# One moment for all of it: nothing that was built is older than what it was built of.
touch "$dir/copied"
find "$dir/build" -exec touch -r "$dir/copied" {} +
sed -i 's/d->known && fingerprint\.hi == d->fingerprint\.hi && fingerprint\.lo == d->fingerprint\.lo/d->known/' \
    "$dir/engine/store/dispatch.c"
if cmp -s "$dir/engine/store/dispatch.c" engine/store/dispatch.c; then
    echo "mutant.sh: the line to break is not in engine/store/dispatch.c any more" >&2
    exit 1
fi
make -C "$dir" B=build build/jiesu >"$dir/log" 2>&1 || {
    tail -n 20 "$dir/log" >&2
    exit 1
}
echo "$dir/build/jiesu"
