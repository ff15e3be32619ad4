#!/usr/bin/env bash
# Builds a container image of the server.
#
# Usage: deploy/image.sh [static|postgresql] [NAME]     (no argument: static, spile:latest)
#
#   static      the program of `make build`, in an image without anything else; also what --kubernetes-image names
#   postgresql  a program built here with the trait PostgreSQL, on Debian (NAME: spile-postgresql:latest)
#
# BUILDER names the command (default: podman, or else docker). The authorities that web and S3 servers' certificates have to
# come from are those of this machine, in the static image; Debian's in the other.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
    echo "image: $*" >&2
    exit 1
}

kind="${1:-static}"
builder="${BUILDER:-$(command -v podman || command -v docker || true)}"
[[ -n "$builder" ]] || fail "there is neither podman nor docker; name the command with BUILDER"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder"/root/usr/local/bin "$folder"/root/tmp "$folder"/data
chmod 755 "$folder"
chmod 1777 "$folder/root/tmp"

case "$kind" in
    static)
        file=deploy/Containerfile name="${2:-spile:latest}"
        [[ -x bin/spile ]] || fail "there is no bin/spile: run make build"
        authorities=/etc/ssl/certs/ca-certificates.crt
        [[ -r "$authorities" ]] || fail "there is no $authorities: install ca-certificates"
        mkdir -p "$folder/root/etc/ssl/certs"
        cp "$authorities" "$folder/root$authorities"
        cp bin/spile "$folder/root/usr/local/bin/spile"
        ;;
    postgresql)
        file=deploy/Containerfile.postgresql name="${2:-spile-postgresql:latest}"
        options=(-c release --static-swift-stdlib --traits PostgreSQL --product spile --scratch-path .build-postgresql)
        swift build "${options[@]}"
        strip --strip-unneeded -o "$folder/root/usr/local/bin/spile" \
            "$(swift build "${options[@]}" --show-bin-path)/spile"
        ;;
    *) fail "unknown kind '$kind' (static or postgresql)" ;;
esac
ln "$folder/root/usr/local/bin/spile" "$folder/root/usr/local/bin/pachctl"
"$builder" build --tag "$name" --file "$file" "$folder"
