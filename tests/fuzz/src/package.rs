//! What people take from strangers to make a package of.

use assay_package::{Manifest, Modelfile};

/// A Modelfile, and the manifest that is written for it.
pub fn modelfile(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(read) = Modelfile::parse(text) else {
        return;
    };
    let written = read.manifest.to_bytes().unwrap_or_default();
    let again = Manifest::parse(&written);
    assert!(
        again.is_ok_and(|again| again.to_bytes().ok() == Some(written)),
        "a manifest changed by being written"
    );
}
