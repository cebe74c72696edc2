//! The chain: the market's rules, and others who act on it.

use assay_protocol::{
    Address, BasisPoints, Error, JobStatus, Lamports, amount::split_price, commitment::secret_hash,
    job::Finalized,
};
use bytemuck::Zeroable;

use super::super::super::*;
use super::{PROVIDER, START, World, address};

const RIVAL: Address = Address::new_from_array([201; 32]);

impl World {
    pub(super) fn execute(
        &mut self,
        address: Address,
        attempt: u8,
        intent: &Intent,
    ) -> assay_protocol::Result<()> {
        let now = UnixSeconds(self.now);
        let mut job = self.chain[&address];
        let mut provider = self.provider;
        match intent {
            Intent::Claim { min_price } => {
                if let Some(error) = self.refuse_claims {
                    return Err(error);
                }
                provider.reserve(Lamports(job.collateral))?;
                if job.claim(PROVIDER, provider.generation, now)? < *min_price {
                    return Err(Error::JobPriceBelowMinimum);
                }
            }
            Intent::Commit(args) => {
                require_ours(&job)?;
                job.commit(args, now)?;
            }
            Intent::Release => {
                require_ours(&job)?;
                let lost = job.release(attempt, now)?;
                provider.unreserve(Lamports(job.collateral), lost.slash)?;
                provider.jobs_released += 1;
            }
            Intent::Finalize(args) => {
                require_ours(&job)?;
                let Finalized::Settled(settlement) = job.finalize(&address, args, 1_000, now)?
                else {
                    self.change(address, job);
                    return Ok(());
                };
                provider.unreserve(Lamports(job.collateral), Lamports::ZERO)?;
                provider.earn(settlement.split)?;
                let split = split_price(Lamports(job.price), BasisPoints(job.fee_bps))?;
                self.earned += split.earned.0;
            }
        }
        self.provider = provider;
        self.change(address, job);
        Ok(())
    }

    /// Another provider takes an open job.
    pub(super) fn rival(&mut self, address: Address) {
        let mut job = self.chain[&address];
        if job.claim(RIVAL, 1, UnixSeconds(self.now)).is_ok() {
            self.change(address, job);
        }
    }

    /// Somebody cranks what is overdue.
    pub(super) fn crank(&mut self, address: Address) {
        let now = UnixSeconds(self.now);
        let mut job = self.chain[&address];
        let ours = job.provider == PROVIDER;
        let collateral = Lamports(job.collateral);
        if job.status() == Ok(JobStatus::Claimed)
            && let Ok(lost) = job.expire_claim(now)
        {
            if ours {
                self.provider.unreserve(collateral, lost.slash).unwrap();
            }
            self.change(address, job);
        } else if job.expire_open(now).is_ok() {
            self.change(address, job);
        }
    }

    pub(super) fn change(&mut self, address: Address, job: JobData) {
        let before = self.chain.insert(address, job);
        self.old_readings
            .extend(before.map(|before| (address, before)));
    }
}

fn require_ours(job: &JobData) -> assay_protocol::Result<()> {
    if job.provider == PROVIDER {
        Ok(())
    } else {
        Err(Error::JobProviderMismatch)
    }
}

pub(super) fn open_job(number: u8) -> JobData {
    let mut job = JobData::zeroed();
    job.version = LAYOUT_VERSION;
    job.status = JobStatus::Open as u8;
    job.sequence = 1;
    job.requester = address(120);
    job.model_digest = [1; 32];
    job.input_digest = [2; 32];
    job.requester_secret_hash = secret_hash(&[number + 100; 32]).0;
    job.ceiling = 1_000;
    job.floor = 1_000 - u64::from(number);
    job.collateral = 1_000;
    job.escrow = 1_000;
    job.created_at = START;
    job.opened_at = START;
    job.ramp_secs = 60;
    job.claim_secs = 120;
    job.compute_secs = 20;
    job.challenge_secs = 30;
    job.input_bytes = 100;
    job.output_limit = 100;
    job.fee_bps = 200;
    job
}

pub fn policy() -> Policy {
    Policy {
        min_price: Lamports(0),
        models: None,
        max_input_bytes: 1_000_000,
        max_output_bytes: 1_000_000,
        max_collateral: Lamports(1 << 30),
        max_collateral_ratio: 4,
        max_audited_ratio: 400,
        audited: true,
        max_challenge_secs: 3_600,
        min_compute_secs: 5,
        commit_margin_secs: 5,
        exclusive_only: false,
        concurrent_jobs: 4,
        preparing_jobs: 4,
        watched_jobs: 100,
        requester_percent: 100,
        admission: AdmissionPolicy {
            engines: 4,
            trial_run: TrialRun::Unknown,
            trial_secs: 60,
            safety_percent: 150,
        },
        limits: LimitPolicy::default(),
        breaker: BreakerPolicy {
            failures: 100,
            window_secs: 3_600,
            pause_secs: 600,
        },
        funds: Funds {
            reserve: Lamports(0),
            transaction: Lamports(0),
        },
        pauses: Vec::new(),
    }
}
