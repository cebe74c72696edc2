#!/bin/sh
# Fuzzes every parser of foreign bytes, or the named ones, for so many seconds each; new finds go to target/fuzz/.
#
#   scripts/fuzz.sh SECONDS [TARGET..]     each target begins with its committed corpus, tests/fuzz/corpus/TARGET
#   scripts/fuzz.sh minimise [TARGET..]    adds to the corpora what reaches code that they do not reach
#
# A crash is kept in target/fuzz/TARGET-crash-*; replay it with
#   ASSAY_FUZZ_TARGET=TARGET target/debug/assay-fuzz FILE
set -u
cd "$(dirname "$0")/.." || exit 1
seconds=${1:?seconds for each target, or minimise}
shift
[ $# -gt 0 ] || set -- $(ls tests/fuzz/corpus)

# The same command as the build of everything, so that dependencies are shared with it.
RUSTC_WORKSPACE_WRAPPER=$PWD/scripts/sancov.sh cargo build --workspace --bin assay-fuzz || exit 1
fuzzer=${CARGO_TARGET_DIR:-target}/debug/assay-fuzz

passed=0
failed=0
for target; do
    corpus=tests/fuzz/corpus/$target
    [ -d "$corpus" ] || { echo "fuzz: $target is no target; there are:" $(ls tests/fuzz/corpus) >&2; exit 64; }
    finds=target/fuzz/$target
    mkdir -p "$finds"
    export ASSAY_FUZZ_TARGET=$target
    if [ "$seconds" = minimise ]; then
        "$fuzzer" -merge=1 -max_len=4096 -verbosity=0 "$corpus" "$finds" || exit 1
        continue
    fi
    # A malloc of half a gigabyte, or a second for 64 KiB, is as much of a find as a crash.
    if "$fuzzer" -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=512 \
        -print_final_stats=1 -verbosity=0 -artifact_prefix="target/fuzz/$target-" "$finds" "$corpus" >"$finds.log" 2>&1; then
        passed=$((passed + 1))
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$finds.log")
        echo "fuzz: $target held for $runs inputs in $seconds s"
    else
        failed=$((failed + 1))
        tail -n 20 "$finds.log" >&2
        echo "fuzz: $target FAILED; the input is in target/fuzz/" >&2
    fi
done
[ "$seconds" = minimise ] && exit 0
# In the form of the other tests, so that they can be summed.
result=ok
[ "$failed" = 0 ] || result=FAILED
echo "test result: $result. $passed passed; $failed failed; 0 ignored; 0 measured; 0 filtered out"
[ "$failed" = 0 ]
