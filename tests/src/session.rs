//! A session's way: what its requester, its provider and whoever has a voucher send.

use assay_client::{
    address,
    instruction::{
        SessionClose, SessionCloseRequest, SessionOpen, SessionSettle, SessionTopUp, session::proof,
    },
    protocol::{
        Address, SessionData, UnixSeconds, Voucher, args::SessionOpenArgs, limits::OPEN_SLOT_AGE,
    },
};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{Call, Outcome, Provider, SOL, World};

/// A session's parties and terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    pub account: Address,
    pub requester: Address,
    pub provider: Address,
    pub args: SessionOpenArgs,
}

/// The session key of a requester, which signs for real: the precompile checks it.
pub fn session_key(requester: &Address) -> Keypair {
    Keypair::new_from_array(requester.to_bytes())
}

/// The Ed25519 instruction for a voucher that this key signs.
pub fn signed(voucher: &Voucher, key: &Keypair) -> Instruction {
    let signature = key.sign_message(&voucher.to_bytes());
    proof(voucher, &key.pubkey(), signature.as_array())
}

impl Session {
    /// A voucher over everything paid so far, without an end of its own.
    pub fn voucher(&self, cumulative: u64) -> Voucher {
        Voucher {
            session: self.account,
            cumulative,
            expires_at: i64::MAX,
        }
    }

    /// The same session with other terms, at the same address.
    #[must_use]
    pub fn with_args(mut self, change: impl FnOnce(&mut SessionOpenArgs)) -> Self {
        change(&mut self.args);
        self
    }
}

impl World {
    pub fn session(&self, account: &Address) -> SessionData {
        self.read(account)
    }

    /// A session yet to be opened, by a new wallet: 1 SOL, a day of grace.
    pub fn new_session(&mut self, provider: &Provider) -> Session {
        let requester = self.wallet();
        self.new_session_of(requester, provider)
    }

    /// A session yet to be opened by this requester, at the next index whose address is free and cheap.
    pub fn new_session_of(&mut self, requester: Address, provider: &Provider) -> Session {
        let (open_slot, with) = (self.slot(), provider.account);
        let mut found = address::cheap_session(&requester, &with, open_slot, 0);
        while self.exists(&found.address) {
            found = address::cheap_session(&requester, &with, open_slot, found.index + 1);
        }
        let args = SessionOpenArgs {
            session_key: session_key(&requester).pubkey(),
            deposit: SOL,
            open_slot,
            index: found.index,
            grace_secs: 86_400,
        };
        Session {
            account: found.address,
            requester,
            provider: with,
            args,
        }
    }

    pub fn session_open(&self, session: &Session) -> Call {
        let Session {
            requester,
            provider,
            args,
            ..
        } = *session;
        SessionOpen {
            requester,
            provider,
            args,
        }
        .into()
    }

    /// Opens a session with the usual terms.
    #[track_caller]
    pub fn do_session_open(&mut self, provider: &Provider) -> Session {
        let session = self.new_session(provider);
        self.send(self.session_open(&session)).accepted();
        session
    }

    pub fn session_top_up(&self, session: &Session, amount: u64) -> Call {
        SessionTopUp {
            requester: session.requester,
            session: session.account,
            amount,
        }
        .into()
    }

    #[track_caller]
    pub fn do_session_top_up(&mut self, session: &Session, amount: u64) -> Outcome {
        self.send(self.session_top_up(session, amount)).accepted()
    }

    /// With the proof of a voucher of this sum before it.
    pub fn session_settle(&self, session: &Session, cumulative: u64) -> Call {
        self.session_settle_with(session, &session.voucher(cumulative))
    }

    /// With the proof of this voucher before it.
    pub fn session_settle_with(&self, session: &Session, voucher: &Voucher) -> Call {
        Call::from(SessionSettle {
            provider: session.provider,
            session: session.account,
        })
        .behind(signed(voucher, &session_key(&session.requester)))
    }

    #[track_caller]
    pub fn do_session_settle(&mut self, session: &Session, cumulative: u64) -> Outcome {
        self.send(self.session_settle(session, cumulative))
            .accepted()
    }

    pub fn session_close_request(&self, session: &Session) -> Call {
        SessionCloseRequest {
            requester: session.requester,
            session: session.account,
        }
        .into()
    }

    #[track_caller]
    pub fn do_session_close_request(&mut self, session: &Session) -> Outcome {
        self.send(self.session_close_request(session)).accepted()
    }

    /// By the provider's operator.
    pub fn session_close(&self, session: &Session, provider: &Provider) -> Call {
        SessionClose {
            closer: provider.operator,
            session: session.account,
            provider: Some(session.provider),
            requester: session.requester,
        }
        .into()
    }

    #[track_caller]
    pub fn do_session_close(&mut self, session: &Session, provider: &Provider) -> Outcome {
        self.send(self.session_close(session, provider)).accepted()
    }

    /// By anybody, once the grace time is over.
    pub fn session_close_by(&self, session: &Session, closer: Address) -> Call {
        SessionClose {
            closer,
            session: session.account,
            provider: None,
            requester: session.requester,
        }
        .into()
    }

    /// Lets the grace time of a requested close pass, to its last second or beyond it.
    pub fn pass_grace(&mut self, session: &Session, beyond: bool) {
        let data = self.session(&session.account);
        let last = data.close_requested_at + i64::from(data.grace_secs);
        self.pass_to(UnixSeconds(last + i64::from(beyond)));
    }

    /// Lets slots pass until the session's address can never come again.
    pub fn pass_session_slot(&mut self, session: &Session) {
        let free = session.args.open_slot + OPEN_SLOT_AGE + 1;
        self.pass_slots(free.saturating_sub(self.slot()));
    }
}
