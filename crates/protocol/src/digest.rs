//! Digests: sha256 everywhere, the syscall on chain.

use bytemuck::{Pod, Zeroable};

/// A sha256 digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Pod, Zeroable)]
#[repr(transparent)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Stands for "none" where a digest is optional.
    pub const ZERO: Self = Self([0; 32]);

    /// sha256 of the concatenated parts.
    #[inline]
    pub fn of(parts: &[&[u8]]) -> Self {
        Self(solana_sha256_hasher::hashv(parts).to_bytes())
    }

    /// Whether this is the zero sentinel.
    #[inline]
    pub fn is_zero(&self) -> bool {
        is_zero(&self.0)
    }
}

/// Whether all 32 bytes are zero.
#[inline]
pub fn is_zero(bytes: &[u8; 32]) -> bool {
    *bytes == [0; 32]
}
