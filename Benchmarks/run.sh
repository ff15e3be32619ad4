#!/usr/bin/env bash
# Builds the measuring program and measures bin/spile with it. Usage: Benchmarks/run.sh [--quick] [--full] [--only NAME]
# [--runs N] [--data DIR] [--wait SECONDS]. docs/BENCHMARKS.md says how to read what it prints.
set -euo pipefail
from="$PWD"
cd "$(dirname "$0")/.."

data="$PWD/.build-bench"
words=()
while [ $# -gt 0 ]; do
    case "$1" in
        --data) data="${2:?--data needs a folder}"; shift 2 ;;
        --data=*) data="${1#--data=}"; shift ;;
        *) words+=("$1"); shift ;;
    esac
done
case "$data" in
    /*) ;;
    *) data="$from/$data" ;;
esac
server="${SPILE_SERVER:-bin/spile}"
if [ ! -x "$server" ]; then
    echo "there is no $server: run \`make build\` first" >&2
    exit 1
fi

# The flags and the folder of `make build`, so that what both need is built once.
build=(swift build -c release --static-swift-stdlib -Xswiftc -static-executable
    --product spile-bench --scratch-path .build-static)
"${build[@]}" >&2
program="$("${build[@]}" --show-bin-path)/spile-bench"

mkdir -p "$data"
folder="$(mktemp -d "$data/run-XXXXXX")"
trap 'rm -rf "$folder"; rmdir "$data" 2>/dev/null || true' EXIT
"$program" --data "$folder" --server "$server" "${words[@]}"
