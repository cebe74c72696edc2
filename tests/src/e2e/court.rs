//! An audited job's parties: a primary, others that may sit on its panels, and a requester.

use anyhow::Result;
use assay_client::{
    address,
    protocol::{Address, JobData, JobStatus, PanelData, UnixSeconds},
};
use solana_signer::Signer as _;

use super::{Model, Order, Placed, Provider, Requester, SOL, Settings, Stage, Worker};

/// A primary with its requester, and everybody who may sit in judgement.
pub struct Court<'a> {
    pub stage: &'a Stage,
    pub model: Address,
    pub requester: Requester,
    pub primary: Provider,
    pub auditors: Vec<Provider>,
}

impl<'a> Court<'a> {
    /// Registers a model and everybody, with half a SOL at stake each, old enough to sit.
    pub fn new(stage: &'a Stage, model: &Model, auditors: usize) -> Result<Self> {
        Self::of(stage, model, Provider::register(stage)?, auditors)
    }

    /// As [`Court::new`], with a given primary.
    pub fn of(stage: &'a Stage, model: &Model, primary: Provider, auditors: usize) -> Result<Self> {
        let court = Self {
            stage,
            model: model.register(stage)?,
            requester: Requester::new(stage, SOL)?,
            primary,
            auditors: (0..auditors)
                .map(|_| Provider::register(stage))
                .collect::<Result<_>>()?,
        };
        stage.age(&court.auditors)?;
        Ok(court)
    }

    /// Starts every auditor's worker and waits until all of them take work.
    pub fn bench(&self, settings: &Settings) -> Result<Vec<Worker>> {
        self.start(&self.auditors, settings)
    }

    /// Starts the workers of these and waits until all of them take work.
    pub fn start(&self, providers: &[Provider], settings: &Settings) -> Result<Vec<Worker>> {
        let workers = providers
            .iter()
            .map(|provider| Worker::launch(self.stage, provider, settings))
            .collect::<Result<Vec<_>>>()?;
        for worker in &workers {
            worker.wait_ready()?;
        }
        Ok(workers)
    }

    /// An order for the primary alone, audited at this rate.
    pub fn order(&self, input: Vec<u8>, rate: u16) -> Order {
        let order = Order::new(self.model, input).audited(rate);
        order.only(&self.primary.address)
    }

    /// Hands the input to the primary and creates the job.
    pub fn place(&self, order: &Order) -> Result<Placed> {
        self.requester
            .place(self.stage, &self.primary.http(), order)
    }

    /// Waits for the result, checks it and acknowledges it.
    pub fn accept(&self, job: &Address) -> Result<()> {
        let http = self.primary.http();
        self.stage.wait_job(job, JobStatus::Committed)?;
        self.requester.receive(self.stage, &http, job)?;
        self.requester.acknowledge(&http, job)
    }

    /// Waits until this many auditors sit, and moves the clock to the end of the join window.
    pub fn seat(&self, job: &Address, level: u8, seats: u8) -> Result<PanelData> {
        let what = format!("{seats} to join");
        let panel = self
            .stage
            .wait_panel(job, level, &what, |panel| panel.joined >= seats)?;
        self.stage.pass(UnixSeconds(panel.join_deadline))?;
        Ok(panel)
    }

    /// Waits for a job's end, and until every seat is paid and every panel closed.
    pub fn end(&self, job: &Address, status: JobStatus) -> Result<JobData> {
        self.stage.wait_job(job, status)?;
        for level in [1, 2] {
            self.stage.wait_gone(&address::panel(job, level))?;
        }
        self.stage.get(job)
    }

    /// Everybody's wallets.
    pub fn wallets(&self) -> Vec<Address> {
        let mut wallets = vec![self.requester.address()];
        for provider in self.auditors.iter().chain([&self.primary]) {
            wallets.push(provider.authority.pubkey());
            wallets.push(provider.operator.pubkey());
        }
        wallets
    }
}

impl Stage {
    /// Moves the clock until these providers' stakes have lain long enough to audit a job that is created then.
    pub fn age(&self, providers: &[Provider]) -> Result<()> {
        let age = i64::from(self.market()?.params.stake_age_secs);
        for provider in providers {
            let aged_at = provider.data(self)?.aged_at;
            self.pass(UnixSeconds(aged_at + age))?;
        }
        Ok(())
    }
}
