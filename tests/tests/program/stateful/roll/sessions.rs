//! What requesters, providers and holders of vouchers send.

use assay_client::protocol::{Address, Voucher, args::SessionOpenArgs};
use assay_tests::{SOL, session::session_key};
use solana_signer::Signer;

use super::Turn;
use crate::program::stateful::{
    action::{Action, Channel, Proof},
    sessions::Session,
};

/// Sessions at most on one chain.
pub const SESSIONS: usize = 6;

impl Turn<'_> {
    pub fn session(&mut self) -> Action {
        let all: Vec<_> = self
            .book
            .sessions
            .iter()
            .map(|(at, held)| (*at, *held))
            .collect();
        let open = all.is_empty() || (all.len() < SESSIONS && self.dice.percent(30));
        if open {
            return Action::Session(self.open_session());
        }
        let (account, held) = *self.dice.pick(&all);
        // Now and then an address that no session has.
        let session = if self.dice.percent(2) {
            Address::new_from_array([0x79; 32])
        } else {
            account
        };
        let channel = match self.dice.below(20) {
            0..4 => Channel::TopUp {
                session,
                signer: self.key(held.requester),
                amount: self.amount(SOL / 10),
            },
            4..13 => self.settle_session(session, account, &held),
            13..15 => Channel::Request {
                session,
                signer: self.key(held.requester),
            },
            _ => self.close_session(session, &held),
        };
        Action::Session(channel)
    }

    fn open_session(&mut self) -> Channel {
        let requester = *self.dice.pick(&self.cast.requesters);
        let (provider, _) = self.provider();
        let slot = self.book.slot;
        let open_slot = match self.dice.below(20) {
            0 => slot + 1,
            1 => slot - 151,
            2 => slot - 150,
            _ => slot,
        };
        let grace_secs = match self.dice.below(12) {
            0 => 86_399,
            1 => 30 * 86_400 + 1,
            _ => 86_400,
        };
        let session_key = if self.dice.percent(5) {
            Address::default()
        } else {
            session_key(&requester).pubkey()
        };
        let args = SessionOpenArgs {
            session_key,
            deposit: self.amount(SOL / 5),
            open_slot,
            index: u32::try_from(self.dice.below(1 << 20)).expect("small"),
            grace_secs,
        };
        Channel::Open {
            requester,
            provider,
            args,
        }
    }

    fn settle_session(&mut self, session: Address, account: Address, held: &Session) -> Channel {
        let provider = if self.dice.percent(5) {
            self.provider().0
        } else {
            held.provider
        };
        let cumulative = match self.dice.below(12) {
            0 => held.settled,
            1 => held.deposit + 1,
            2 => held.deposit,
            _ => self.dice.within(held.settled, held.deposit),
        };
        let expires_at = match self.dice.below(10) {
            0 => self.book.now - 1,
            1 => self.book.now,
            _ => i64::MAX,
        };
        let foreign = self.dice.percent(4);
        let proof = match self.dice.below(30) {
            0 => Proof::Missing,
            1 => Proof::Padded,
            _ => Proof::Sound,
        };
        Channel::Settle {
            session,
            provider,
            voucher: Voucher {
                session: if foreign { held.requester } else { account },
                cumulative,
                expires_at,
            },
            signer: self.key(held.requester),
            proof,
        }
    }

    fn close_session(&mut self, session: Address, held: &Session) -> Channel {
        let requester = self.key(held.requester);
        let over = held.deadline().is_some_and(|last| self.book.now > last);
        let alone = if over { 70 } else { 10 };
        if self.dice.percent(alone) {
            return Channel::Close {
                session,
                closer: *self.dice.pick(&self.cast.all),
                provider: None,
                requester,
            };
        }
        let (provider, known) = if self.dice.percent(5) {
            self.provider()
        } else {
            let known = self.book.providers.get(&held.provider).copied();
            known.map_or_else(|| self.provider(), |known| (held.provider, known))
        };
        let right = if self.dice.percent(50) {
            known.operator
        } else {
            known.authority
        };
        Channel::Close {
            session,
            closer: self.key(right),
            provider: Some(provider),
            requester,
        }
    }
}
