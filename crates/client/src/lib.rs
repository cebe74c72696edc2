//! The Assay program as seen from off chain: addresses, instructions, accounts, events, errors, and what a requester
//! and a worker say to each other.
//!
//! This crate exists to forbid I/O: no sockets, no files, no clock, no async runtime and no RPC client, so that the
//! worker, the command line tool and the tests share one description of the program and bring their own transport.
//! It is the only crate off chain that knows a discriminator or an account's order in an instruction.

pub mod account;
pub mod address;
pub mod budget;
pub mod clock;
pub mod delivery;
pub mod discriminator;
pub mod error;
pub mod event;
pub mod filter;
pub mod instruction;
pub mod network;
pub mod outputs;
pub mod program;
pub mod secret;
pub mod session;
pub mod slot_hashes;

pub use assay_protocol as protocol;
pub use error::Failure;
pub use event::Event;
pub use program::PROGRAM_ID;
