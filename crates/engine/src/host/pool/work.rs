//! Whom an engine is wanted for, and what for.

/// Whose work it is; what comes first in this list is served first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// Collateral depends on it.
    Claimed,
    /// A bond depends on it.
    Audit,
    /// Nothing depends on it yet, and the model may be anybody's.
    Preparing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// To have the model loaded.
    Loaded,
    /// To have it loaded from now on: that it was before says nothing of this machine as it is.
    Anew,
    /// To run it.
    Run,
}
