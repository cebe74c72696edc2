//! The rules of the Assay market, in one place.
//!
//! Layouts of all accounts, the job's status and its transition table, price, fees, slashes,
//! deadlines, digests, commitments, canonical outputs, sortition, verdicts and instruction arguments. The on-chain
//! program and everything off chain use these same types, so a rule has one copy.
//!
//! This crate exists to forbid I/O, clocks, randomness and (unless asked for by feature) Anchor:
//! it is `no_std`, and every function is a function of its arguments.

#![no_std]

#[cfg(any(test, feature = "idl-build"))]
#[macro_use]
extern crate std;

/// Declares a struct that travels in instruction data: plain bytes without padding, which are its
/// borsh encoding, with the derives that the program or a client asks for.
macro_rules! wire {
    ($(#[$meta:meta])* pub struct $name:ident { $($body:tt)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
        #[repr(C)]
        #[cfg_attr(
            feature = "anchor",
            derive(anchor_lang::IdlType, anchor_lang::AnchorSerialize, anchor_lang::AnchorDeserialize)
        )]
        #[cfg_attr(feature = "borsh", derive(borsh::BorshSerialize, borsh::BorshDeserialize))]
        pub struct $name { $($body)* }
    };
}

pub mod amount;
pub mod args;
pub mod commitment;
pub mod digest;
pub mod error;
pub mod events;
pub mod job;
pub mod limits;
pub mod market;
pub mod model;
pub mod panel;
pub mod profile;
pub mod provider;
pub mod seeds;
pub mod session;
pub mod sortition;
pub mod status;
pub mod terms;
pub mod text;
pub mod time;
pub mod treasury;
pub mod verdict;
pub mod voucher;

#[cfg(not(target_os = "solana"))]
pub mod grid;
#[cfg(not(target_os = "solana"))]
pub mod outputs;

pub use amount::{BasisPoints, Lamports};
pub use digest::Digest;
pub use error::{Error, Result};
pub use job::JobData;
pub use market::MarketData;
pub use model::ModelData;
pub use panel::{PanelData, SeatData};
pub use profile::OutputProfile;
pub use provider::ProviderData;
pub use session::{SessionData, SessionStatus};
pub use solana_address::Address;
pub use status::JobStatus;
pub use time::{Seconds, UnixSeconds};
pub use treasury::TreasuryData;
pub use voucher::Voucher;

/// Version byte of every account layout in this crate.
pub const LAYOUT_VERSION: u8 = 1;
