#!/usr/bin/env bash
# Generates the Swift in Sources/API/ from the .proto files in Protos/.
#
# Usage: Scripts/generate-protos.sh
#
# Run it after any change under Protos/ and commit the result: building Spile needs neither protoc nor the plugins.
# The target API holds nothing written by hand, so the script empties the folder first.
#
# Needs protoc, git and swift. The two plugins are built once, at the versions below, and kept in a folder:
#   BUILD_TOOLS   that folder (default: .build-tools/ at the root of the repository)
set -euo pipefail

swift_protobuf_version=1.39.0
grpc_swift_protobuf_version=2.4.1

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
tools="${BUILD_TOOLS:-$root/.build-tools}"
output="$root/Sources/API"

fail() {
    echo "generate-protos: $*" >&2
    exit 1
}

for command in protoc git swift; do
    command -v "$command" >/dev/null || fail "no $command on the path"
done

# build_plugin REPOSITORY VERSION PRODUCT: leaves the executable at $tools/PRODUCT-VERSION.
build_plugin() {
    local repository="$1" version="$2" product="$3"
    local plugin="$tools/$product-$version" checkout="$tools/checkout/$product-$version"

    [[ -x "$plugin" ]] && return
    echo "generate-protos: building $product $version (once)"
    mkdir -p "$tools/checkout"
    rm -rf "$checkout"
    git clone --quiet --depth 1 --branch "$version" "$repository" "$checkout" ||
        fail "cannot fetch $repository at $version"
    swift build --package-path "$checkout" -c release --product "$product" ||
        fail "cannot build $product"
    cp "$checkout/.build/release/$product" "$plugin"
    rm -rf "$checkout"
}

build_plugin https://github.com/apple/swift-protobuf "$swift_protobuf_version" protoc-gen-swift
build_plugin https://github.com/grpc/grpc-swift-protobuf "$grpc_swift_protobuf_version" protoc-gen-grpc-swift-2

cd "$root/Protos"
mapfile -t files < <(find . -name '*.proto' -printf '%P\n' | LC_ALL=C sort)
mapfile -t services < <(grep -l '^service ' "${files[@]}")

# All generated files lie in one folder under their proto's own name, so two protos must not share one.
twins="$(printf '%s\n' "${files[@]##*/}" | sort | uniq -d)"
[[ -z "$twins" ]] || fail "two .proto files share a name: $twins"

# Generate beside the target first: a failure must not leave it half empty.
fresh="$(mktemp -d)"
trap 'rm -rf "$fresh"' EXIT

protoc -I . "${files[@]}" \
    --plugin="protoc-gen-swift=$tools/protoc-gen-swift-$swift_protobuf_version" \
    --swift_out="$fresh" \
    --swift_opt=Visibility=Package,FileNaming=DropPath

protoc -I . "${services[@]}" \
    --plugin="protoc-gen-grpc-swift-2=$tools/protoc-gen-grpc-swift-2-$grpc_swift_protobuf_version" \
    --grpc-swift-2_out="$fresh" \
    --grpc-swift-2_opt=Visibility=Package,Client=true,Server=true,FileNaming=DropPath

mkdir -p "$output"
rm -f "$output"/*.swift
cp "$fresh"/*.swift "$output"/
echo "generate-protos: wrote $(find "$output" -name '*.swift' | wc -l) files to Sources/API/"
