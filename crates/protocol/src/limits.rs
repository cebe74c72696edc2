//! Bounds that no market parameter can move.

/// No term of a job may exceed this many lamports (562,949 SOL): products with basis points and
/// small counts then fit 64 bits.
pub const MAX_TERM_LAMPORTS: u64 = 1 << 49;
/// Highest fee a market may set.
pub const MAX_FEE_BPS: u16 = 1_000;
/// Most attempts of a job before it expires.
pub const MAX_ATTEMPTS: u8 = 3;
/// A job's or session's `open_slot` must lie within this many slots at creation, and the account
/// can close only once it is older, so no address is ever live twice.
pub const OPEN_SLOT_AGE: u64 = 150;
/// After the challenge window a provider has this long to finalize before it is faulted.
pub const FINALIZE_GRACE_SECS: u32 = 86_400;
/// Longest window of any kind: 30 days.
pub const MAX_WINDOW_SECS: u32 = 30 * 86_400;
/// Bounds of a session's grace time: 1 day and 30 days.
pub const MIN_GRACE_SECS: u32 = 86_400;
pub const MAX_GRACE_SECS: u32 = 30 * 86_400;
/// Longest unbonding time: 365 days.
pub const MAX_UNBOND_SECS: u32 = 365 * 86_400;
/// Bytes of a job's input uri, a model's uri, a provider's endpoint, a model's name.
pub const INPUT_URI_BYTES: usize = 96;
pub const MODEL_URI_BYTES: usize = 160;
pub const ENDPOINT_BYTES: usize = 96;
pub const NAME_BYTES: usize = 32;
/// Most outputs a model's profile describes.
pub const MAX_OUTPUTS: usize = 8;
/// Largest model file a market accepts, in bytes.
pub const MAX_MODEL_BYTES: u64 = 1 << 40;
/// Seats of a panel at level 2; the layout's size at either level.
pub const MAX_SEATS: usize = 5;
