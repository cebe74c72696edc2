//! Everything the market refuses, by name.
//!
//! Numbers are part of the interface: append, never renumber. On chain they appear as custom
//! errors from [`ERROR_OFFSET`].

/// First custom error number of the program.
pub const ERROR_OFFSET: u32 = 6_000;

/// Result of a rule.
pub type Result<T> = core::result::Result<T, Error>;

macro_rules! errors {
    ($($(#[$group:meta])* $name:ident = $code:tt, $message:tt;)*) => {
        /// A violated fact.
        #[cfg(feature = "anchor")]
        #[anchor_lang::error_code]
        #[derive(Debug, PartialEq, Eq)]
        pub enum Error { $(#[doc = $message] #[msg($message)] $name = $code,)* }

        /// A violated fact.
        #[cfg(not(feature = "anchor"))]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Error { $(#[doc = $message] $name = $code,)* }

        impl Error {
            /// Every error, in order of number.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The error's name, as in the IDL.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What was wrong and what was expected.
            pub const fn message(self) -> &'static str {
                match self { $(Self::$name => $message,)* }
            }
        }
    };
}

errors! {
    AmountZero = 0, "The amount is zero; give a positive number of lamports.";
    AmountOverflow = 1, "The amount does not fit 64 bits.";
    AmountInsufficient = 2, "The account holds fewer lamports than would be taken from it.";
    ClockOverflow = 3, "The time does not fit 64 bits.";
    InvariantViolated = 4, "The account would break an invariant of the market; nothing was changed.";
    DurableNonceRefused = 5, "An administrative transaction must use a recent blockhash, not a durable nonce.";
    TextInvalid = 6, "A uri, endpoint or name must be printable ASCII without spaces, zero-padded.";
    // 7 is retired.
    RentPayerMismatch = 8, "The account is not the one that paid the rent.";

    MarketAuthorityMismatch = 20, "The signer is not the market's authority.";
    MarketPendingMismatch = 21, "The signer is not the proposed market authority.";
    MarketUpgradeAuthorityMismatch = 22, "Only the program's upgrade authority may initialise the market.";
    MarketPaused = 23, "The market does not accept new entries of this kind at present; exits stay open.";
    MarketParamsInvalid = 24, "A market parameter lies outside its bounds.";
    TreasuryInsufficient = 25, "The treasury holds fewer collected fees than asked for.";

    ProviderAuthorityMismatch = 40, "The signer is not the provider's authority.";
    ProviderOperatorMismatch = 41, "The signer is not the provider's operator.";
    ProviderStakeBelowMinimum = 42, "The stake must be zero or at least the market's minimum.";
    ProviderStakeInsufficient = 43, "The provider's free stake (stake - reserved - unbonding) is too small.";
    ProviderNothingUnbonding = 44, "No stake is unbonding.";
    ProviderStillUnbonding = 45, "The unbonding time has not passed.";
    ProviderHasStake = 46, "The provider still holds stake; unbond and withdraw it first.";
    ProviderHasLiveWork = 47, "The provider still has live jobs or seats.";
    ProviderHasEarnings = 48, "The provider still has earnings or fees due; withdraw them first.";
    ProviderNothingEarned = 49, "The provider has neither earnings nor fees due.";
    ProviderNotInvited = 50, "The job is reserved for another provider.";
    ProviderClassMismatch = 51, "The provider's runtime class is not the one the job requires.";
    ProviderMissing = 52, "The job has a provider; its account must be given.";
    ProviderOperatorMissing = 53, "The operator must not be the zero address.";

    ModelAuthorMismatch = 60, "The signer is not the model's author.";
    ModelRetired = 61, "The model is retired and takes no new jobs.";
    ModelNotRetired = 62, "The model must be retired first.";
    ModelStillInUse = 63, "The model can close only once the longest job life has passed since it was retired.";
    ModelProfileInvalid = 64, "The output profile must list 1 to 8 entries, each Exact or a grid exponent in [-64, 64].";
    ModelDigestMissing = 65, "The model's digest must not be zero.";
    ModelSizeInvalid = 66, "The model's size lies outside its bounds.";

    JobStatusInvalid = 80, "The job's status byte is not known.";
    JobTransitionForbidden = 81, "The job cannot go from its status to the one asked for.";
    JobNotOpen = 82, "The job is not open.";
    JobNotClaimed = 83, "The job is not claimed.";
    JobNotCommitted = 84, "The job has no commitment awaiting its end.";
    JobNotTerminal = 85, "The job has not ended.";
    JobClaimDeadlinePassed = 86, "The job's claim deadline has passed.";
    JobComputeDeadlinePassed = 87, "The job's compute deadline has passed.";
    JobNotExpired = 88, "The job's deadline has not passed.";
    JobChallengeWindowOpen = 89, "Without the requester's acknowledgement the job can be finalized only after the challenge window.";
    JobRequesterMismatch = 90, "The account is not the job's requester.";
    JobProviderMismatch = 91, "The account is not the job's provider.";
    JobPriceBelowMinimum = 92, "The job's price is below the minimum asked for.";
    JobCommitmentMissing = 93, "The commitment and the worker secret's hash must not be zero.";
    JobWorkerSecretMismatch = 94, "The worker secret does not match its hash.";
    JobRequesterSecretMismatch = 95, "The requester secret does not match its hash.";
    JobSlotInvalid = 96, "open_slot must lie within the last 150 slots.";
    JobSlotTooRecent = 97, "The job can close only once its open_slot is more than 150 slots old.";
    JobFinalizeDeadlinePassed = 98, "The time to finalize has passed.";
    JobPanelsLive = 99, "The job's panels must be closed first.";
    // 100 is retired.
    JobNotExpirable = 101, "Time alone ends only an open, claimed or committed job.";
    JobAttemptMismatch = 102, "The job is in another attempt than the one named.";
    JobUnaudited = 103, "The job is unaudited: nobody can be asked to judge its result.";
    JobChallengeWindowPassed = 104, "The job's challenge window has passed.";
    JobNotConvened = 105, "The job waits for no panel.";
    JobAlreadyRevealed = 106, "The primary's root is already revealed.";
    OpeningMismatch = 107, "Salt and root do not open the commitment.";
    RootInvalid = 108, "The root must not be zero, and the primary's not the one that means unavailable hints.";

    TermsCeilingInvalid = 120, "The ceiling must be positive and within the market's limit.";
    TermsFloorInvalid = 121, "The floor must not exceed the ceiling.";
    TermsRampInvalid = 122, "The ramp must not be longer than the claim window.";
    TermsClaimWindowInvalid = 123, "The claim window lies outside the market's limits.";
    TermsComputeWindowInvalid = 124, "The compute window lies outside the market's limits.";
    TermsChallengeWindowInvalid = 125, "The challenge window lies outside the market's limits.";
    TermsCollateralInvalid = 126, "The collateral must be at least the ceiling and 20 audit fees, and at most 2^49 lamports.";
    // 127 is retired.
    TermsPanelInvalid = 128, "panel_size must be 0 without audits, and 2 or 3 with them; audit_bps at most 10,000.";
    TermsAuditFeeInvalid = 129, "The audit fee must lie between the ceiling and twice the ceiling.";
    TermsDeterrenceTooLow = 130, "audit_bps x (collateral + ceiling) is below the market's deterrence.";
    TermsBytesInvalid = 131, "The input size or the output limit is zero or above the market's limit.";
    TermsSecretHashMissing = 132, "requester_secret_hash must not be zero.";
    TermsInputDigestMissing = 133, "input_digest must not be zero.";

    PanelStateInvalid = 140, "The panel's or the seat's state byte is not the one expected here.";
    PanelJobMismatch = 141, "The account is not this job's panel of the level asked for.";
    PanelMissing = 142, "The job's panel exists; its account must be given.";
    PanelUnexpected = 143, "The job has no such panel; give none.";
    PanelAlreadyOpen = 144, "The job's panel of this level was opened before.";
    PanelOpenDeadlinePassed = 145, "The time to open the panel has passed; resolve the job without it.";
    PanelSlotHashMismatch = 146, "The entry is not the first slot hash at or after the target slot.";
    PanelSlotHashRetained = 147, "The target's slot hash is still there or not there yet; open the panel with it.";
    PanelNotLive = 148, "The panel has spoken already.";
    PanelNotJoining = 149, "The panel's join window has passed.";
    PanelNotCommitting = 150, "The panel is not in its commit phase.";
    PanelNotRevealing = 151, "The panel is not in its reveal phase.";
    PanelNotOver = 152, "The panel may still act; wait for its phase to end.";
    PanelNotResolved = 153, "The panel has no verdict yet.";
    PanelSeatsUnsettled = 154, "The panel's seats must be settled first.";

    SeatScoreTooHigh = 160, "The panel is full and every seat's score is at most this ticket's.";
    SeatProviderSeated = 161, "The provider already holds a seat on one of the job's panels.";
    SeatPrimaryRefused = 162, "A job's own provider cannot audit it.";
    SeatStakeTooYoung = 163, "The provider's stake or class changed too shortly before the job was created.";
    SeatTicketInvalid = 164, "The provider has no ticket of this number.";
    SeatEvictedMissing = 165, "The seat is held; the account of the provider that leaves it must be given.";
    SeatEvictedMismatch = 166, "The account is not the provider that leaves the seat.";
    SeatIndexInvalid = 167, "The panel has no seat of this number.";
    SeatProviderMismatch = 168, "The seat is not held by this provider.";
    SeatNotJoined = 169, "The seat is not waiting for a commitment.";
    SeatNotCommitted = 170, "The seat has no commitment waiting to be revealed.";
    SeatCommitmentMissing = 171, "The commitment must not be zero.";
    SeatSettled = 172, "The seat is already settled.";

    SessionRequesterMismatch = 180, "The account is not the session's requester.";
    SessionProviderMismatch = 181, "The account is not the provider that the session was opened with.";
    SessionKeyMissing = 182, "session_key must not be zero.";
    SessionGraceInvalid = 183, "The grace time must lie between 1 and 30 days.";
    SessionClosing = 184, "The session's close was requested; it takes no more deposits or requests.";
    SessionNotClosable = 185, "Before a requested close's grace time is over, only the provider's authority or operator may close.";
    SessionSlotTooRecent = 186, "The session can close only once its open_slot is more than 150 slots old.";

    VoucherMissing = 190, "The instruction directly before must be the Ed25519 program's.";
    VoucherProofInvalid = 191, "The Ed25519 instruction must hold one signature over 50 bytes, all at their fixed places in its own data.";
    VoucherKeyMismatch = 192, "The voucher is signed by another key than the session's.";
    VoucherSessionMismatch = 193, "The signed message is no voucher of this session.";
    VoucherExpired = 194, "The voucher's time is over.";
    VoucherNotAbove = 195, "The voucher's cumulative must be above what is settled already.";
    VoucherAboveDeposit = 196, "The voucher's cumulative is above the deposit.";
}

impl Error {
    /// The error's custom number on chain.
    pub const fn code(self) -> u32 {
        ERROR_OFFSET + self as u32
    }

    /// The error with this custom number, if it is one of the program's.
    pub fn from_code(code: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|error| error.code() == code)
    }
}
