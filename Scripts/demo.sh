#!/usr/bin/env bash
# The main job on real input: a broker's messages land as versioned commits, and the count is proved at the end.
#
# Usage: Scripts/demo.sh       (Ctrl-C ends it: the count is checked and everything is stopped; a second one at once)
#
#   DEMO_SECONDS=N   ends by itself after N seconds; status 1 if a message is missing, doubled or differs
#   DEMO_FOLDER=DIR  keeps its data there (default: .demo); a further run on the same folder continues on it
#   DEMO_RATE=N      messages per second (default: 10)
#   DEMO_KILL=1      kills every spout with SIGKILL halfway through (needs DEMO_SECONDS)
#   SPILE_BIN=FILE   uses this binary (default: bin/spile, which is built if it is missing)
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

Scripts/setup.sh demo
# The second example needs Python packages that Debian does not have; without them it is left out.
Scripts/python-env.sh sdk || echo "demo: no Python packages for the second example: going on without it"

if [[ -z "${SPILE_BIN:-}" && ! -x bin/spile ]]; then
    echo "demo: building bin/spile, which takes some minutes the first time"
    make build
fi
exec python3 -u Tests/demo/demo.py
