//! Seeds of the program's derived addresses.
//!
//! market: `market` · treasury: `treasury` · provider: `provider`, authority ·
//! model: `model`, author, digest · job: `job`, requester, open_slot u64le, index u32le ·
//! panel: `panel`, job, level u8 · session: `session`, requester, provider, open_slot u64le, index u32le

pub const MARKET: &[u8] = b"market";
pub const TREASURY: &[u8] = b"treasury";
pub const PROVIDER: &[u8] = b"provider";
pub const MODEL: &[u8] = b"model";
pub const JOB: &[u8] = b"job";
pub const PANEL: &[u8] = b"panel";
pub const SESSION: &[u8] = b"session";
