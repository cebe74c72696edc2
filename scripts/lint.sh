#!/bin/sh
# Format, clippy and dependency policy of both workspaces; runs all of them and fails if any failed.
set -u
cd "$(dirname "$0")/.." || exit 1
. scripts/env.sh
failed=

check() {
    name=$1
    shift
    began=$(date +%s)
    "$@" || failed="${failed:+$failed, }$name"
    echo "lint: $name took $(($(date +%s) - began)) s" >&2
}

# cargo-deny reads the manifest's own workspace, the policy is one file for both.
deny() {
    "$CARGO_DENY_DIR/bin/cargo-deny" --manifest-path "$1/Cargo.toml" --config deny.toml --log-level warn \
        check --hide-inclusion-graph "$2" ${3:+"$3"} ${4:+"$4"}
}

# The advisory database is a git repository elsewhere; where it cannot be reached this is a warning, not a failure.
advisories() {
    if timeout 60 "$CARGO_DENY_DIR/bin/cargo-deny" --manifest-path Cargo.toml --config deny.toml fetch db 2>/dev/null; then
        deny . advisories && deny programs advisories
    else
        echo "lint: the advisory database cannot be reached; advisories were NOT checked" >&2
    fi
}

scripts/bootstrap.sh lint || exit 1
check "rustfmt, off chain" cargo fmt --all --check
check "rustfmt, on chain" cargo fmt --all --check --manifest-path programs/Cargo.toml
check "clippy, on chain" cargo clippy --manifest-path programs/Cargo.toml --workspace --all-targets --all-features -- -D warnings
check "clippy, off chain" cargo clippy --workspace --all-targets -- -D warnings
check "dependency policy, off chain" deny . bans licenses sources
check "dependency policy, on chain" deny programs bans licenses sources
check "advisories" advisories
if [ -n "$failed" ]; then
    echo "lint: failed: $failed" >&2
    exit 1
fi
echo "lint: all passed" >&2
