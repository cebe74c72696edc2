#!/bin/sh
# Installs what building and testing need, says what and why, and does nothing when nothing is missing.
#
#   scripts/bootstrap.sh [build]      what building and most tests need (the default)
#   scripts/bootstrap.sh node         of that, Node.js and the packages of the migration script
#   scripts/bootstrap.sh page         of that, Chromium and what looks at the worker's status page in it
#   scripts/bootstrap.sh python       a virtual environment with what trains models/digits.onnx
#   scripts/bootstrap.sh bench        a virtual environment with the Python server that `make bench` compares with
#   scripts/bootstrap.sh clients      a virtual environment with the stock clients that tests and demo ask with
#   scripts/bootstrap.sh lint         cargo-deny
#   scripts/bootstrap.sh all
#   scripts/bootstrap.sh --print-env  shell lines that let you run the binaries without make
#
# Debian packages are installed system-wide (as root, or with sudo); everything else goes into one folder of
# the user's cache, moved by ASSAY_CACHE. Versions are pinned in scripts/versions.env.
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh

say() { echo "bootstrap: $*" >&2; }
die() { say "$1"; say "fix: $2"; exit 1; }

# Runs a quiet command; shows the end of its output only when it fails.
logged() {
    log=$ASSAY_CACHE/bootstrap.log
    "$@" >"$log" 2>&1 || { tail -n 15 "$log" >&2; return 1; }
}

# Package names with a reason each; the reason is printed when the package is installed.
build_packages() {
    ! uses_upstream || echo "
        rustc-web compiles the on-chain program: its LLVM has the BPF backend
        cargo-web drives that compiler
        rust-web-src source of core and alloc for the on-chain target
        rust-web-llvm LLVM of that compiler
        llvm-$LLVM_VERSION-dev builds the sBPF linker"
    echo "
        build-essential C parts of Rust crates
        clang C parts of Rust crates, through bindgen
        pkg-config finds the C libraries
        libssl-dev TLS in the Solana crates
        libudev-dev hardware wallets in the Solana crates
        protobuf-compiler message definitions in the Solana crates
        ca-certificates package registries"
    [ -f "$ORT_DYLIB_PATH" ] || python3 -m pip --version >/dev/null 2>&1 ||
        echo "python3-pip downloads ONNX Runtime from PyPI"
    node_packages
    page_packages
}

page_packages() {
    command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ||
        echo "chromium shows the worker's status page to its test"
}

node_packages() {
    command -v node >/dev/null || echo "nodejs runs migrations/deploy.ts and the status page's test"
    command -v npm >/dev/null || echo "npm installs what they import"
}

# The Solana CLI's own tools build the program where they are installed, unless SBF says otherwise.
uses_upstream() {
    case ${SBF:-auto} in
    platform-tools) false ;;
    upstream) true ;;
    *) ! command -v cargo-build-sbf >/dev/null ;;
    esac
}

install_packages() {
    missing=
    while read -r package reason; do
        [ -n "$package" ] || continue
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] && continue
        say "missing: $package ($reason)"
        missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null ||
        die "this is not Debian, whose packages the set-up knows" "install the equivalents of:$missing"
    sudo=
    if [ "$(id -u)" != 0 ]; then
        sudo=sudo
        command -v sudo >/dev/null ||
            die "Debian packages are missing and this user is not root" "as root: apt-get install$missing"
    fi
    say "installing$missing"
    # shellcheck disable=SC2086
    logged $sudo apt-get update -q &&
        logged $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $missing </dev/null ||
        die "Debian's packages could not be installed (see above)" \
            "check the network and that bookworm-security is enabled, then as root: apt-get install$missing"
}

check_rust() {
    wanted=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
    command -v cargo >/dev/null ||
        die "cargo was not found" "install Rust with rustup (https://rustup.rs), then run this again"
    found=$(cargo --version 2>/dev/null) ||
        die "Rust $wanted is not installed" "rustup toolchain install (in this folder)"
    found=$(echo "$found" | cut -d ' ' -f 2)
    printf '%s\n%s\n' "$wanted" "$found" | sort --check=quiet --version-sort ||
        die "cargo is $found, and $wanted or newer is needed" "install Rust with rustup (https://rustup.rs)"
}

