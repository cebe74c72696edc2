//! What a commitment hides, and what is shown to open it.

use assay_client::{
    PROGRAM_ID,
    protocol::{
        Address, Digest,
        commitment::{Opening, Role},
    },
};

/// The digest of every job's hints here.
pub const HINTS: [u8; 32] = [0x48; 32];
/// What an honest provider gets out of every job here.
pub const TRUTH: [u8; 32] = [0x11; 32];
/// What anybody else gets.
pub const LIES: [[u8; 32]; 2] = [[0x22; 32], [0x33; 32]];

/// Everything that a commitment binds. Two commitments are equal exactly where these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    pub job: Address,
    pub attempt: u8,
    pub role: Role,
    pub provider: Address,
    pub generation: u64,
    pub shown: Shown,
    pub hints: [u8; 32],
    pub class: [u8; 32],
}

/// What opens a commitment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    pub salt: [u8; 32],
    pub root: [u8; 32],
}

impl Seal {
    pub fn commitment(&self) -> [u8; 32] {
        Opening {
            program_id: &PROGRAM_ID,
            job: &self.job,
            attempt: self.attempt,
            role: self.role,
            provider: &self.provider,
            generation: self.generation,
            salt: &self.shown.salt,
            root: &Digest(self.shown.root),
            hints_digest: &Digest(self.hints),
            runtime_class: &self.class,
        }
        .commitment()
        .0
    }
}

/// The role of an auditor on a panel of this level.
pub fn auditor(level: u8) -> Role {
    if level == 1 {
        Role::PanelLevel1
    } else {
        Role::PanelLevel2
    }
}
