#!/usr/bin/env bash
# All tests, one step after another. A step that fails does not stop the others; the last lines list what failed.
#
# Usage: Scripts/test.sh [STEP]...     (no argument: all of them)
#
#   build       bin/spile, the static release binary
#   unit        swift test, with PostgreSQL; servers that it starts as programs are bin/spile too, if that is there
#   wire        the wire contract against the generated messages
#   sdk         programs of pachyderm-sdk          (they run against bin/spile, or $SPILE_BIN)
#   legacy      programs of python-pachyderm
#   cli         shell programs of pachctl
#   containers  spouts in containers, where podman works
#   kubernetes  manifests, the chart, and servers that run pods, at a cluster of the tests' own, where podman works
#   examples    the spouts of examples/ against real brokers and databases, as processes and in containers;
#               EXAMPLE_ROUNDS=20 for the long form
#   cluster     three servers on one PostgreSQL and one S3 store, disturbed for a minute; they are $SPILE_BIN, which has to
#               have PostgreSQL in it, or a debug build with that; make cluster for the long form
#   demo        make demo for 15 seconds, and once more on the same data with its spouts killed on the way
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

declare -a report=()
failures=0

step() {
    local name="$1" start="$SECONDS" status=0
    shift
    printf '\n=== %s: %s\n' "$name" "$*"
    "$@" || status=$?
    if ((status == 0)); then
        report+=("passed  $name ($((SECONDS - start)) s)")
    else
        report+=("FAILED  $name ($((SECONDS - start)) s, status $status)")
        failures=$((failures + 1))
    fi
    return "$status"
}

finish() {
    printf '\n=== result\n'
    ((${#report[@]})) && printf '%s\n' "${report[@]}"
    if ((failures)); then
        echo "$failures step(s) failed"
        exit 1
    fi
    echo "all passed"
    exit 0
}

# clients ENVIRONMENT FILE...
# shellcheck disable=SC2317  # called through `step`
clients() {
    local environment="$1"
    shift
    ".venv-$environment/bin/python" -m pytest -q -p no:cacheprovider "$@"
}

# Servers that are killed and started again are those that users run. A debug build also stops where the HTTP/2 library
# asserts in vain: docs/TESTING.md.
# shellcheck disable=SC2317  # called through `step`
unit() {
    local binary="${SPILE_BIN:-}"
    [[ -n "$binary" || ! -x bin/spile ]] || binary="$PWD/bin/spile"
    # All at once would need more open files than Foundation can start a program with (docs/TESTING.md).
    SPILE_BIN="$binary" SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH="${UNIT_WIDTH:-64}" swift test --traits PostgreSQL
}

# Twice: the second run has to find the first one's data and go on from there, and its spouts are killed on the way.
# shellcheck disable=SC2317  # called through `step`
demo() {
    local folder status=0
    folder="$(mktemp -d)"
    {
        DEMO_FOLDER="$folder" DEMO_SECONDS=15 Scripts/demo.sh &&
            DEMO_FOLDER="$folder" DEMO_SECONDS=8 DEMO_KILL=1 Scripts/demo.sh
    } || status=$?
    rm -rf "$folder"
    return "$status"
}

# shellcheck disable=SC2317  # called through `step`
cluster() {
    CLUSTER_WRITERS=32 CLUSTER_SECONDS=30 CLUSTER_HOLD=1-2 CLUSTER_CALM=0.5-1.5 Scripts/cluster.sh
}

(($#)) || set -- build unit wire sdk legacy cli containers kubernetes examples cluster demo
step setup Scripts/setup.sh || finish

for name in "$@"; do
    case "$name" in
        # Without a binary the remaining steps would only say so once more.
        build) step build make build || finish ;;
        unit) step unit unit || true ;;
        wire) step wire Scripts/check-wire.sh || true ;;
        sdk) step sdk clients sdk Tests/clients/test_sdk*.py Tests/clients/test_metrics.py \
            Tests/clients/test_tls.py || true ;;
        legacy) step legacy clients legacy -rs Tests/clients/test_legacy*.py || true ;;
        cli) step cli clients sdk Tests/clients/test_cli*.py || true ;;
        containers) step containers clients sdk -rs Tests/clients/test_containers.py || true ;;
        kubernetes) step kubernetes clients kubernetes -rs Tests/kubernetes || true ;;
        examples) step examples clients examples -rs Tests/examples || true ;;
        cluster) step cluster cluster || true ;;
        demo) step demo demo || true ;;
        *)
            echo "test: unknown step '$name'" >&2
            exit 2
            ;;
    esac
done
finish
