//! One account of the program, decoded, with what must hold for every type.

use assay_client::{
    account::{Layout, decode},
    address, discriminator,
    protocol::{
        Digest, JobData, LAYOUT_VERSION, MarketData, ModelData, PanelData, ProviderData,
        SessionData, TreasuryData,
    },
};
use solana_account::Account;

use super::{
    Change,
    deed::{Deed, Violation, ensure},
};

/// An account of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub lamports: u64,
    /// Rent minimum of its size.
    pub rent: u64,
    pub state: State,
}

/// An account's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Market(Box<MarketData>),
    Treasury(Box<TreasuryData>),
    Provider(Box<ProviderData>),
    Model(Box<ModelData>),
    Job(Box<JobData>),
    Panel(Box<PanelData>),
    Session(Box<SessionData>),
}

impl Held {
    pub(super) fn read(account: &Account, rent: u64) -> Result<Self, Violation> {
        let data = &account.data;
        let state = if is::<JobData>(data) {
            decode(data).map(|job| State::Job(Box::new(job)))
        } else if is::<PanelData>(data) {
            decode(data).map(|panel| State::Panel(Box::new(panel)))
        } else if is::<ProviderData>(data) {
            decode(data).map(|provider| State::Provider(Box::new(provider)))
        } else if is::<ModelData>(data) {
            decode(data).map(|model| State::Model(Box::new(model)))
        } else if is::<SessionData>(data) {
            decode(data).map(|session| State::Session(Box::new(session)))
        } else if is::<TreasuryData>(data) {
            decode(data).map(|treasury| State::Treasury(Box::new(treasury)))
        } else {
            decode(data).map(|market| State::Market(Box::new(market)))
        };
        match state {
            Ok(state) => Ok(Self {
                lamports: account.lamports,
                rent,
                state,
            }),
            Err(error) => {
                ensure(false, 3, || {
                    format!("the program left an unreadable account: {error}")
                })?;
                unreachable!("ensure(false) is an error")
            }
        }
    }

    /// The job, if it is one.
    pub fn job(&self) -> Option<&JobData> {
        if let State::Job(job) = &self.state {
            Some(job)
        } else {
            None
        }
    }

    /// The panel, if it is one.
    pub fn panel(&self) -> Option<&PanelData> {
        if let State::Panel(panel) = &self.state {
            Some(panel)
        } else {
            None
        }
    }

    /// The session, if it is one.
    pub fn session(&self) -> Option<&SessionData> {
        if let State::Session(session) = &self.state {
            Some(session)
        } else {
            None
        }
    }

    /// The provider, if it is one.
    pub fn provider(&self) -> Option<&ProviderData> {
        if let State::Provider(provider) = &self.state {
            Some(provider)
        } else {
            None
        }
    }

    /// The sum of the account's money fields.
    pub fn money(&self) -> u128 {
        let sum = |fields: &[u64]| fields.iter().map(|field| u128::from(*field)).sum();
        match &self.state {
            State::Job(job) => sum(&[job.escrow, job.dispute_bond, job.refund_due]),
            State::Provider(provider) => {
                sum(&[provider.stake, provider.earnings, provider.fees_due])
            }
            State::Treasury(treasury) => sum(&[treasury.collected]),
            State::Panel(panel) => sum(&[panel.bonds]),
            State::Session(session) => u128::from(session.deposit.saturating_sub(session.settled)),
            State::Market(_) | State::Model(_) => 0,
        }
    }

    /// Lamports beyond rent and money fields: what strangers gave. Negative is a broken invariant.
    pub fn excess(&self) -> i128 {
        i128::from(self.lamports)
            - i128::from(self.rent)
            - i128::try_from(self.money()).unwrap_or(i128::MAX)
    }

    /// The account's sequence number.
    pub fn sequence(&self) -> u32 {
        match &self.state {
            State::Market(market) => market.sequence,
            State::Treasury(treasury) => treasury.sequence,
            State::Provider(provider) => provider.sequence,
            State::Model(model) => model.sequence,
            State::Job(job) => job.sequence,
            State::Panel(panel) => panel.sequence,
            State::Session(session) => session.sequence,
        }
    }

