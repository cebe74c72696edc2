//! Why a request is not served, with the code that the client knows and the status of HTTP.

use assay_client::session::{PaymentError, code};

use super::Channel;

/// Why a session's request is not served. It costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error(
        "there is no such session with this provider on chain; open one, or wait until its opening is confirmed"
    )]
    Unknown,
    #[error(
        "the session's grace time is {found} s and this provider serves from {least} s on; open another"
    )]
    Grace { found: u32, least: u32 },
    #[error("the session is closing or closed; open another")]
    Closing,
    #[error(
        "the chain has settled {settled} lamports of this session and this provider's books know of {known}: they are \
         lost or old; open another"
    )]
    Forgotten { settled: u64, known: u64 },
    #[error(
        "{runs} requests that this session's requester paid for used up the time of a run or broke an engine, and none of \
         its sessions is served for the next {wait_secs} s; ask again then, and for less at once"
    )]
    LostRuns { runs: usize, wait_secs: u64 },
    #[error(
        "{lamports} lamports of this session are to be settled first, which fails at present; ask again, or use another \
         provider"
    )]
    Unsettled { lamports: u64 },
    #[error("another request of this session is under way; wait for it, or open more sessions")]
    UnderWay,
    #[error(
        "this is request {found} where {next} comes next; the session's standing tells what was answered"
    )]
    Sequence { found: u64, next: u64 },
    #[error(
        "request {sequence} was answered already, and this is another one; go on with the next number"
    )]
    OtherRequest { sequence: u64 },
    #[error(
        "request {sequence} was answered and computed again as often as that is free, and its answer is not kept any \
         more; go on with the next number"
    )]
    Repeated { sequence: u64 },
    #[error(
        "the answer to request {sequence} is not kept any more, and cannot be computed again without the request"
    )]
    NotKept { sequence: u64 },
    #[error(transparent)]
    Payment(#[from] PaymentError),
    #[error("the voucher pays {paid} lamports and {due} are due; sign one over at least that")]
    Unpaid { paid: u64, due: u64 },
    #[error(
        "the voucher before this one ends at {ends}, later than this one, and is not settled yet; sign one that ends no sooner"
    )]
    Shorter { ends: i64 },
    #[error("the deposit is {deposit} lamports and {needed} must be covered; top the session up")]
    Deposit { deposit: u64, needed: u64 },
    #[error(
        "this request may cost {price} lamports and its limit is {limit}; raise the limit, or ask for less"
    )]
    Price { price: u64, limit: u64 },
}

impl Refused {
    /// As in [`code`].
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown | Self::Grace { .. } => code::SESSION_UNKNOWN,
            Self::Closing | Self::Forgotten { .. } => code::SESSION_CLOSING,
            Self::LostRuns { .. } => code::LOST_RUNS,
            Self::Unsettled { .. } => code::BUSY,
            Self::UnderWay => code::REQUEST_UNDER_WAY,
            Self::Sequence { .. }
            | Self::OtherRequest { .. }
            | Self::Repeated { .. }
            | Self::NotKept { .. } => code::SEQUENCE_MISMATCH,
            Self::Payment(_) | Self::Shorter { .. } => code::VOUCHER_INVALID,
            Self::Unpaid { .. } => code::PAYMENT_REQUIRED,
            Self::Deposit { .. } => code::DEPOSIT_TOO_SMALL,
            Self::Price { .. } => code::PRICE_ABOVE_LIMIT,
        }
    }

    /// Status of HTTP.
    pub fn status(&self) -> u16 {
        match self {
            Self::Payment(_) | Self::Shorter { .. } => 401,
            Self::Unpaid { .. } | Self::Deposit { .. } | Self::Price { .. } => 402,
            Self::Unknown | Self::Grace { .. } => 404,
            Self::UnderWay
            | Self::Sequence { .. }
            | Self::OtherRequest { .. }
            | Self::Repeated { .. }
            | Self::NotKept { .. } => 409,
            Self::Closing | Self::Forgotten { .. } => 410,
            Self::LostRuns { .. } => 429,
            Self::Unsettled { .. } => 503,
        }
    }

    /// Seconds after which it is worth asking again, where time alone mends it.
    pub fn retry_after(&self) -> Option<u64> {
        if let Self::LostRuns { wait_secs, .. } = self {
            Some(*wait_secs)
        } else {
            // Seconds between two tries to settle, at first.
            matches!(self, Self::Unsettled { .. }).then_some(30)
        }
    }
}

impl Channel {
    /// Whether requests are served at all.
    pub(super) fn require_served(&self) -> Result<(), Refused> {
        if self.is_close_requested() {
            return Err(Refused::Closing);
        }
        if self.missing_since.is_some() {
            return Err(Refused::Unknown);
        }
        // Vouchers up to what is settled are worth nothing: books that do not know of it would take them for pay.
        let (settled, known) = (self.account.settled, self.due().max(self.paid()));
        if settled > known {
            return Err(Refused::Forgotten { settled, known });
        }
        Ok(())
    }
}
