#!/usr/bin/env bash
# Makes the images that the tests run containers of; no registry is asked.
#
#   busybox   a static busybox and two users, nothing else
#   examples  the interpreter and the packages of .venv-examples: for the spouts of examples/ and those of pachyderm-sdk
#   legacy    the same with .venv-legacy: for spouts of python-pachyderm
#
# Usage: Scripts/test-image.sh [busybox|examples|legacy]...     (no argument: all three)
#
# Needs podman, runc, catatonit and busybox-static (Scripts/setup.sh test installs them), and for the last two also what
# Scripts/python-env.sh makes. Ends with status 0 also where podman cannot run containers, and says why: the tests of
# containers are left out then.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
image=localhost/spile-tests/busybox:latest
declare -A python_images=(
    [examples]=localhost/spile-tests/python:latest
    [legacy]=localhost/spile-tests/python-legacy:latest
)

say() { echo "test-image: $*"; }

# A machine inside of a machine has often neither crun nor the right to raise limits. For these tests alone.
configure() {
    local folder=/etc/containers/containers.conf.d
    [[ "$(id -u)" == 0 && ! -e "$folder/spile-tests.conf" ]] || return 0
    mkdir -p "$folder"
    cat >"$folder/spile-tests.conf" <<'END'
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
END
}

build_busybox() {
    local busybox folder applet
    busybox="$(command -v busybox || true)"
    [[ -n "$busybox" ]] || { say "there is no static busybox to make an image of"; exit 0; }
    folder="$(mktemp -d)"
    mkdir -p "$folder"/{bin,etc,tmp,usr/local/bin}
    cp "$busybox" "$folder/bin/busybox"
    for applet in $("$busybox" --list); do
        [[ "$applet" == busybox ]] || ln -s busybox "$folder/bin/$applet"
    done
    printf 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' >"$folder/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\n' >"$folder/etc/group"
    chmod 1777 "$folder/tmp"
    tar -C "$folder" -c . | podman import --change 'ENV IMAGE_SAYS=hello' --change 'WORKDIR /tmp' - "$image" >/dev/null
    rm -rf "$folder"
}

# What the image of an environment is made of: another list of packages or another interpreter makes another image.
python_mark() {
    { cat ".venv-$1/.installed" Scripts/python-image.py && readlink -f ".venv-$1/bin/python"; } | sha256sum | cut -c 1-16
}

build_python() {
    local name="$1" mark="$2" folder
    folder="$(mktemp -d)"
    ".venv-$name/bin/python" Scripts/python-image.py "$folder"
    tar -C "$folder" -c . | podman import --change "LABEL io.spile.tests.mark=$mark" \
        --change 'ENV PYTHONPATH=/opt/packages' --change 'ENV PATH=/usr/bin' - "${python_images[$name]}" >/dev/null
    rm -rf "$folder"
}

make_busybox() {
    podman image exists "$image" 2>/dev/null || build_busybox
    local reason
    if ! reason="$(podman run --rm --init --network host --log-driver none "$image" true 2>&1)"; then
        podman image rm --force "$image" >/dev/null 2>&1 || true
        say "podman cannot run containers here; tests of containers are left out: $reason"
        exit 0
    fi
}

make_python() {
    local name="$1" mark label='{{index .Labels "io.spile.tests.mark"}}'
    local made="${python_images[$name]}"
    [[ -e ".venv-$name/.installed" ]] || { say "there is no .venv-$name: run Scripts/python-env.sh" >&2; exit 1; }
    mark="$(python_mark "$name")"
    [[ "$(podman image inspect --format "$label" "$made" 2>/dev/null)" == "$mark" ]] && return
    say "making $made"
    build_python "$name" "$mark"
}

if ! command -v podman >/dev/null; then
    say "there is no podman: tests of containers are left out"
    exit 0
fi
configure
(($#)) || set -- busybox examples legacy
for name in "$@"; do
    case "$name" in
        busybox) make_busybox ;;
        examples | legacy) make_python "$name" ;;
        *)
            say "unknown image '$name' (busybox, examples or legacy)" >&2
            exit 2
            ;;
    esac
done
