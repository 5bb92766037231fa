#!/bin/sh
# embed.sh NAME FILE: prints a C header that holds FILE's bytes as `static const char NAME[]`, with a NUL.
set -eu
printf '/* Made from %s; do not edit. */\n#ifndef JIESU_GEN_%s\n#define JIESU_GEN_%s\n' "$2" "$1" "$1"
printf 'static const char %s[] = {\n' "$1"
od -An -v -tu1 "$2" | sed 's/\([0-9][0-9]*\)/\1,/g'
printf '0};\n#endif\n'
