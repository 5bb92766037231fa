#!/bin/bash
# bootstrap.sh [GROUP...]: installs the Debian packages that a target needs and that are missing.
#
# Groups: build (the default), check, fuzz, bench. It is idempotent, prints nothing when nothing is missing,
# and uses sudo when it is not run by root. Debian 12 is what the project is built for.
set -eu

build="gcc g++ make pkg-config libuv1-dev libhiredis-dev libpcre2-dev libjemalloc-dev node-llhttp
 libsimdjson-dev libyaml-dev liblinear-dev libsqlite3-dev libutf8proc-dev opencc libxxhash-dev redis-server
 libcurl4-openssl-dev libssl-dev ca-certificates openssl libcmocka-dev curl jq procps sqlite3"
check="clang clang-format clang-tidy cppcheck libclang-rt-14-dev libhyperscan-dev"
fuzz="clang libclang-rt-14-dev llvm"
bench="libhyperscan-dev nodejs"

want=""
[ $# -gt 0 ] || set -- build
for group in "$@"; do
    case $group in
    build) want="$want $build" ;;
    check) want="$want $check" ;;
    fuzz) want="$want $fuzz" ;;
    bench)
        want="$want $bench"
        # Node may have come without Debian's packages, npm with it.
        command -v node >/dev/null && want=${want% nodejs}
        command -v npm >/dev/null || want="$want npm"
        ;;
    *)
        echo "bootstrap.sh: unknown group '$group'; the groups are build, check, fuzz, bench" >&2
        exit 64
        ;;
    esac
done

missing=""
for package in $want; do
    status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "bootstrap.sh: missing:$missing; this system has no apt-get, install them by hand" >&2
    exit 69
fi
root=""
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "bootstrap.sh: missing:$missing; run it as root, or install sudo" >&2
        exit 69
    fi
    root="sudo"
fi
echo "installing:$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # the lists are meant to be split
if ! { $root apt-get update -qq &&
    $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        $missing; } >"$log" 2>&1; then
    cat "$log" >&2
    echo "bootstrap.sh: apt-get failed; what it said stands above" >&2
    exit 69
fi
