#!/bin/bash
# `make install`: a program that finds its rules, and an upgrade that leaves alone what a street has changed. And what
# the Makefile builds anew when it is given other flags.
. tests/system/lib.sh

share=$DIR/root/usr/local/share/jiesu
install() { make -s B="$B" DESTDIR="$DIR/root" install >"$DIR/out" 2>&1 || fail "make install: $(cat "$DIR/out")"; }

install
same "the program" "$("$JIESU" --version)" "$("$DIR/root/usr/local/bin/jiesu" --version)"
diff -r rules "$share/rules" || fail "other rules were installed"
install
[ ! -e "$share/rules.new" ] || fail "rules that are the same were put beside the others"

sed -i 's/^default: .*/&  # ours/' "$share/rules/kinds.yaml"
rm -r "$share/rules/directory"
cp -r "$share/rules" "$DIR/ours"
install
diff -r "$DIR/ours" "$share/rules" || fail "rules that were changed were not kept"
diff -r rules "$share/rules.new" || fail "the new rules are not beside them"
grep -q "were kept; those of this version are in $share/rules.new" "$DIR/out" || fail "not said: $(cat "$DIR/out")"

# Built anew with other flags, and only then. (A sanitizer decides MALLOC by itself.)
one() { make B="$DIR/b" SAN= "$DIR/b/engine/base/span.o" "$@" 2>&1; }
export MAKEFLAGS=
one | grep -q 'cc .*span.c' || fail "not built"
one | grep -q 'cc .*span.c' && fail "built twice"
one MALLOC=libc | grep -q 'cc .*span.c' || fail "not built anew with MALLOC=libc"
one PREFIX=/opt MALLOC=libc | grep -q 'cc .*span.c' || fail "not built anew with another PREFIX"
one PREFIX=/opt MALLOC=libc | grep -q 'cc .*span.c' && fail "built twice with the same flags"
exit 0
