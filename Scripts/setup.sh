#!/usr/bin/env bash
# Installs what the project needs, and nothing that is there already.
#
# Usage: Scripts/setup.sh [build|demo|test]...     (no argument: all three)
#
#   build   what the Swift package links with
#   demo    an MQTT broker and the Python client that the example spouts use
#   test    protoc, podman and images for it (Scripts/test-image.sh), the brokers and databases that the examples
#           read, and the five Python environments of the tests (Scripts/python-env.sh)
#
# Debian packages are installed with apt-get, as root or with sudo. Elsewhere the script says what is missing and stops.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { echo "setup: $*"; }
fail() {
    echo "setup: $*" >&2
    exit 1
}

missing=()

# need PACKAGE TEST...: the Debian package is missing unless the test succeeds.
need() {
    local package="$1"
    shift
    "$@" >/dev/null 2>&1 || missing+=("$package")
}

# True if a header is where the compiler looks. The file behind -static is the package's too.
has_header() {
    local folder
    for folder in /usr/include /usr/local/include; do
        [[ -e "$folder/$1" ]] && return
    done
    return 1
}

has_command() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1"; }

has_postgresql() { compgen -G '/usr/lib/postgresql/*/bin/postgres'; }

need_build() {
    command -v swift >/dev/null || fail "no swift on the path: install Swift 6.1 or later from https://swift.org/install"
    need libsqlite3-dev has_header sqlite3.h
    need binutils has_command strip
}

need_demo() {
    need python3 has_command python3
    need mosquitto has_command mosquitto
    need mosquitto-clients has_command mosquitto_pub
    need python3-paho-mqtt /usr/bin/python3 -c 'import paho.mqtt.client'
}

need_test() {
    need protobuf-compiler has_command protoc
    need libprotobuf-dev has_header google/protobuf/wrappers.proto
    need python3-venv python3 -c 'import ensurepip, venv'
    need openssl has_command openssl
    need podman has_command podman
    need runc has_command runc
    need catatonit has_command catatonit
    need busybox-static has_command busybox
    need redis-server has_command redis-server
    need rabbitmq-server has_command rabbitmq-server
    need nats-server has_command nats-server
    need postgresql has_postgresql
    need iproute2 has_command ip
    need libpq-dev has_header postgresql/libpq-fe.h
    # Tells the package manager where Debian keeps what it says of libraries.
    need pkg-config has_command pkg-config
}

install_missing() {
    ((${#missing[@]})) || return 0
    say "installing ${missing[*]}"
    command -v apt-get >/dev/null || fail "no apt-get here; install these yourself: ${missing[*]}"
    local as_root=()
    if [[ "$(id -u)" != 0 ]]; then
        command -v sudo >/dev/null || fail "run as root: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    # RUNLEVEL: a package that brings a service does not start it, where its script of System V would.
    local quietly=(env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1)
    local install=("${quietly[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}")
    # The lists of a fresh machine are empty or old: read them anew only if the first try fails.
    "${as_root[@]}" "${install[@]}" >/dev/null 2>&1 && return
    "${as_root[@]}" apt-get update -qq || fail "apt-get update failed"
    "${as_root[@]}" "${install[@]}" >/dev/null || fail "apt-get could not install ${missing[*]}"
}

(($#)) || set -- build demo test
environments=false
for part in "$@"; do
    case "$part" in
        build) need_build ;;
        demo) need_demo ;;
        test)
            need_test
            environments=true
            ;;
        *) fail "unknown part '$part' (build, demo or test)" ;;
    esac
done
install_missing
if "$environments"; then
    Scripts/python-env.sh
    Scripts/test-image.sh
fi
