#!/bin/sh
# Fetches ONNX's own backend tests, which the PyPI package `onnx` carries, and prints their folder.
# Quick when they are there. The newest package is not it: 1.23 no longer carries the data.
set -eu

version=1.22.0
wheel=onnx-$version-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl
sha256=1d0a2bdb15eb2b3cb65c438f3423d9620d14fdce32f92380e6bb1b2e09568ef5
cache=${ASSAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/assay}
folder=$cache/onnx-tests-$version

if [ ! -d "$folder" ]; then
    echo "fetch.sh: downloading ONNX's backend tests, 19 MB (they test the engine)" >&2
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/onnx-tests.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    # Data only, so this one wheel serves every machine, whatever its own Python and processor.
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 \
        --python-version 3.11 --implementation cp --abi cp311 \
        --dest "$work" "onnx==$version" >&2 || {
        echo "fetch.sh: cannot download onnx $version from PyPI; check the network, and that python3 has pip" >&2
        exit 1
    }
    echo "$sha256  $work/$wheel" | sha256sum --check --quiet >&2 || {
        echo "fetch.sh: $wheel is not the file this script was written for; do not use it" >&2
        exit 1
    }
    python3 - "$work" "$wheel" <<'PYTHON'
import sys, zipfile
folder, wheel = sys.argv[1:]
with zipfile.ZipFile(f"{folder}/{wheel}") as archive:
    archive.extractall(folder, [name for name in archive.namelist() if "/backend/test/data/" in name])
PYTHON
    # Two of these at once both end well: whoever comes second keeps what is there.
    mv -T "$work/onnx/backend/test/data" "$folder" 2>/dev/null || [ -d "$folder" ]
fi
echo "$folder"
