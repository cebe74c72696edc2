//! What the program reports: one event for every change of money or status.
//!
//! Each starts with the slot and the time, names its account and that account's sequence number
//! after the change (logs can be truncated: a gap in the numbers shows it), and carries balances
//! after the change. Lamports, unix seconds.

#[cfg(not(feature = "anchor"))]
use bytemuck::{Pod, Zeroable};

use crate::Address;

macro_rules! events {
    ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$meta])*
            #[cfg_attr(feature = "anchor", anchor_lang::event(bytemuck))]
            #[cfg_attr(not(feature = "anchor"), repr(C), derive(Clone, Copy, Pod, Zeroable))]
            #[derive(Debug, PartialEq, Eq)]
            pub struct $name {
                /// Slot of the change.
                pub slot: u64,
                /// Unix seconds of the change.
                pub time: i64,
                $($(#[$field_meta])* pub $field: $type,)*
            }
        )*

        /// Name of every event, as its discriminator is derived from it.
        pub const NAMES: &[&str] = &[$(stringify!($name),)*];
    };
}

events! {
    /// The market exists.
    MarketInitialized { market: Address, authority: Address, sequence: u64, }
    /// Parameters changed; running jobs keep theirs.
    MarketUpdated { market: Address, sequence: u64, }
    /// Pause bits changed.
    MarketPaused { market: Address, sequence: u64, flags: u64, }
    /// A next authority was proposed; zero withdraws a proposal.
    AuthorityProposed { market: Address, pending: Address, sequence: u64, }
    /// The proposed authority took over.
    AuthorityAccepted { market: Address, authority: Address, sequence: u64, }
    /// Fees left the treasury.
    TreasuryWithdrawn { treasury: Address, destination: Address, sequence: u64, amount: u64, collected: u64, }

    /// A provider exists, without stake.
    ProviderRegistered { provider: Address, authority: Address, operator: Address, sequence: u64, generation: u64, }
    /// Operator, endpoint or class changed.
    ProviderUpdated { provider: Address, operator: Address, sequence: u64, }
    /// A provider is gone.
    ProviderDeregistered { provider: Address, sequence: u64, }
    /// Stake arrived.
    StakeDeposited { provider: Address, sequence: u64, amount: u64, stake: u64, }
    /// Stake is on its way out.
    StakeUnbonded { provider: Address, sequence: u64, amount: u64, unbonding: u64, unbond_at: i64, }
    /// Stake left.
    StakeWithdrawn { provider: Address, destination: Address, sequence: u64, amount: u64, stake: u64, }
    /// Income and fees left.
    EarningsWithdrawn { provider: Address, destination: Address, sequence: u64, earnings: u64, fees: u64, }

    /// A model exists.
    ModelRegistered { model: Address, author: Address, digest: [u8; 32], sequence: u64, }
    /// A model takes no new jobs.
    ModelRetired { model: Address, sequence: u64, }
    /// A model is gone.
    ModelClosed { model: Address, sequence: u64, }

    /// A job is open.
    JobCreated { job: Address, requester: Address, model: Address, sequence: u64, escrow: u64, ceiling: u64, audit_bps: u64, }
    /// Its requester took it back.
    JobCancelled { job: Address, sequence: u64, refund: u64, }
    /// A provider works on it.
    JobClaimed { job: Address, provider: Address, sequence: u64, price: u64, reserved: u64, attempt: u64, }
    /// The provider gave it back.
    JobReleased { job: Address, provider: Address, sequence: u64, slash: u64, refund: u64, stake: u64, status: u64, }
    /// A result is fixed.
    JobCommitted { job: Address, provider: Address, sequence: u64, commitment: [u8; 32], }
    /// The provider was paid.
    JobSettled { job: Address, provider: Address, sequence: u64, price: u64, fee: u64, refund: u64, earnings: u64, acknowledged: u64, }
    /// A deadline passed; `status` is where the job went.
    JobExpired { job: Address, provider: Address, sequence: u64, slash: u64, refund: u64, stake: u64, status: u64, }
    /// The result is to be audited: the job waits for its level-1 panel.
    JobAudited { job: Address, provider: Address, sequence: u64, target_slot: u64, acknowledged: u64, }
    /// The requester objected: the job waits for its level-2 panel.
    JobDisputed { job: Address, requester: Address, sequence: u64, target_slot: u64, bond: u64, }
    /// The primary's root is known.
    JobRevealed { job: Address, provider: Address, sequence: u64, root: [u8; 32], }
    /// The slot hash that was to seed the job's panel is gone; another one will.
    PanelRetargeted { job: Address, sequence: u64, level: u64, target_slot: u64, }
    /// A panel takes auditors.
    PanelOpened { panel: Address, job: Address, sequence: u64, level: u64, seed: [u8; 32], join_deadline: i64, commit_deadline: i64, reveal_deadline: i64, }
    /// A provider took a seat and moved its bond; `evicted` had to leave it, zero for nobody.
    PanelJoined { panel: Address, provider: Address, evicted: Address, sequence: u64, seat: u64, score: u64, bond: u64, stake: u64, }
    /// An auditor's result is fixed.
    PanelCommitted { panel: Address, provider: Address, sequence: u64, seat: u64, commitment: [u8; 32], }
    /// An auditor's root is known.
    PanelRevealed { panel: Address, provider: Address, sequence: u64, seat: u64, root: [u8; 32], }
    /// The panel of `level` has spoken. `status` is where the job went, `verdict` why. `paid` is the job's price and
    /// `bonus` what a lost dispute leaves, to the primary; `payouts` went to the panels for their seats.
    PanelResolved { job: Address, provider: Address, sequence: u64, level: u64, verdict: u64, status: u64, refund: u64, paid: u64, fee: u64, bonus: u64, slash: u64, payouts: u64, burned: u64, stake: u64, earnings: u64, }
    /// A seat was paid: `returned` of its bond to the stake, `earned` to the earnings.
    SeatSettled { panel: Address, provider: Address, sequence: u64, seat: u64, returned: u64, earned: u64, stake: u64, earnings: u64, }
    /// The account is gone.
    PanelClosed { panel: Address, job: Address, sequence: u64, }
    /// The account is gone.
    JobClosed { job: Address, requester: Address, sequence: u64, refund: u64, }

    /// A payment channel is open.
    SessionOpened { session: Address, requester: Address, provider: Address, sequence: u64, deposit: u64, grace_secs: u64, }
    /// Its deposit grew.
    SessionToppedUp { session: Address, sequence: u64, amount: u64, deposit: u64, }
    /// A voucher was paid: `price` more than before, of which `fee` to the market.
    SessionSettled { session: Address, provider: Address, sequence: u64, cumulative: u64, price: u64, fee: u64, earnings: u64, }
    /// Its requester wants out; anybody may close after `closable_after`.
    SessionCloseRequested { session: Address, sequence: u64, closable_after: i64, }
    /// The account is gone; what no voucher had taken went to the requester.
    SessionClosed { session: Address, requester: Address, sequence: u64, settled: u64, refund: u64, }
}
