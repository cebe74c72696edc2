#!/bin/sh
# Builds the on-chain program to target/deploy/assay.so.
#
#   scripts/build-program.sh [auto|upstream|platform-tools]
#
# auto            platform-tools where `cargo build-sbf` is installed, else upstream
# upstream        Debian's rustc (its LLVM has the BPF backend) and sbpf-linker: what the tests run
# platform-tools  `cargo build-sbf` of the Solana CLI. NOT RUN by this project's tests or CI, which have
#                 no Solana CLI: the same source is written for it, the result is not measured here
#
# SBF_ARCH=v0 (default, accepted by every cluster) or v3 chooses the sBPF version of the upstream build.
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh

say() { echo "build-program: $*" >&2; }
die() { say "$1"; [ -z "${2:-}" ] || say "fix: $2"; exit 1; }

deploy=$PWD/target/deploy

# Copies only a changed program, so that nothing that depends on the file is rebuilt for nothing.
publish() {
    mkdir -p "$deploy"
    if ! cmp -s "$1" "$deploy/assay.so"; then
        cp "$1" "$deploy/assay.so.new"
        mv "$deploy/assay.so.new" "$deploy/assay.so"
    fi
    say "target/deploy/assay.so: $(wc -c <"$deploy/assay.so") bytes, sha256 $(sha256sum "$deploy/assay.so" | cut -c1-16)"
}

# std has to compile because Anchor's dependencies name it, though none of it is linked. It stops at one
# constant that nobody filled in for this target; everything else is Debian's source as it is.
patched_library() {
    source=/usr/lib/rustlib/src/rust/library
    version=$(dpkg-query -W -f '${Version}' rust-web-src)
    library=$ASSAY_CACHE/rust-library-$version/library
    if [ ! -e "$library/.patched" ]; then
        say "copying rust $version's library source to $library"
        rm -rf "$library" && mkdir -p "$(dirname "$library")"
        cp -rL "$source" "$library"
        file=$library/std/src/sys/alloc/mod.rs
        [ "$(grep -c 'panic!("add a value for MIN_ALIGN")' "$file")" = 1 ] ||
            die "std's allocator of rust $version is not the one this patch knows" \
                "install rust-web-src 1.96, or adapt patched_library in scripts/build-program.sh"
        sed -i 's/panic!("add a value for MIN_ALIGN")/8/' "$file"
        touch "$library/.patched"
    fi
    echo "$library"
}

# rustc's own BPF target with an OS that std knows, byte-wide atomics (lowered to plain accesses: a program
# runs on one thread), our linker, and the unaligned accesses that the Solana machine allows.
write_target() {
    RUSTC_BOOTSTRAP=1 /usr/bin/rustc -Zunstable-options --print target-spec-json --target bpfel-unknown-none |
        sed -e '/"metadata": {/,/}/d' \
            -e 's/"atomic-cas": false/"atomic-cas": true/' \
            -e 's/"min-atomic-width": 64/"min-atomic-width": 8/' \
            -e 's/^{$/{ "os": "zkvm", "vendor": "solana", "linker": "sbpf-linker",\n  "features": "+allows-misaligned-mem-access",/' >"$1.new"
    cmp -s "$1.new" "$1" && rm "$1.new" || mv "$1.new" "$1"
}

upstream() {
    [ -x /usr/bin/rustc ] && [ -x "$SBPF_LINKER_DIR/bin/sbpf-linker" ] ||
        die "the upstream sBPF toolchain is not complete" "make bootstrap"
    build=$PWD/target/sbpf-$arch
    mkdir -p "$build"
    library=$(patched_library)
    write_target "$build/sbpf-solana.json"
    inline=-inlinecold-threshold=100000,-inline-cold-callsite-threshold=100000,-inline-threshold=1500
    # Joined with the unit separator because one flag contains quotes.
    flags=
    for flag in -Zunstable-options -Cpanic=immediate-abort -Cpasses=lower-atomic -Ctarget-cpu=v2 \
        -Aexplicit_builtin_cfgs_in_flags \
        '--cfg=target_os="solana"' \
        -Clink-arg=--llvm-args=-bpf-stack-size=4096 -Clink-arg=--disable-math-builtins \
        "-Clink-arg=--arch=$arch" "-Clink-arg=--llvm-args=$inline" \
        -Cllvm-args=-inlinecold-threshold=100000 -Cllvm-args=-inline-cold-callsite-threshold=100000 \
        -Cllvm-args=-inline-threshold=1500; do
        flags=${flags:+$flags$(printf '\037')}$flag
    done
    # Cargo of the same package as rustc; rustup's variables would send it to another compiler.
    env -u RUSTUP_TOOLCHAIN -u RUSTFLAGS -u CARGO -u RUSTC_WRAPPER \
        PATH="$SBPF_LINKER_DIR/bin:/usr/bin:$PATH" \
        RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 RUSTC_BOOTSTRAP_SYNTHETIC_TARGET=1 \
        __CARGO_TESTS_ONLY_SRC_ROOT="$library" CARGO_ENCODED_RUSTFLAGS="$flags" CARGO_TARGET_DIR="$build" \
        /usr/bin/cargo build --release --locked --lib --package assay --manifest-path programs/Cargo.toml \
        -Zbuild-std=std -Zbuild-std-features=optimize_for_size -Zpanic-immediate-abort \
        -Zjson-target-spec --target "$build/sbpf-solana.json"
    publish "$build/sbpf-solana/release/libassay.so"
}

platform_tools() {
    command -v cargo-build-sbf >/dev/null ||
        die "cargo build-sbf is not installed" "install the Solana CLI, or use SBF=upstream"
    say "building with platform-tools; this project's tests and CI do not run this path"
    cargo build-sbf --arch "$arch" --manifest-path programs/assay/Cargo.toml --sbf-out-dir target/sbpf-platform-tools
    publish target/sbpf-platform-tools/assay.so
}

arch=${SBF_ARCH:-v0}
case ${1:-auto} in
auto) if command -v cargo-build-sbf >/dev/null; then platform_tools; else upstream; fi ;;
upstream) upstream ;;
platform-tools) platform_tools ;;
*) die "unknown toolchain '$1'" "use auto, upstream or platform-tools" ;;
esac
