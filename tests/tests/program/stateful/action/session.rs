//! What is sent about sessions.

use assay_client::{
    address,
    instruction::{SessionClose, SessionCloseRequest, SessionOpen, SessionSettle, SessionTopUp},
    protocol::{Address, Voucher, args::SessionOpenArgs},
};
use assay_tests::{
    Call,
    session::{session_key, signed},
};

use super::super::shadow::{Outcome, Shadow};

/// What stands before a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    Sound,
    Missing,
    /// With a header that the precompile takes and the program does not.
    Padded,
}

/// One instruction about a session with all its choices.
#[derive(Clone, Copy, Debug)]
pub enum Channel {
    Open {
        requester: Address,
        provider: Address,
        args: SessionOpenArgs,
    },
    TopUp {
        session: Address,
        signer: Address,
        amount: u64,
    },
    Settle {
        session: Address,
        provider: Address,
        voucher: Voucher,
        /// Whose session key signs.
        signer: Address,
        proof: Proof,
    },
    Request {
        session: Address,
        signer: Address,
    },
    Close {
        session: Address,
        closer: Address,
        provider: Option<Address>,
        requester: Address,
    },
}

impl Channel {
    /// The session that it is about.
    pub fn session(self) -> Address {
        match self {
            Self::Open {
                requester,
                provider,
                args,
            } => address::session(&requester, &provider, args.open_slot, args.index),
            Self::TopUp { session, .. }
            | Self::Settle { session, .. }
            | Self::Request { session, .. }
            | Self::Close { session, .. } => session,
        }
    }

    /// The entry in the book.
    pub fn enter(self, book: &mut Shadow) -> Outcome {
        match self {
            Self::Open {
                requester,
                provider,
                args,
            } => book.session_open(requester, provider, args),
            Self::TopUp {
                session,
                signer,
                amount,
            } => book.session_top_up(session, signer, amount),
            Self::Settle {
                session,
                provider,
                voucher,
                signer,
                proof,
            } => book.session_settle(session, provider, (voucher, signer, proof)),
            Self::Request { session, signer } => book.session_request(session, signer),
            Self::Close {
                session,
                closer,
                provider,
                requester,
            } => book.session_close(session, closer, provider, requester),
        }
    }

    /// The instruction for the chain.
    pub fn call(self) -> Call {
        match self {
            Self::Open {
                requester,
                provider,
                args,
            } => SessionOpen {
                requester,
                provider,
                args,
            }
            .into(),
            Self::TopUp {
                session,
                signer,
                amount,
            } => SessionTopUp {
                requester: signer,
                session,
                amount,
            }
            .into(),
            Self::Settle {
                session,
                provider,
                voucher,
                signer,
                proof,
            } => {
                let call = Call::from(SessionSettle { provider, session });
                let mut ahead = signed(&voucher, &session_key(&signer));
                match proof {
                    Proof::Sound => {}
                    Proof::Missing => return call,
                    Proof::Padded => ahead.data[1] = 1,
                }
                call.behind(ahead)
            }
            Self::Request { session, signer } => SessionCloseRequest {
                requester: signer,
                session,
            }
            .into(),
            Self::Close {
                session,
                closer,
                provider,
                requester,
            } => SessionClose {
                closer,
                session,
                provider,
                requester,
            }
            .into(),
        }
    }
}
