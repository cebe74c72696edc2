//! A whole Solana chain inside the process, with the program deployed as it would be on a cluster.
//!
//! This crate exists to keep the simulator (Surfpool, and the virtual machine inside it) out of the worker, which
//! must build small and never depend on a chain it could fake. The command line tool and the tests use it.
//!
//! [`deploy`] knows nothing of the simulator: it speaks JSON-RPC only and deploys to any cluster.
//!
//! Everything here blocks. From asynchronous code call it in `tokio::task::spawn_blocking`, or in a runtime with
//! several threads, which the RPC client blocks in place.

mod assay;
mod chain;
pub mod deploy;
mod error;
mod localnet;
mod ports;

pub use assay::{AssayConfig, market, open_market};
pub use error::LocalnetError;
pub use localnet::{ChainTime, Localnet, LocalnetConfig, ProgramSource, SlotMode};
