#!/bin/sh
# A wrapper of rustc that has the project's own crates report their coverage to libFuzzer. Dependencies are
# built as for everything else, and so are shared with it.
compiler=$1
shift
exec "$compiler" "$@" -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares
