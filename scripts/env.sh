# Where downloaded and built tools live; sourced by the other scripts from the project's root.
#
# One folder per user and not per checkout, so that a second clone is quick. ASSAY_CACHE moves it.
. scripts/versions.env
ASSAY_CACHE=${ASSAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/assay}
SBPF_LINKER_DIR=$ASSAY_CACHE/sbpf-linker-$SBPF_LINKER_VERSION-llvm$LLVM_VERSION
CARGO_DENY_DIR=$ASSAY_CACHE/cargo-deny-$CARGO_DENY_VERSION
# The worker and the tests load ONNX Runtime from here; set it yourself to use another build of it.
ORT_DYLIB_PATH=${ORT_DYLIB_PATH:-$ASSAY_CACHE/onnxruntime-$ORT_VERSION/libonnxruntime.so.$ORT_VERSION}
