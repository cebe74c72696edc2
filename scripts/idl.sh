#!/bin/sh
# idl/assay.json from the program's source: scripts/idl.sh write | check | program-id KEYPAIR.json | address KEYPAIR.json
set -eu
cd "$(dirname "$0")/.."
cargo build --quiet --package assay-idl
# Anchor's IDL library runs cargo itself: it mishandles RUSTUP_TOOLCHAIN, and its own RUSTFLAGS would build
# every dependency of the program a second time.
exec env -u RUSTUP_TOOLCHAIN CARGO_ENCODED_RUSTFLAGS= "${CARGO_TARGET_DIR:-target}/debug/assay-idl" "$@"
