#!/usr/bin/env bash
# Compares Protos/ with the recorded wire contract, Tests/Wire/wire.tsv.
#
# Usage: Scripts/check-wire.sh [arguments of Tests/Wire/check_wire.py: services, --coverage, ...]
#
# Exit status: 0 no difference, 1 something is missing or differs, 2 the check itself could not run.
# PROTOS names another folder to compare, in place of Protos/.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
protos="${PROTOS:-$root/Protos}"
python="$root/.venv-sdk/bin/python"

fail() {
    echo "check-wire: $*" >&2
    exit 2
}

command -v protoc >/dev/null || fail "no protoc on the path; on Debian: apt-get install protobuf-compiler"
[[ -x "$python" ]] || python="$(command -v python3)" || fail "no python3 on the path"
"$python" -c "import google.protobuf" 2>/dev/null ||
    fail "$python lacks the protobuf package; Scripts/python-env.sh sdk provides one that has it"

[[ -d "$protos" ]] || fail "there is no folder $protos"
mapfile -t files < <(cd "$protos" && find . -name '*.proto' -printf '%P\n' | LC_ALL=C sort)
[[ ${#files[@]} -gt 0 ]] || fail "no .proto file under $protos"

descriptors="$(mktemp)"
trap 'rm -f "$descriptors"' EXIT
protoc -I "$protos" --include_imports --descriptor_set_out="$descriptors" "${files[@]}" ||
    fail "protoc does not accept the files under $protos"

"$python" "$root/Tests/Wire/check_wire.py" "$root/Tests/Wire/wire.tsv" "$descriptors" "$@"