install_linker() {
    [ ! -x "$SBPF_LINKER_DIR/bin/sbpf-linker" ] || return 0
    llvm=$(/usr/bin/rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
    [ "$llvm" = "$LLVM_VERSION" ] ||
        die "Debian's rustc has LLVM $llvm, the pinned sBPF linker knows LLVM $LLVM_VERSION" \
            "set LLVM_VERSION and SBPF_LINKER_VERSION in scripts/versions.env to a linker for LLVM $llvm"
    say "building sbpf-linker $SBPF_LINKER_VERSION (turns the compiler's output into an on-chain program; 3 minutes)"
    prefix=/usr/lib/llvm-$LLVM_VERSION
    # bpf-linker looks for llvm-config in PATH, where another LLVM's may come first.
    logged env "LLVM_SYS_${LLVM_VERSION}1_PREFIX=$prefix" PATH="$prefix/bin:$PATH" RUSTFLAGS="-L native=$prefix/lib" \
        cargo install sbpf-linker --version "$SBPF_LINKER_VERSION" --locked --no-default-features \
        --features "bpf-linker/llvm-$LLVM_VERSION" --root "$SBPF_LINKER_DIR" ||
        die "sbpf-linker could not be built (see above)" "if crates.io could not be reached, mend the network and run this again"
}

# The wheel of one fixed Python, whatever Python runs here: only the library inside it is used.
install_onnxruntime() {
    [ ! -f "$ORT_DYLIB_PATH" ] || return 0
    machine=$(uname -m)
    sha256=$(sed -n "s/^ORT_WHEEL_SHA256_$machine=//p" scripts/versions.env)
    [ -n "$sha256" ] ||
        die "no ONNX Runtime is pinned for $machine" "install its shared library and set ORT_DYLIB_PATH to it"
    say "downloading ONNX Runtime $ORT_VERSION (runs the models)"
    wheels=$ASSAY_CACHE/wheels
    mkdir -p "$wheels"
    logged python3 -m pip download "onnxruntime==$ORT_VERSION" --no-deps --only-binary :all: --dest "$wheels" \
        --platform "manylinux_2_28_$machine" --implementation cp --python-version 3.12 --abi cp312 ||
        die "ONNX Runtime could not be downloaded (see above)" "if PyPI could not be reached, mend the network and run this again"
    wheel=$wheels/onnxruntime-$ORT_VERSION-cp312-cp312-manylinux_2_28_$machine.whl
    echo "$sha256  $wheel" | sha256sum --check --quiet >&2 ||
        die "$wheel is not the pinned file" "delete it and run this again; if it differs again, do not use it"
    folder=$(dirname "$ORT_DYLIB_PATH")
    rm -rf "$folder.new" && mkdir -p "$folder.new"
    python3 -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extract(sys.argv[2], sys.argv[3])' \
        "$wheel" "onnxruntime/capi/libonnxruntime.so.$ORT_VERSION" "$folder.new"
    mkdir -p "$folder"
    mv "$folder.new/onnxruntime/capi/libonnxruntime.so.$ORT_VERSION" "$ORT_DYLIB_PATH"
    rm -rf "$folder.new" "$wheel"
}

# install_python FOLDER REQUIREMENTS PURPOSE: a virtual environment in the cache.
install_python() {
    done=$ASSAY_CACHE/$1/$(sha256sum "$2" | cut -c1-16)
    [ ! -e "$done" ] || return 0
    dpkg-query -W python3-venv >/dev/null 2>&1 || python3 -c 'import ensurepip' 2>/dev/null ||
        echo "python3-venv a virtual environment: $3" | install_packages
    say "installing $2 into $ASSAY_CACHE/$1 ($3)"
    { logged python3 -m venv --clear "$ASSAY_CACHE/$1" &&
        logged "$ASSAY_CACHE/$1/bin/pip" install --requirement "$2"; } ||
        die "the Python packages could not be installed (see above)" "if PyPI could not be reached, mend the network and run this again"
    touch "$done"
}

install_training() { install_python python models/requirements.txt "trains models/digits.onnx"; }

install_bench() {
    install_python bench crates/engine/benches/serving/python/requirements.txt "what make bench compares with"
}

install_clients() {
    install_python clients tests/clients/requirements.txt "asks the gateway as people do"
}

install_lint() {
    [ ! -x "$CARGO_DENY_DIR/bin/cargo-deny" ] || return 0
    say "building cargo-deny $CARGO_DENY_VERSION (checks licenses, sources and banned crates; some minutes)"
    # Hardly optimised: it is run for seconds and would otherwise be built for many minutes.
    logged env CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=256 \
        cargo install cargo-deny --version "$CARGO_DENY_VERSION" --locked --root "$CARGO_DENY_DIR" ||
        die "cargo-deny could not be built (see above)" "if crates.io could not be reached, mend the network and run this again"
}

# install_node FOLDER: what its lock file says. The tests look for the same mark.
install_node() {
    lock=$1/package-lock.json
    done=$1/node_modules/.installed
    ! cmp -s "$lock" "$done" || return 0
    say "installing the Node packages of $1"
    logged npm ci --prefix "$1" --no-audit --no-fund ||
        die "the Node packages could not be installed (see above)" "if npm's registry could not be reached, mend the network and run this again"
    cp "$lock" "$done"
}

install_build() {
    check_rust
    build_packages | install_packages
    ! uses_upstream || install_linker
    install_onnxruntime
    models/conformance/fetch.sh >/dev/null
    install_node migrations
    install_node tests/page
}

print_env() {
    echo "export ASSAY_CACHE='$ASSAY_CACHE'"
    echo "export ORT_DYLIB_PATH='$ORT_DYLIB_PATH'"
    [ ! -x "$ASSAY_CACHE/python/bin/python" ] || echo "export ASSAY_PYTHON='$ASSAY_CACHE/python/bin/python'"
}

case ${1:-build} in
--print-env) print_env; exit ;;
build | node | page | python | bench | clients | lint | all) ;;
*) die "unknown part '$1'" "use build, node, page, python, bench, clients, lint, all or --print-env" ;;
esac

mkdir -p "$ASSAY_CACHE"
# Two runs at once would install into the same folders.
exec 9>"$ASSAY_CACHE/.lock"
flock 9
case ${1:-build} in
build) install_build ;;
node) node_packages | install_packages && install_node migrations ;;
page) { node_packages; page_packages; } | install_packages && install_node tests/page ;;
python) install_training ;;
bench) install_bench ;;
clients) install_clients ;;
lint) check_rust; install_lint ;;
all) install_build; install_training; install_bench; install_clients; install_lint ;;
esac
