//! What a bookkeeper with paper and pencil would write down: every party, job and lamport, without the program's code.

use std::{collections::BTreeMap, rc::Rc};

use assay_client::{
    address,
    protocol::{
        Address, Error, JobStatus, args::JobCreateArgs, market::MarketParams, verdict::Verdict,
    },
    slot_hashes::SlotHash,
};

use super::{bench::Bench, seal::Seal, sessions::Session};

/// What the book expects of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    Accepted,
    /// Refused by exactly this rule of the market.
    Fact(Error),
    /// Refused before or beside the rules: a missing account, an address in use, a wallet too poor.
    Refused,
}

/// Why an instruction does not happen.
pub type Outcome = Result<(), Expected>;

/// A rule that is not kept.
pub fn rule(kept: bool, error: Error) -> Outcome {
    if kept {
        Ok(())
    } else {
        Err(Expected::Fact(error))
    }
}

/// Anything else that keeps a transaction from happening.
pub fn possible(possible: bool) -> Outcome {
    if possible {
        Ok(())
    } else {
        Err(Expected::Refused)
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Provider {
    pub authority: Address,
    pub payer: Address,
    pub operator: Address,
    pub class: [u8; 32],
    pub generation: u64,
    pub free: u64,
    pub unbonding: u64,
    pub unbond_at: i64,
    pub unbond_secs: u32,
    pub earnings: u64,
    pub fees: u64,
    /// Since when stake and class have lain unchanged.
    pub aged: i64,
    /// Seats that earned a fee, and seats that lost at least a part of their bond.
    pub audits: (u32, u32),
    pub gift: u64,
}

#[derive(Clone, Copy, Debug)]
pub struct Model {
    pub author: Address,
    pub payer: Address,
    pub retired_at: Option<i64>,
    pub gift: u64,
}

#[derive(Clone, Copy, Debug)]
pub struct Job {
    pub requester: Address,
    pub secret: [u8; 32],
    pub args: JobCreateArgs,
    pub status: JobStatus,
    /// Account and generation of whoever holds or held the job.
    pub holder: Option<(Address, u64)>,
    pub attempt: u8,
    pub created: i64,
    pub opened: i64,
    pub claimed: i64,
    pub committed: i64,
    pub convened: i64,
    /// Seconds of the ramp that earlier attempts used up.
    pub climbed: i64,
    pub price: u64,
    pub escrow: u64,
    /// What the requester put on its dispute.
    pub bond: u64,
    pub refund_due: u64,
    /// The market as it was when the job was created.
    pub params: MarketParams,
    /// What the primary committed to.
    pub seal: Option<Seal>,
    pub acknowledged: bool,
    /// The convened level; 0 for none.
    pub level: u8,
    pub target: u64,
    /// Whether the panel of each level was ever opened.
    pub opened_panels: [bool; 2],
    /// The primary's, once revealed.
    pub root: Option<[u8; 32]>,
    pub verdict: Option<Verdict>,
    pub gift: u64,
}

impl Job {
    /// A job that was just created.
    pub fn new(requester: Address, secret: [u8; 32], args: JobCreateArgs, book: &Shadow) -> Self {
        Self {
            requester,
            secret,
            args,
            status: JobStatus::Open,
            holder: None,
            attempt: 0,
            created: book.now,
            opened: book.now,
            claimed: 0,
            committed: 0,
            convened: 0,
            climbed: 0,
            price: 0,
            escrow: 0,
            bond: 0,
            refund_due: 0,
            params: book.params,
            seal: None,
            acknowledged: false,
            level: 0,
            target: 0,
            opened_panels: [false; 2],
            root: None,
            verdict: None,
            gift: 0,
        }
    }

    /// Whether a panel is asked for or at work.
    pub fn is_convened(&self) -> bool {
        matches!(self.status, JobStatus::Auditing | JobStatus::Appealing)
    }

    /// Whether somebody's collateral is set aside for it.
    pub fn is_held(&self) -> bool {
        self.is_convened() || matches!(self.status, JobStatus::Claimed | JobStatus::Committed)
    }
}

/// Rent minima by the kind of account.
#[derive(Clone, Copy, Debug)]
pub struct Rents {
    pub wallet: u64,
    pub treasury: u64,
    pub provider: u64,
    pub model: u64,
    pub job: u64,
    pub panel: u64,
    pub session: u64,
}

/// The whole economy.
#[derive(Clone, Debug)]
pub struct Shadow {
    pub now: i64,
    pub slot: u64,
    /// The hashes that the chain retains, newest first.
    pub hashes: Rc<[SlotHash]>,
    pub rents: Rents,
    pub authority: Address,
    pub pending: Option<Address>,
    pub params: MarketParams,
    pub paused: u8,
    pub collected: u64,
    pub wallets: BTreeMap<Address, u64>,
    pub providers: BTreeMap<Address, Provider>,
    pub models: BTreeMap<Address, Model>,
    pub jobs: BTreeMap<Address, Job>,
    pub panels: BTreeMap<Address, Bench>,
    pub sessions: BTreeMap<Address, Session>,
    pub burned: u64,
}

impl Shadow {
    /// A wallet pays: it must have the money.
    pub fn pay(&mut self, wallet: &Address, lamports: u64) -> Outcome {
        let balance = self.wallets.entry(*wallet).or_default();
        let left = balance.checked_sub(lamports);
        *balance = left.ok_or(Expected::Refused)?;
        Ok(())
    }

    /// A wallet is paid.
    pub fn credit(&mut self, wallet: &Address, lamports: u64) {
        *self.wallets.entry(*wallet).or_default() += lamports;
    }

    /// No account may be left above zero and below its rent.
    pub fn rents_paid(&self) -> Outcome {
        possible(
            self.wallets
                .values()
                .all(|balance| *balance == 0 || *balance >= self.rents.wallet),
        )
    }

    pub fn balance(&self, wallet: &Address) -> u64 {
        self.wallets.get(wallet).copied().unwrap_or_default()
    }

    /// Jobs that this provider has claimed and that have not ended.
    pub fn live<'a>(&'a self, account: &'a Address) -> impl Iterator<Item = &'a Job> {
        self.jobs.values().filter(move |job| {
            job.is_held() && job.holder.is_some_and(|(holder, _)| holder == *account)
        })
    }

    /// Seats that this provider holds and that are not settled.
    pub fn seats(&self, account: &Address) -> usize {
        let held =
            |bench: &Bench| usize::from(bench.unsettled().any(|seat| seat.provider == *account));
        self.panels.values().map(held).sum()
    }

    /// Panels of this job that are not closed.
    pub fn live_panels<'a>(
        &'a self,
        job: &'a Address,
    ) -> impl Iterator<Item = (&'a Address, &'a Bench)> {
        self.panels
            .iter()
            .filter(move |(_, bench)| bench.job == *job)
    }

    /// Collateral that is set aside.
    pub fn reserved(&self, account: &Address) -> u64 {
        self.live(account)
            .map(|job| job.args.terms.collateral)
            .sum()
    }

    /// The whole stake.
    pub fn stake(&self, account: &Address) -> u64 {
        let parts = self
            .providers
            .get(account)
            .map_or(0, |provider| provider.free + provider.unbonding);
        parts + self.reserved(account)
    }

    /// The moment after which something else may happen to a job; long ago for an ended one.
    pub fn next_deadline(&self, account: &Address, job: &Job) -> i64 {
        match job.status {
            JobStatus::Open => job.claim_deadline(),
            JobStatus::Claimed => job.compute_deadline(),
            JobStatus::Committed => job.challenge_deadline(),
            JobStatus::Auditing | JobStatus::Appealing => {
                let panel = self.panels.get(&address::panel(account, job.level));
                panel.map_or(job.open_deadline(), |bench| bench.deadline(self.now, job))
            }
            JobStatus::Settled
            | JobStatus::Faulted
            | JobStatus::Cancelled
            | JobStatus::Expired
            | JobStatus::Unresolved => 0,
        }
    }

    /// Lamports at an address, if the book knows it.
    pub fn lamports(&self, address: &Address) -> Option<u64> {
        if let Some(job) = self.jobs.get(address) {
            return Some(self.rents.job + job.escrow + job.bond + job.refund_due + job.gift);
        }
        if let Some(bench) = self.panels.get(address) {
            return Some(self.rents.panel + bench.bonds() + bench.gift);
        }
        if let Some(provider) = self.providers.get(address) {
            let income = provider.earnings + provider.fees;
            return Some(self.rents.provider + self.stake(address) + income + provider.gift);
        }
        if let Some(session) = self.sessions.get(address) {
            let rest = session.deposit - session.settled;
            return Some(self.rents.session + rest + session.gift);
        }
        if let Some(model) = self.models.get(address) {
            return Some(self.rents.model + model.gift);
        }
        self.wallets.get(address).copied()
    }
}
