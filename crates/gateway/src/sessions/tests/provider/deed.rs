//! What the provider of the tests can do.

use assay_client::{protocol::Digest, session::Receipt};

/// What it does with the next request, or with all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    Honest,
    Busy,
    /// An answer of something in between.
    Proxy,
    Mismatch,
    ModelFailed,
    /// Charges, and the connection breaks before the answer is whole.
    ChargeAndBreak,
    /// The same, and whoever asks again gets nothing at all.
    ChargeAndKeep,
    /// Charges, and says that its requester lost count; whoever asks again gets the answer.
    ChargeAndMiscount,
    /// The same for the last request that it broke off or miscounted.
    ChargeBefore,
    /// Its reader leaves and is charged for everything that was asked for.
    ChargeAll,
    /// Its reader leaves and is charged for a little more; whoever asks again, for everything that was asked for.
    ChargeMore,
    /// Its reader leaves, and it goes on until it notices.
    Unaware,
    /// The connection breaks and nothing is charged.
    Break,
    /// Tells a thousand likely tokens beside each one.
    Talkative,
    /// Refuses at some length.
    LongRefusal,
    /// Says that its requester lost count.
    Miscount,
    /// Has taken the model out of its offer.
    Unserved,
    /// Answers, and signs as its operator of now, which the chain knows and its offer does not tell yet.
    ChangeOperator,
    /// The same, and the connection breaks before the answer is whole.
    ChangeOperatorAndBreak,
    /// Signs as somebody else.
    Stranger,
    Price,
    Request,
    Answer,
    Sum,
    Fork,
    NoReceipt,
}

impl Deed {
    /// The receipt that it signs in place of the right one.
    pub fn forge(self, good: Receipt) -> Receipt {
        match self {
            Self::Price => Receipt {
                price: good.price + 1,
                cumulative: good.cumulative + 1,
                ..good
            },
            Self::Request => Receipt {
                request: Digest([1; 32]),
                ..good
            },
            Self::Answer => Receipt {
                response: Digest([1; 32]),
                ..good
            },
            Self::Sum => Receipt {
                cumulative: good.cumulative + 7,
                ..good
            },
            Self::Fork => Receipt {
                previous: Digest([1; 32]),
                ..good
            },
            Self::Honest
            | Self::Busy
            | Self::Proxy
            | Self::Mismatch
            | Self::ModelFailed
            | Self::ChargeAndBreak
            | Self::ChargeAndKeep
            | Self::ChargeAndMiscount
            | Self::ChargeBefore
            | Self::ChargeAll
            | Self::ChargeMore
            | Self::ChangeOperator
            | Self::ChangeOperatorAndBreak
            | Self::Stranger
            | Self::Unaware
            | Self::Break
            | Self::Talkative
            | Self::LongRefusal
            | Self::Miscount
            | Self::Unserved
            | Self::NoReceipt => good,
        }
    }
}
