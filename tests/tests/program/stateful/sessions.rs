//! The book's rules for sessions.

use assay_client::{
    address,
    protocol::{Address, Error, Voucher, args::SessionOpenArgs},
};
use assay_tests::session::session_key;
use solana_signer::Signer;

use super::{
    action::Proof,
    shadow::{Expected, Outcome, Shadow, possible, rule},
};

const PAUSE_SESSIONS: u8 = 4;
const DAY: u32 = 86_400;

/// A payment channel.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    pub requester: Address,
    pub provider: Address,
    pub generation: u64,
    pub args: SessionOpenArgs,
    pub fee_bps: u16,
    pub deposit: u64,
    pub settled: u64,
    pub requested: Option<i64>,
    pub gift: u64,
}

impl Session {
    /// The last second in which only the provider may close; none before a request.
    pub fn deadline(&self) -> Option<i64> {
        let grace = i64::from(self.args.grace_secs);
        self.requested.map(|moment| moment + grace)
    }
}

impl Shadow {
    pub fn session_open(
        &mut self,
        requester: Address,
        provider: Address,
        args: SessionOpenArgs,
    ) -> Outcome {
        let held = *self.providers.get(&provider).ok_or(Expected::Refused)?;
        let account = address::session(&requester, &provider, args.open_slot, args.index);
        possible(!self.sessions.contains_key(&account))?;
        self.pay(&requester, self.rents.session)?;
        rule(self.paused & PAUSE_SESSIONS == 0, Error::MarketPaused)?;
        let recent = args.open_slot <= self.slot && self.slot - args.open_slot <= 150;
        rule(recent, Error::JobSlotInvalid)?;
        let bounded = (DAY..=30 * DAY).contains(&args.grace_secs);
        rule(bounded, Error::SessionGraceInvalid)?;
        rule(
            args.session_key != Address::default(),
            Error::SessionKeyMissing,
        )?;
        rule(args.deposit > 0, Error::AmountZero)?;
        self.pay(&requester, args.deposit)?;
        let session = Session {
            requester,
            provider,
            generation: held.generation,
            args,
            fee_bps: self.params.fee_bps,
            deposit: args.deposit,
            settled: 0,
            requested: None,
            gift: 0,
        };
        self.sessions.insert(account, session);
        Ok(())
    }

    /// The session at this address, if this is its requester.
    fn channel(&mut self, account: &Address, party: Address) -> Result<&mut Session, Expected> {
        let session = self.sessions.get_mut(account).ok_or(Expected::Refused)?;
        rule(session.requester == party, Error::SessionRequesterMismatch)?;
        Ok(session)
    }

    pub fn session_top_up(&mut self, account: Address, signer: Address, amount: u64) -> Outcome {
        possible(self.sessions.contains_key(&account))?;
        rule(self.paused & PAUSE_SESSIONS == 0, Error::MarketPaused)?;
        let session = self.channel(&account, signer)?;
        rule(session.requested.is_none(), Error::SessionClosing)?;
        rule(amount > 0, Error::AmountZero)?;
        session.deposit += amount;
        self.pay(&signer, amount)
    }

    pub fn session_settle(
        &mut self,
        account: Address,
        provider: Address,
        (voucher, signer, proof): (Voucher, Address, Proof),
    ) -> Outcome {
        let now = self.now;
        let held = self.providers.get_mut(&provider).ok_or(Expected::Refused)?;
        let session = self.sessions.get_mut(&account).ok_or(Expected::Refused)?;
        let right = (session.provider, session.generation) == (provider, held.generation);
        rule(right, Error::SessionProviderMismatch)?;
        rule(proof != Proof::Missing, Error::VoucherMissing)?;
        rule(proof == Proof::Sound, Error::VoucherProofInvalid)?;
        let key = session_key(&signer).pubkey();
        rule(key == session.args.session_key, Error::VoucherKeyMismatch)?;
        rule(voucher.session == account, Error::VoucherSessionMismatch)?;
        rule(now <= voucher.expires_at, Error::VoucherExpired)?;
        let sum = voucher.cumulative;
        rule(sum > session.settled, Error::VoucherNotAbove)?;
        rule(sum <= session.deposit, Error::VoucherAboveDeposit)?;
        let price = sum - session.settled;
        let fee = u128::from(price) * u128::from(session.fee_bps) / 10_000;
        let fee = u64::try_from(fee).expect("a part of the price");
        session.settled = sum;
        held.fees += fee;
        held.earnings += price - fee;
        Ok(())
    }

    pub fn session_request(&mut self, account: Address, signer: Address) -> Outcome {
        let now = self.now;
        let session = self.channel(&account, signer)?;
        rule(session.requested.is_none(), Error::SessionClosing)?;
        session.requested = Some(now);
        Ok(())
    }

    pub fn session_close(
        &mut self,
        account: Address,
        closer: Address,
        provider: Option<Address>,
        requester: Address,
    ) -> Outcome {
        possible(self.sessions.contains_key(&account))?;
        if let Some(provider) = provider {
            possible(self.providers.contains_key(&provider))?;
        }
        let session = *self.channel(&account, requester)?;
        if let Some(provider) = provider {
            let held = self.providers[&provider];
            let right = (session.provider, session.generation) == (provider, held.generation);
            rule(right, Error::SessionProviderMismatch)?;
            let party = [held.authority, held.operator].contains(&closer);
            rule(party, Error::SessionNotClosable)?;
        } else {
            let over = session.deadline().is_some_and(|last| self.now > last);
            rule(over, Error::SessionNotClosable)?;
        }
        let old = self.slot - session.args.open_slot > 150;
        rule(old, Error::SessionSlotTooRecent)?;
        let rest = session.deposit - session.settled;
        self.credit(&requester, self.rents.session + rest + session.gift);
        self.sessions.remove(&account);
        Ok(())
    }
}
