//! libFuzzer around one target, which `ASSAY_FUZZ_TARGET` names.

#![no_main]

use std::sync::OnceLock;

static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let target = TARGET.get_or_init(|| {
        let name = std::env::var("ASSAY_FUZZ_TARGET").unwrap_or_default();
        assay_fuzz::target(&name).unwrap_or_else(|| {
            eprintln!("ASSAY_FUZZ_TARGET={name:?} is no target; scripts/fuzz.sh lists them");
            std::process::exit(64)
        })
    });
    target(bytes);
});
