#!/bin/sh
# Every test of the project. Times each phase, goes on after a failing one where later ones still tell
# something, and ends with the sum of all test runs.
set -u
cd "$(dirname "$0")/.." || exit 1
. scripts/env.sh
export ASSAY_CACHE ORT_DYLIB_PATH

mkdir -p target
log=$PWD/target/test.log
: >"$log"
rm -f target/test.summary
failed=
times=

# phase NAME COMMAND..: runs it, shows and keeps its output, remembers its time and whether it failed.
phase() {
    name=$1
    shift
    echo "== $name" >&2
    began=$(date +%s)
    # A pipe's status is its last command's, so the real one travels through a file.
    { "$@" 2>&1; echo $? >"$log.status"; } | tee -a "$log"
    status=$(cat "$log.status")
    times="$times  $(($(date +%s) - began)) s\t$name\n"
    [ "$status" = 0 ] || failed="${failed:+$failed, }$name"
    return "$status"
}

# Sums the closing lines of cargo's test runner.
finish() {
    printf "\nphases:\n$times"
    [ -z "$failed" ] || echo "failed: $failed"
    sed -n 's/^test result: [a-zA-Z]*\. \([0-9]*\) passed; \([0-9]*\) failed; .*/\1 \2/p' "$log" |
        awk '{ passed += $1; failed += $2 } END { printf "%d passed, %d failed\n", passed, failed }' |
        tee target/test.summary
    [ -z "$failed" ] || exit 1
    ! grep -q '^0 passed' target/test.summary || exit 1
    exit 0
}

phase "set-up" scripts/bootstrap.sh || finish
phase "set-up of the stock clients" scripts/bootstrap.sh clients || finish
phase "program" scripts/build-program.sh "${SBF:-auto}" || finish
phase "IDL" scripts/idl.sh check
phase "protocol and program, host" \
    cargo test --manifest-path programs/Cargo.toml --workspace --all-features --tests --no-fail-fast -- --skip __anchor_private
ASSAY_ONNX_TESTS=$(models/conformance/fetch.sh) && export ASSAY_ONNX_TESTS || failed="ONNX's test models"
# Binaries and tests in one build, so that both are made of the same dependencies; some tests start the binaries.
phase "build of the off-chain workspace" cargo build --workspace --bins --lib --tests || finish
phase "off-chain workspace" cargo test --workspace --tests --no-fail-fast
phase "fuzzing of the parsers" scripts/fuzz.sh 5
finish
