//! Arguments of the instructions that take more than one value.

use crate::{
    Address,
    limits::{ENDPOINT_BYTES, MAX_OUTPUTS, MODEL_URI_BYTES, NAME_BYTES},
    terms::JobTerms,
};

wire! {
    /// What a provider's authority chooses.
    pub struct ProviderArgs {
        /// Hot key of the worker.
        pub operator: Address,
        /// Digest of the facts that decide numeric results.
        pub runtime_class: [u8; 32],
        /// Base url of the worker's HTTP service, ASCII, zero-padded.
        pub endpoint: [u8; ENDPOINT_BYTES],
        pub endpoint_len: u8,
    }
}

wire! {
    /// What describes a model. The digest is part of the model's address.
    pub struct ModelArgs {
        /// sha256 of the .onnx file.
        pub digest: [u8; 32],
        /// Size of the .onnx file in bytes.
        pub size: u64,
        /// One entry an output; see `OutputProfile`.
        pub output_profile: [i16; MAX_OUTPUTS],
        /// Name for people, ASCII without spaces, zero-padded.
        pub name: [u8; NAME_BYTES],
        /// Where the file can be fetched, ASCII, zero-padded.
        pub uri: [u8; MODEL_URI_BYTES],
        pub name_len: u8,
        pub uri_len: u8,
        /// Padding; not read.
        pub reserved: [u8; 6],
    }
}

wire! {
    /// A job's address and terms.
    pub struct JobCreateArgs {
        /// A slot of the last 150.
        pub open_slot: u64,
        /// Any number; clients pick one whose address has bump 255.
        pub index: u32,
        /// Zero.
        pub reserved: [u8; 4],
        pub terms: JobTerms,
    }
}

wire! {
    /// A result, hidden, and what goes with it.
    pub struct JobCommitArgs {
        /// See `commitment::Opening`.
        pub commitment: [u8; 32],
        /// Fixes the worker's half of the audit draw.
        pub worker_secret_hash: [u8; 32],
        /// sha256 of the hints file, of the empty file if there are no hints.
        pub hints_digest: [u8; 32],
        /// The attempt the commitment binds; refused if the job is in another one.
        pub attempt: u8,
    }
}

wire! {
    /// The secrets that end a job.
    pub struct JobFinalizeArgs {
        pub worker_secret: [u8; 32],
        /// The requester's acknowledgement; only read if `acknowledged` is 1.
        pub requester_secret: [u8; 32],
        /// 1 if the requester acknowledged the result, else 0.
        pub acknowledged: u8,
    }
}

wire! {
    /// What opens the primary's commitment.
    pub struct JobRevealArgs {
        pub salt: [u8; 32],
        pub root: [u8; 32],
    }
}

wire! {
    /// An auditor's result, hidden.
    pub struct PanelCommitArgs {
        /// See `commitment::Opening`; the role is the panel's level.
        pub commitment: [u8; 32],
        /// Position of the auditor's seat.
        pub seat: u8,
    }
}

wire! {
    /// What opens an auditor's commitment.
    pub struct PanelRevealArgs {
        pub salt: [u8; 32],
        /// 32 x 0xff means only that the hints could not be had or had the wrong length.
        pub root: [u8; 32],
        /// Position of the auditor's seat.
        pub seat: u8,
    }
}

wire! {
    /// A session's address and terms.
    pub struct SessionOpenArgs {
        /// Signs vouchers up to the deposit.
        pub session_key: Address,
        /// Lamports to begin with.
        pub deposit: u64,
        /// A slot of the last 150.
        pub open_slot: u64,
        /// Any number; clients pick one whose address has bump 255.
        pub index: u32,
        /// Seconds from a close request to the close, 1 to 30 days.
        pub grace_secs: u32,
    }
}

impl SessionOpenArgs {
    /// The slot as a seed of the session's address, little-endian as the chain's machine is.
    #[inline]
    pub fn open_slot_seed(&self) -> &[u8] {
        bytemuck::bytes_of(&self.open_slot)
    }

    /// The index as a seed of the session's address.
    #[inline]
    pub fn index_seed(&self) -> &[u8] {
        bytemuck::bytes_of(&self.index)
    }
}

impl JobFinalizeArgs {
    /// Whether the requester acknowledged the result.
    #[inline]
    pub fn is_acknowledged(&self) -> bool {
        self.acknowledged != 0
    }
}

impl JobCreateArgs {
    /// The slot as a seed of the job's address, little-endian as the chain's machine is.
    #[inline]
    pub fn open_slot_seed(&self) -> &[u8] {
        bytemuck::bytes_of(&self.open_slot)
    }

    /// The index as a seed of the job's address.
    #[inline]
    pub fn index_seed(&self) -> &[u8] {
        bytemuck::bytes_of(&self.index)
    }
}
