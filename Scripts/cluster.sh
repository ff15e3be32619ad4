#!/usr/bin/env bash
# Several servers on one PostgreSQL and one S3 store, under fire: docs/TESTING.md, "Several servers under fire".
#
# Usage: Scripts/cluster.sh [PART]...     (no argument: tools and fire)
#
#   tools     the tests of the harness itself
#   fire      writers, and servers, store and database that are disturbed; CLUSTER_SECONDS=600 for the long form
#   scale     how much more two and three servers take in than one
#   network   servers and spouts in network namespaces, with links that lose, delay and part; as root
#
# SPILE_BIN names a server that is built with the trait PostgreSQL; without it one is built: a release where
# `scale` is asked for, else a debug build. PYTEST is given to pytest.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

Scripts/python-env.sh sdk
Scripts/python-env.sh s3

python=.venv-sdk/bin/python
pytest=("$python" -m pytest -q -s -p no:cacheprovider)
read -r -a more <<<"${PYTEST:-}"

(($#)) || set -- tools fire
if [[ -z "${SPILE_BIN:-}" ]]; then
    options=(--traits PostgreSQL --product spile)
    # A folder of its own, as deploy/image.sh has.
    [[ " $* " == *" scale "* ]] && options+=(-c release --scratch-path .build-postgresql --static-swift-stdlib)
    swift build "${options[@]}"
    SPILE_BIN="$(swift build "${options[@]}" --show-bin-path)/spile"
    export SPILE_BIN
fi
for part in "$@"; do
    case "$part" in
        tools) "${pytest[@]}" Tests/cluster/test_{proxy,report,checks}.py "${more[@]}" ;;
        fire) "${pytest[@]}" Tests/cluster/test_fire.py "${more[@]}" ;;
        scale) "$python" Tests/cluster/scale.py ;;
        # In a namespace of its own, so that nothing of this machine's network changes.
        network) unshare --net "${pytest[@]}" Tests/cluster/test_network.py "${more[@]}" ;;
        *)
            echo "cluster: unknown part '$part' (tools, fire, scale or network)" >&2
            exit 2
            ;;
    esac
done
