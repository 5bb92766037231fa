#!/bin/bash
# check-layers.sh: arrows point down only, and every dependency is wrapped once.
#
# A file may include headers of its own folder and of the folders that its floor may see; a third-party
# header only where the table allows it. Prints each violation as file:line and exits 1 when there is one.
set -eu
cd "$(dirname "$0")/.."

# folder | folders it may include | third-party headers it alone may include (extended regex)
table='
engine/base|engine/base|jemalloc/.*|xxhash\.h|sanitizer/.*|openssl/.*
classifiers|classifiers engine/base|pcre2\.h|yaml\.h|linear\.h
engine/model|engine/model classifiers engine/base|-
engine/http|engine/http engine/base|llhttp\.h|simdjson\.h|curl/curl\.h|uv\.h
engine/store|engine/store engine/model classifiers engine/base|hiredis/.*|sqlite3\.h|uv\.h
engine/api|engine/api engine/http engine/store engine/model classifiers engine/base|uv\.h
engine/app|engine/app engine/api engine/http engine/store engine/model classifiers engine/base|uv\.h
engine/cli|engine/cli engine/app engine/api engine/http engine/store engine/model classifiers engine/base|getopt\.h|uv\.h
'
# What C17 and POSIX give to every floor.
system='(assert|ctype|endian|errno|fcntl|float|inttypes|limits|math|poll|pthread|sched|setjmp|signal|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|string|strings|time|unistd|dirent|ftw|netdb|glob)\.h|(sys|arpa|netinet|net)/[a-z_]+\.h|immintrin\.h|[a-z_]+'

bad=0
while IFS='|' read -r folder may third; do
    [ -n "$folder" ] || continue
    third=$(printf '%s' "$third" | sed 's/^-$/^$/')
    while IFS=: read -r file line text; do
        name=$(printf '%s' "$text" | sed -E 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]([^>"]*)[>"].*/\1/')
        case $text in
        *\"*)
            dir=${name%/*}
            case " $may gen " in
            *" $dir "*) continue ;;
            esac
            # Headers made by the build stand in build/gen, which is no folder of the tree.
            case $name in
            text_table.h | functions_lua.h) continue ;;
            esac
            echo "$file:$line: $folder must not include \"$name\""
            ;;
        *)
            printf '%s' "$name" | grep -Eqx "$system" && continue
            printf '%s' "$name" | grep -Eqx "$third" && continue
            echo "$file:$line: $folder must not include <$name>"
            ;;
        esac
        bad=1
    done < <(find "$folder" -maxdepth 1 \( -name '*.c' -o -name '*.h' -o -name '*.cc' \) -print0 |
        xargs -0 -r grep -nHE '^[[:space:]]*#[[:space:]]*include' || true)
done < <(printf '%s\n' "$table")

# simdjson is C++ and stays in one file.
shims=$(grep -rl --include='*.c' --include='*.cc' --include='*.h' 'simdjson\.h' engine classifiers | wc -l)
if [ "$shims" -gt 1 ]; then
    echo "simdjson.h is included by $shims files; one shim may"
    bad=1
fi
exit $bad
