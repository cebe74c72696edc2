//! Memory that host and engine share, so that models and tensors cross no pipe.
//!
//! The engine makes it before it has seen a model and maps it; the host opens it among the engine's
//! files, and the engine then closes them. The host maps nothing: it reads and writes by system
//! calls, which copy. So an engine that a model has taken over may change the memory at any time, or
//! shrink it, and the host works on one copy, or gets an error. Two places: what is `given` to the
//! engine (the model, later the inputs) and what it has `made` (the outputs). Where an optimised model
//! is to be kept there is a third one, not mapped: [`Blank`], which the engine may write once.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::config::Limits;

#[cfg(target_os = "linux")]
pub use blank::{Blank, Written};
#[cfg(target_os = "linux")]
pub use linux::{Offer, Shared, Window};
#[cfg(not(target_os = "linux"))]
pub use none::{Blank, Shared, Window, Written};

#[cfg(target_os = "linux")]
mod blank;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod none;

/// Where a tensor begins: what the widest vector instructions like best.
const ALIGN: usize = 64;
/// For the gaps between tensors. What does not fit goes through the pipe.
const GAPS: u64 = 1 << 20;

/// How much may be shared at most. Memory is used for what is really written only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    pub model: u64,
    pub inputs: u64,
    pub made: u64,
    /// Of an optimised model; 0 where none is to be kept.
    #[serde(default)]
    pub optimised: u64,
}

impl From<&Limits> for Sizes {
    fn from(limits: &Limits) -> Self {
        Self {
            model: limits.model_bytes,
            inputs: limits.input_bytes.saturating_add(GAPS),
            made: limits.output_bytes.saturating_add(GAPS),
            optimised: 0,
        }
    }
}

/// Lays tensors one behind another.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layout {
    end: usize,
}

impl Layout {
    /// The place of the next tensor of so many bytes.
    pub fn next(&mut self, size: usize) -> Option<Range<usize>> {
        let start = self.end.checked_next_multiple_of(ALIGN)?;
        self.end = start.checked_add(size)?;
        Some(start..self.end)
    }

    /// The end of the last one.
    pub fn end(&self) -> usize {
        self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_lie_aligned_and_apart() {
        let mut layout = Layout::default();
        assert_eq!(layout.next(5), Some(0..5));
        assert_eq!(layout.next(0), Some(64..64));
        assert_eq!(layout.next(64), Some(64..128));
        assert_eq!(layout.next(1), Some(128..129));
        assert_eq!(layout.next(usize::MAX), None);
    }
}
