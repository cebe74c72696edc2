//! What most tests begin with, and what they hold against the chain at the end.

use anyhow::Result;
use assay_client::{
    Event,
    protocol::{Address, JobData, JobStatus, ProviderData},
};
use assay_tests::e2e::{Model, Order, Provider, Requester, SOL, Settings, Stage, Worker};

/// A provider, a requester and a registered model that nobody else on the chain deals with.
pub struct Parties<'a> {
    pub stage: &'a Stage,
    pub provider: Provider,
    pub requester: Requester,
    pub model: Address,
}

impl<'a> Parties<'a> {
    pub fn new(stage: &'a Stage, model: &Model) -> Result<Self> {
        Ok(Self {
            stage,
            provider: Provider::register(stage)?,
            requester: Requester::new(stage, SOL)?,
            model: model.register(stage)?,
        })
    }

    pub fn worker(&self, settings: &Settings) -> Result<Worker> {
        Worker::start(self.stage, &self.provider, settings)
    }

    /// An order that only our provider may take.
    pub fn order(&self, input: Vec<u8>) -> Order {
        Order::new(self.model, input).only(&self.provider.address)
    }

    /// What the events of a job's transactions were called, in order.
    pub fn story(&self, job: &Address) -> Result<Vec<&'static str>> {
        let history = self.stage.history(job)?;
        Ok(history
            .iter()
            .flat_map(|landed| &landed.events)
            .map(Event::name)
            .collect())
    }

    /// Holds that one job of a fixed price was settled and paid exactly once.
    pub fn assert_paid_once(&self, job: &Address, order: &Order, create_fee: u64) -> Result<()> {
        let data: JobData = self.stage.get(job)?;
        assert_eq!(data.status().ok(), Some(JobStatus::Settled));
        assert_eq!(
            (data.price, data.escrow, data.refund_due),
            (order.ceiling, 0, 0)
        );
        let provider = self.provider.data(self.stage)?;
        assert_settled(&provider, 1, order.ceiling, data.fee_bps);
        assert_eq!(provider.stake, SOL / 2);
        let rent = self.stage.rent::<JobData>()?;
        assert_eq!(self.stage.balance(job)?, rent);
        assert_eq!(
            self.requester.balance(self.stage)?,
            SOL - create_fee - rent - order.ceiling
        );
        let story = self.story(job)?;
        assert_eq!(
            story,
            ["JobCreated", "JobClaimed", "JobCommitted", "JobSettled"]
        );
        Ok(())
    }
}

/// Holds that a provider was paid for this many jobs of `paid` lamports together, and lost nothing.
pub fn assert_settled(provider: &ProviderData, jobs: u32, paid: u64, fee_bps: u16) {
    // In 128 bits and rounded down, unlike the program's own way to the same number.
    let fee = u64::try_from(u128::from(paid) * u128::from(fee_bps) / 10_000).expect("a part of it");
    assert_eq!((provider.earnings, provider.fees_due), (paid - fee, fee));
    assert_eq!(provider.total_earned, provider.earnings);
    assert_eq!((provider.jobs_settled, provider.jobs_faulted), (jobs, 0));
    assert_eq!(
        (
            provider.jobs_late,
            provider.jobs_released,
            provider.total_slashed
        ),
        (0, 0, 0)
    );
    assert_eq!((provider.reserved, provider.live_jobs), (0, 0));
}
