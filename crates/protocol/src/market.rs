//! The market: parameters every new job copies. Read-only in every job path.

use bytemuck::{Pod, Zeroable};

use crate::{
    Address, LAYOUT_VERSION,
    error::{Error, Result},
    limits::{
        FINALIZE_GRACE_SECS, MAX_ATTEMPTS, MAX_FEE_BPS, MAX_TERM_LAMPORTS, MAX_UNBOND_SECS,
        MAX_WINDOW_SECS,
    },
};

/// New jobs are refused while set.
pub const PAUSE_JOBS: u8 = 1;
/// New providers and models are refused while set.
pub const PAUSE_REGISTRATIONS: u8 = 2;
/// New sessions are refused while set.
pub const PAUSE_SESSIONS: u8 = 4;
/// Every bit with a meaning.
pub const PAUSE_ALL: u8 = PAUSE_JOBS | PAUSE_REGISTRATIONS | PAUSE_SESSIONS;

wire! {
    /// What the market's authority may tune. Lamports, seconds, bytes, basis points.
    pub struct MarketParams {
        /// Least stake of a provider that has any.
        pub min_stake: u64,
        /// Stake behind one sortition ticket.
        pub ticket_stake: u64,
        /// Highest ceiling a job may name.
        pub max_ceiling: u64,
        /// Least expected loss of cheating, as a multiple of its gain in basis points.
        pub deterrence_bps: u32,
        /// How long stake must lie before its provider may audit a job.
        pub stake_age_secs: u32,
        /// From stake_unbond to stake_withdraw; exceeds the longest job life.
        pub unbond_secs: u32,
        pub min_claim_secs: u32,
        pub max_claim_secs: u32,
        pub min_compute_secs: u32,
        pub max_compute_secs: u32,
        pub min_challenge_secs: u32,
        pub max_challenge_secs: u32,
        /// Time for anyone to open a convened panel.
        pub panel_open_secs: u32,
        /// Time for auditors to join.
        pub panel_join_secs: u32,
        /// Added to the job's compute window for auditors to commit.
        pub panel_commit_secs: u32,
        /// Time for auditors and the primary to reveal.
        pub panel_reveal_secs: u32,
        /// Largest input file, in bytes.
        pub max_input_bytes: u32,
        /// Largest output limit, in bytes.
        pub max_output_bytes: u32,
        /// The market's share of every settled price.
        pub fee_bps: u16,
        /// Zero.
        pub reserved: [u8; 10],
    }
}

impl MarketParams {
    /// Parameters for a public network.
    pub const PUBLIC: Self = Self {
        min_stake: 1_000_000_000,
        ticket_stake: 1_000_000_000,
        max_ceiling: 100_000_000_000,
        deterrence_bps: 20_000,
        stake_age_secs: 86_400,
        unbond_secs: 14 * 86_400,
        min_claim_secs: 10,
        max_claim_secs: 6 * 3_600,
        min_compute_secs: 10,
        max_compute_secs: 6 * 3_600,
        min_challenge_secs: 60,
        max_challenge_secs: 2 * 86_400,
        // An hour's halt of the chain must cost neither an audit that waits to be opened nor the
        // bond of an auditor that could not commit. Commits end early: nobody waits for it.
        panel_open_secs: 7_200,
        panel_join_secs: 600,
        panel_commit_secs: 7_200,
        panel_reveal_secs: 86_400,
        max_input_bytes: 64 << 20,
        max_output_bytes: 64 << 20,
        fee_bps: 200,
        reserved: [0; 10],
    };

    /// Parameters for a local market: windows a person can watch pass.
    pub const LOCAL: Self = Self {
        min_stake: 100_000_000,
        ticket_stake: 100_000_000,
        stake_age_secs: 1,
        min_claim_secs: 2,
        min_compute_secs: 2,
        min_challenge_secs: 2,
        panel_open_secs: 30,
        panel_join_secs: 10,
        panel_commit_secs: 10,
        panel_reveal_secs: 30,
        ..Self::PUBLIC
    };

