#!/usr/bin/env bash
# Makes the image that the tests run containers of: a static busybox and two users, nothing else; no registry is asked.
#
# Usage: Scripts/test-image.sh
#
# Needs podman, runc, catatonit and busybox-static (Scripts/setup.sh test installs them). Ends with status 0 also where
# podman cannot run containers, and says why: the tests of containers are left out then.
set -euo pipefail

image=localhost/spile-tests/busybox:latest

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

build() {
    local folder
    folder="$(mktemp -d)"
    mkdir -p "$folder"/{bin,etc,tmp,usr/local/bin}
    cp "$1" "$folder/bin/busybox"
    local applet
    for applet in $("$1" --list); do
        [[ "$applet" == busybox ]] || ln -s busybox "$folder/bin/$applet"
    done
    printf 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' >"$folder/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\n' >"$folder/etc/group"
    chmod 1777 "$folder/tmp"
    tar -C "$folder" -c . | podman import --change 'ENV IMAGE_SAYS=hello' --change 'WORKDIR /tmp' - "$image" >/dev/null
    rm -rf "$folder"
}

if ! command -v podman >/dev/null; then
    say "there is no podman: tests of containers are left out"
    exit 0
fi
configure
busybox="$(command -v busybox || true)"
if ! podman image exists "$image" 2>/dev/null; then
    [[ -n "$busybox" ]] || { say "there is no static busybox to make an image of"; exit 0; }
    build "$busybox"
fi
if ! reason="$(podman run --rm --init --network host --log-driver none "$image" true 2>&1)"; then
    podman image rm --force "$image" >/dev/null 2>&1 || true
    say "podman cannot run containers here; tests of containers are left out: $reason"
fi
