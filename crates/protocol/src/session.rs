//! A session: a payment channel for many requests to one provider.
//!
//! The requester locks a deposit; its session key signs vouchers, each over the sum of everything
//! paid so far; the provider settles the newest voucher whenever it likes. Two transactions pay for
//! any number of requests.

use bytemuck::{Pod, Zeroable};

use crate::{
    Address, LAYOUT_VERSION,
    amount::{BasisPoints, Lamports, Split, split_price},
    args::SessionOpenArgs,
    error::{Error, Result},
    job::check_open_slot,
    limits::{MAX_GRACE_SECS, MIN_GRACE_SECS, OPEN_SLOT_AGE},
    provider::ProviderData,
    time::{Seconds, UnixSeconds},
    voucher::Voucher,
};

/// Where a session stands. It only goes forward, and then its account is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SessionStatus {
    /// Takes top-ups and settlements.
    Open = 1,
    /// Its requester wants out: takes settlements only, until it is closed.
    CloseRequested = 2,
}

/// Account data of a session, after the discriminator. Money field: `deposit - settled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
#[cfg_attr(feature = "anchor", derive(anchor_lang::IdlType))]
pub struct SessionData {
    pub version: u8,
    /// A [`SessionStatus`].
    pub status: u8,
    pub bump: u8,
    pub flags: u8,
    pub sequence: u32,
    /// Pays and gets the rent and the rest back.
    pub requester: Address,
    /// The provider's account.
    pub provider: Address,
    /// Signs vouchers up to the deposit.
    pub session_key: Address,
    /// Lamports ever deposited.
    pub deposit: u64,
    /// Lamports settled, the highest cumulative seen.
    pub settled: u64,
    pub open_slot: u64,
    /// The provider's generation when opened.
    pub generation: u64,
    /// Unix seconds; 0 unless a close was requested.
    pub close_requested_at: i64,
    pub index: u32,
    /// From close request to close.
    pub grace_secs: u32,
    /// The market's fee when the session was opened.
    pub fee_bps: u16,
    pub reserved: [u8; 62],
}

/// Who opens a session, with whom, and under which fee.
#[derive(Clone, Copy, Debug)]
pub struct SessionOpening {
    pub requester: Address,
    /// The provider's account.
    pub provider: Address,
    /// The provider's generation.
    pub generation: u64,
    pub bump: u8,
    pub fee_bps: u16,
}

impl SessionData {
    /// A new open session with everything it will ever need.
    ///
    /// Errors: [`Error::JobSlotInvalid`] for an `open_slot` that is not recent,
    /// [`Error::SessionGraceInvalid`], [`Error::SessionKeyMissing`], [`Error::AmountZero`] for an
    /// empty deposit.
    #[inline]
    pub fn open(&mut self, at: &SessionOpening, args: &SessionOpenArgs, slot: u64) -> Result<()> {
        check_open_slot(args.open_slot, slot)?;
        if args.grace_secs < MIN_GRACE_SECS || args.grace_secs > MAX_GRACE_SECS {
            return Err(Error::SessionGraceInvalid);
        }
        if args.session_key == Address::default() {
            return Err(Error::SessionKeyMissing);
        }
        if args.deposit == 0 {
            return Err(Error::AmountZero);
        }
        self.version = LAYOUT_VERSION;
        self.status = SessionStatus::Open as u8;
        self.bump = at.bump;
        self.sequence = 1;
        self.requester = at.requester;
        self.provider = at.provider;
        self.session_key = args.session_key;
        self.deposit = args.deposit;
        self.open_slot = args.open_slot;
        self.generation = at.generation;
        self.index = args.index;
        self.grace_secs = args.grace_secs;
        self.fee_bps = at.fee_bps;
        Ok(())
    }

    /// [`Error::SessionRequesterMismatch`] for anyone else.
    #[inline]
    pub fn require_requester(&self, account: &Address) -> Result<()> {
        if *account == self.requester {
            Ok(())
        } else {
            Err(Error::SessionRequesterMismatch)
        }
    }

    /// Whether this is the provider that the session was opened with, and not a later account of
    /// its address; [`Error::SessionProviderMismatch`] otherwise.
    #[inline]
    pub fn require_provider(&self, account: &Address, provider: &ProviderData) -> Result<()> {
        if *account == self.provider && provider.generation == self.generation {
            Ok(())
        } else {
            Err(Error::SessionProviderMismatch)
        }
    }

    /// Adds to the deposit, up to a close request.
    #[inline]
    pub fn add(&mut self, amount: Lamports) -> Result<()> {
        self.require_open()?;
        if amount == Lamports::ZERO {
            return Err(Error::AmountZero);
        }
        self.deposit = Lamports(self.deposit).plus(amount)?.0;
        self.changed();
        Ok(())
    }

    /// Takes a voucher whose signature was checked; returns what it pays beyond what was settled.
    /// The caller moves the lamports.
    ///
    /// Errors: [`Error::VoucherExpired`], [`Error::VoucherNotAbove`] for a cumulative that pays
    /// nothing new, [`Error::VoucherAboveDeposit`].
    #[inline]
    pub fn settle(&mut self, voucher: &Voucher, now: UnixSeconds) -> Result<Split> {
        if !UnixSeconds(voucher.expires_at).allows(now) {
            return Err(Error::VoucherExpired);
        }
        if voucher.cumulative <= self.settled {
            return Err(Error::VoucherNotAbove);
        }
        if voucher.cumulative > self.deposit {
            return Err(Error::VoucherAboveDeposit);
        }
        let price = Lamports(voucher.cumulative).minus(Lamports(self.settled))?;
        let split = split_price(price, BasisPoints(self.fee_bps))?;
        self.settled = voucher.cumulative;
        self.changed();
        Ok(split)
    }

    /// Starts the grace time; returns the last moment in which only the provider may close.
    #[inline]
    pub fn request_close(&mut self, now: UnixSeconds) -> Result<UnixSeconds> {
        self.require_open()?;
        self.status = SessionStatus::CloseRequested as u8;
        self.close_requested_at = now.0;
        self.changed();
        now.after(Seconds(self.grace_secs))
    }

    /// Whether anybody may close: a close was requested and its grace time is over.
    #[inline]
    pub fn require_grace_over(&self, now: UnixSeconds) -> Result<()> {
        let requested = self.status == SessionStatus::CloseRequested as u8;
        let until = UnixSeconds(self.close_requested_at).after(Seconds(self.grace_secs))?;
        if requested && !until.allows(now) {
            Ok(())
        } else {
            Err(Error::SessionNotClosable)
        }
    }

    /// Whether the address is out of reach of a new session, so that no old voucher fits one.
    #[inline]
    pub fn require_old_slot(&self, slot: u64) -> Result<()> {
        if slot.saturating_sub(self.open_slot) > OPEN_SLOT_AGE {
            Ok(())
        } else {
            Err(Error::SessionSlotTooRecent)
        }
    }

    /// Lamports this account holds for its parties beyond rent: what no voucher has taken yet.
    #[inline]
    pub fn money(&self) -> Result<Lamports> {
        Lamports(self.deposit).minus(Lamports(self.settled))
    }

    #[inline]
    fn require_open(&self) -> Result<()> {
        if self.status == SessionStatus::Open as u8 {
            Ok(())
        } else {
            Err(Error::SessionClosing)
        }
    }

    #[inline]
    fn changed(&mut self) {
        self.sequence = self.sequence.wrapping_add(1);
    }
}
