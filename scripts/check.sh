#!/bin/bash
# check.sh: what `make check` runs: format, floors, headers that compile alone, clang, cppcheck, clang-tidy.
# Ends with "N passed, N failed".
set -u
cd "$(dirname "$0")/.."
B=${B:-build}
scripts/bootstrap.sh build check || exit
passed=0 failed=0
mkdir -p "$B/check"

run() {
    local name=$1 log="$B/check/$1.log" start
    shift
    start=$(date +%s)
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
        printf 'ok    %-20s %4d s\n' "$name" $(($(date +%s) - start))
    else
        failed=$((failed + 1))
        printf 'FAIL  %s; the end of %s:\n' "$name" "$log"
        tail -n 40 "$log" | sed 's/^/      /'
    fi
}

sources() { find engine classifiers bench tests -name '*.c' -not -path '*/node_modules/*' | sort; }
headers() { find engine classifiers bench tests -name '*.h' -not -path '*/node_modules/*' | sort; }

flags="-std=c17 -I. -I$B/gen -D_GNU_SOURCE -DJIESU_VERSION=\"0\" -DJIESU_MALLOC=\"jemalloc\"
 -DJIESU_SHARE=\"/usr/local/share/jiesu\" -isystem /usr/share/include/llhttp"

check_format() {
    { sources; headers; find engine -name '*.cc'; } | xargs clang-format --dry-run -Werror
}

check_headers() {
    local h bad=0
    for h in $(headers); do
        # shellcheck disable=SC2086
        printf '#include "%s"\n#include "%s"\n' "$h" "$h" |
            gcc $flags -Wall -Wextra -Werror -fsyntax-only -x c - || bad=1
    done
    return $bad
}

# Every source once more with clang, all warnings errors: gcc has done it by building.
check_clang() {
    # shellcheck disable=SC2086
    sources | grep -v '^tests/fuzz/' | xargs -P "$(nproc)" -n 4 clang $flags -O1 -Wall -Wextra -Wshadow -Wconversion \
        -Werror -fsyntax-only
}

check_cppcheck() {
    # shellcheck disable=SC2086
    cppcheck -q -j "$(nproc)" --std=c11 --error-exitcode=1 --inline-suppr --enable=warning,portability \
        --suppressions-list=.cppcheck -I. -I"$B/gen" -D_GNU_SOURCE -DJIESU_VERSION='"0"' \
        -DJIESU_MALLOC='"jemalloc"' -DJIESU_SHARE='"/x"' engine classifiers bench
}

check_tidy() {
    # shellcheck disable=SC2086
    find engine classifiers bench -name '*.c' -not -path '*/node_modules/*' | sort |
        xargs -P "$(nproc)" -n 1 sh -c 'clang-tidy --quiet "$@" -- '"$(printf '%s' "$flags" | tr '\n' ' ' | sed 's/"/\\"/g')" tidy
}

check_shell() { find scripts tests bench .ci -name '*.sh' -not -path '*/node_modules/*' -print0 | xargs -0 -n 1 bash -n && bash -n .ci/run; }

run format check_format
run layers scripts/check-layers.sh
run headers check_headers
run shell check_shell
run clang check_clang
run cppcheck check_cppcheck
run clang-tidy check_tidy
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