    fn version(&self) -> u8 {
        match &self.state {
            State::Market(market) => market.version,
            State::Treasury(treasury) => treasury.version,
            State::Provider(provider) => provider.version,
            State::Model(model) => model.version,
            State::Job(job) => job.version,
            State::Panel(panel) => panel.version,
            State::Session(session) => session.version,
        }
    }
}

/// Sizes differ between all types, so the costly discriminator is computed for the likely one only.
fn is<T: Layout>(data: &[u8]) -> bool {
    data.len() == T::SIZE && data.starts_with(&discriminator::account(T::NAME))
}

/// Invariant 6: a new account lives at the one address that its own content names, and none replaces another.
pub(super) fn check_address(change: &Change<'_>, after: &Held) -> Result<(), Violation> {
    if change.before.is_some() {
        return Ok(());
    }
    let expected = match &after.state {
        State::Market(_) => address::market(),
        State::Treasury(_) => address::treasury(),
        State::Provider(provider) => address::provider(&provider.authority),
        State::Model(model) => address::model(&model.author, &Digest(model.digest)),
        State::Job(job) => address::job(&job.requester, job.open_slot, job.index),
        State::Panel(panel) => address::panel(&panel.job, panel.level),
        State::Session(session) => address::session(
            &session.requester,
            &session.provider,
            session.open_slot,
            session.index,
        ),
    };
    ensure(change.address == expected, 6, || {
        format!("{} should live at {expected}: {after:?}", change.address)
    })
}

/// Invariant 1: no money field without lamports behind it, and no lamports that no field counts except gifts.
pub(super) fn check_backed(
    deed: &Deed<'_>,
    change: &Change<'_>,
    after: &Held,
) -> Result<(), Violation> {
    let excess = after.excess();
    ensure(excess >= 0, 1, || {
        format!(
            "{} lacks {} lamports behind its money fields: {after:?}",
            change.address, -excess
        )
    })?;
    let given = match change.before {
        Some(before) => before.excess(),
        // A stranger's lamports at the address pay the rent first.
        None => (i128::from(change.lamports.0) - i128::from(after.rent)).max(0),
    };
    let gift = !deed.is_pure()
        || deed
            .acts()
            .any(|act| act.account("destination") == Some(change.address));
    ensure(excess == given || (gift && excess >= given), 1, || {
        format!(
            "{} has {excess} uncounted lamports after {given}: {after:?}",
            change.address
        )
    })
}

/// Sequence numbers start at 1 and grow with every change.
pub(super) fn check_sequence(
    deed: &Deed<'_>,
    change: &Change<'_>,
    after: &Held,
) -> Result<(), Violation> {
    ensure(after.version() == LAYOUT_VERSION, 3, || {
        format!("{} has layout version {}", change.address, after.version())
    })?;
    match change.before {
        // A panel may be joined in the transaction that opens it.
        None if deed.only_instruction().is_none() => Ok(()),
        None => ensure(after.sequence() == 1, 3, || {
            format!(
                "{} starts with sequence number {}",
                change.address,
                after.sequence()
            )
        }),
        Some(before) if before.state == after.state => Ok(()),
        Some(before) => ensure(after.sequence() > before.sequence(), 3, || {
            format!(
                "{} changed without a new sequence number: {after:?}",
                change.address
            )
        }),
    }
}

/// An account never becomes another type, and identities stay.
pub(super) fn check_kind(before: &State, after: &State) -> Result<(), Violation> {
    let same = match (before, after) {
        (State::Market(before), State::Market(after)) => before.bump == after.bump,
        (State::Treasury(before), State::Treasury(after)) => {
            let withdrawn = before.total_collected - before.collected;
            before.bump == after.bump
                && after.total_collected >= before.total_collected
                && after.total_collected - after.collected >= withdrawn
        }
        (State::Model(before), State::Model(after)) => {
            let mut expected = **before;
            expected.status = after.status;
            expected.sequence = after.sequence;
            expected.retired_at = after.retired_at;
            expected == **after && after.status >= before.status
        }
        (before, after) => std::mem::discriminant(before) == std::mem::discriminant(after),
    };
    ensure(same, 3, || format!("{before:?} became {after:?}"))
}
