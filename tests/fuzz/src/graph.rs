//! Model files: the first bytes of a stranger's model that anything looks at.

use assay_engine::inspect;

/// The check ends, on whatever file, and says the same twice.
pub fn graph(bytes: &[u8]) {
    let limits = assay_engine::Limits::default();
    let first = inspect(bytes, limits.model_bytes).map(drop);
    assert!(first == inspect(bytes, limits.model_bytes).map(drop));
}