    /// Longest time from a job's creation to its end, in seconds: every attempt to its last
    /// second, the challenge window, the grace to finalize and both panels.
    pub fn longest_job_secs(&self) -> u64 {
        let attempt = u64::from(self.max_claim_secs) + u64::from(self.max_compute_secs);
        let panel = u64::from(self.panel_open_secs)
            + u64::from(self.panel_join_secs)
            + u64::from(self.panel_commit_secs)
            + u64::from(self.max_compute_secs)
            + u64::from(self.panel_reveal_secs);
        // A handful of u32 sums: far below 2^64.
        attempt.wrapping_mul(u64::from(MAX_ATTEMPTS))
            + u64::from(self.max_challenge_secs)
            + u64::from(FINALIZE_GRACE_SECS)
            + panel.wrapping_mul(2)
    }

    /// Checks every bound; [`Error::MarketParamsInvalid`] names none of them on chain, the client
    /// repeats the check off chain with words.
    pub fn check(&self) -> Result<()> {
        let window = |min: u32, max: u32| min >= 1 && min <= max && max <= MAX_WINDOW_SECS;
        let phase = |secs: u32| (1..=MAX_WINDOW_SECS).contains(&secs);
        let amount = |lamports: u64| (1..=MAX_TERM_LAMPORTS).contains(&lamports);
        let valid = amount(self.min_stake)
            && amount(self.ticket_stake)
            && amount(self.max_ceiling)
            && (10_000..=1_000_000).contains(&self.deterrence_bps)
            && self.stake_age_secs <= MAX_WINDOW_SECS
            && self.unbond_secs <= MAX_UNBOND_SECS
            && u64::from(self.unbond_secs) > self.longest_job_secs()
            && window(self.min_claim_secs, self.max_claim_secs)
            && window(self.min_compute_secs, self.max_compute_secs)
            && window(self.min_challenge_secs, self.max_challenge_secs)
            && phase(self.panel_open_secs)
            && phase(self.panel_join_secs)
            && phase(self.panel_commit_secs)
            && phase(self.panel_reveal_secs)
            && self.max_input_bytes >= 1
            && self.max_output_bytes >= 1
            && self.fee_bps <= MAX_FEE_BPS
            && self.reserved == [0; 10];
        if valid {
            Ok(())
        } else {
            Err(Error::MarketParamsInvalid)
        }
    }
}

/// Account data of the market, after the discriminator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
#[cfg_attr(feature = "anchor", derive(anchor_lang::IdlType))]
pub struct MarketData {
    pub version: u8,
    /// Always 1 once initialised.
    pub status: u8,
    pub bump: u8,
    /// Pause bits; no exit looks at them.
    pub flags: u8,
    pub sequence: u32,
    /// May tune, pause, hand over and withdraw fees; never touches a job.
    pub authority: Address,
    /// Proposed next authority; zero for none.
    pub pending_authority: Address,
    pub params: MarketParams,
    pub reserved: [u8; 64],
}

impl MarketData {
    /// A new market.
    pub fn new(authority: Address, bump: u8, params: MarketParams) -> Self {
        Self {
            version: LAYOUT_VERSION,
            status: 1,
            bump,
            flags: 0,
            sequence: 1,
            authority,
            pending_authority: Address::default(),
            params,
            reserved: [0; 64],
        }
    }

    /// [`Error::MarketPaused`] if any of `bits` is set.
    #[inline]
    pub fn require_running(&self, bits: u8) -> Result<()> {
        if self.flags & bits == 0 {
            Ok(())
        } else {
            Err(Error::MarketPaused)
        }
    }

    /// Replaces the parameters; returns the sequence number after the change.
    pub fn update(&mut self, params: MarketParams) -> u64 {
        self.params = params;
        self.changed()
    }

    /// Sets the pause bits; [`Error::MarketParamsInvalid`] for a bit without a meaning.
    pub fn pause(&mut self, flags: u8) -> Result<u64> {
        if flags & !PAUSE_ALL != 0 {
            return Err(Error::MarketParamsInvalid);
        }
        self.flags = flags;
        Ok(self.changed())
    }

    /// Proposes the next authority; the zero address withdraws a proposal.
    pub fn propose(&mut self, pending: Address) -> u64 {
        self.pending_authority = pending;
        self.changed()
    }

    /// Hands over to the proposed authority; [`Error::MarketPendingMismatch`] for anyone else.
    pub fn accept(&mut self, authority: Address) -> Result<u64> {
        if authority == Address::default() || authority != self.pending_authority {
            return Err(Error::MarketPendingMismatch);
        }
        self.authority = authority;
        self.pending_authority = Address::default();
        Ok(self.changed())
    }

    fn changed(&mut self) -> u64 {
        self.sequence = self.sequence.wrapping_add(1);
        u64::from(self.sequence)
    }
}
