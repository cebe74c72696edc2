//! Following a job to its end: the chain is read until the job has ended, and the requester's part is done on the way.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use assay_client::{
    delivery::{MismatchError, Received, Verified, verify},
    protocol::{
        Address, BasisPoints, JobData, JobStatus, Lamports, ProviderData, amount::split_price,
    },
    secret,
};
use indicatif::{ProgressBar, ProgressStyle};
use solana_keypair::Keypair;

use super::expire_instruction;
use crate::{
    amount::{Amount, bytes, until},
    chain::Clock,
    context::Context,
    delivery::{Answer, Delivered, Worker},
    plain::plain,
    transaction::Sent,
};

const POLL: Duration = Duration::from_millis(400);
/// A worker is asked at every one of so many looks at the chain.
const LOOKS_BETWEEN_QUESTIONS: u32 = 4;
/// Looks after a job has settled until the result is given up.
const LAST_LOOKS: u32 = 40;
/// Looks in a row that may fail: about half a minute.
const MAX_SILENT_LOOKS: u32 = 75;
/// Deadlines are judged by the chain's clock, which nodes see with a delay.
const CRANK_DELAY_SECS: i64 = 2;

/// Watches one job.
pub struct Follower<'a> {
    context: &'a Context,
    job: Address,
    /// The requester's wallet; without it the job is only watched.
    wallet: Option<Keypair>,
    bar: ProgressBar,
    seen: Option<(JobStatus, u8)>,
    result: Option<(Delivered, Verified)>,
    acknowledged: bool,
    told_claim: bool,
    trouble: Option<String>,
    looks: u32,
    looks_after_end: u32,
    silent_looks: u32,
    sent: Vec<Sent>,
}

/// How a job ended.
pub struct Ended {
    pub job: JobData,
    pub clock: Clock,
    pub result: Option<(Delivered, Verified)>,
    pub acknowledged: bool,
    /// What was delivered is not what was committed to.
    pub mismatch: Option<MismatchError>,
    pub sent: Vec<Sent>,
}

impl<'a> Follower<'a> {
    pub fn new(context: &'a Context, job: Address, wallet: Option<Keypair>) -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self {
            context,
            job,
            wallet,
            bar,
            seen: None,
            result: None,
            acknowledged: false,
            told_claim: false,
            trouble: None,
            looks: 0,
            looks_after_end: 0,
            silent_looks: 0,
            sent: Vec::new(),
        }
    }

    /// Looks at the job until it has ended.
    pub async fn follow(mut self) -> Result<Ended> {
        loop {
            let (job, clock) = match self.context.with_clock::<JobData>(&self.job).await {
                Ok(seen) => seen,
                Err(error) => {
                    self.endure(error)?;
                    tokio::time::sleep(POLL).await;
                    continue;
                }
            };
            self.silent_looks = 0;
            let Some(job) = job else {
                bail!(
                    "there is no job at {} (any more); check the address and --url",
                    self.job
                )
            };
            let status = job
                .status()
                .ok()
                .context("the job has a status that this client does not know; update it")?;
            self.tell(status, &job);
            self.bar.set_message(self.message(status, &job, clock));
            if let Err(mismatch) = self.act(status, &job, clock).await? {
                return Ok(self.end(job, clock, Some(mismatch)));
            }
            if status.is_terminal() && !self.waits_for_result(status) {
                return Ok(self.end(job, clock, None));
            }
            self.looks = self.looks.wrapping_add(1);
            tokio::time::sleep(POLL).await;
        }
    }

    /// A node may fail for a moment; a job takes longer than that.
    fn endure(&mut self, error: anyhow::Error) -> Result<()> {
        self.silent_looks += 1;
        if self.silent_looks > MAX_SILENT_LOOKS {
            return Err(error);
        }
        self.trouble(format!("{error:#}"));
        Ok(())
    }

    fn end(self, job: JobData, clock: Clock, mismatch: Option<MismatchError>) -> Ended {
        self.bar.finish_and_clear();
        Ended {
            job,
            clock,
            result: self.result,
            acknowledged: self.acknowledged,
            mismatch,
            sent: self.sent,
        }
    }

    /// A job can settle without the acknowledgement, before the result was fetched.
    fn waits_for_result(&mut self, status: JobStatus) -> bool {
        if status != JobStatus::Settled || self.wallet.is_none() || self.result.is_some() {
            return false;
        }
        self.looks_after_end += 1;
        self.looks_after_end <= LAST_LOOKS
    }

    /// What the status asks of the requester, or of anyone. The inner error is a result that does not verify.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "nothing to do in the other phases"
    )]
    async fn act(
        &mut self,
        status: JobStatus,
        job: &JobData,
        clock: Clock,
    ) -> Result<Result<(), MismatchError>> {
        match status {
            JobStatus::Open => {
                self.crank(job.claim_deadline().map(|at| at.0).ok(), job, clock)
                    .await
            }
            JobStatus::Claimed => {
                self.crank(job.compute_deadline().map(|at| at.0).ok(), job, clock)
                    .await
            }
            JobStatus::Committed | JobStatus::Settled
                if self.looks.is_multiple_of(LOOKS_BETWEEN_QUESTIONS) || self.trouble.is_none() =>
            {
                return self.receive(status, job).await;
            }
            _ => {}
        }
        Ok(Ok(()))
    }

    /// Moves a job whose deadline has passed; anyone may, and the requester has a reason to.
    async fn crank(&mut self, deadline: Option<i64>, job: &JobData, clock: Clock) {
        let over = deadline.is_some_and(|at| clock.now.0 > at.saturating_add(CRANK_DELAY_SECS));
        if self.wallet.is_none() || !over || !self.looks.is_multiple_of(LOOKS_BETWEEN_QUESTIONS) {
            return;
        }
        match self
            .context
            .send("job expire", &[expire_instruction(self.job, job)])
            .await
        {
            Ok(sent) => self.sent.extend(sent),
            // Somebody else may have been quicker; the next look at the chain shows it.
            Err(error) => self.trouble(format!("{error:#}")),
        }
    }

    async fn receive(
        &mut self,
        status: JobStatus,
        job: &JobData,
    ) -> Result<Result<(), MismatchError>> {
        let Some(wallet) = self.wallet.as_ref().map(Keypair::insecure_clone) else {
            return Ok(Ok(()));
        };
        let provider: ProviderData = self.context.get(&job.provider).await?;
        let Some(worker) = Worker::of(&provider)? else {
            self.trouble(
                "the provider names no endpoint, so its result cannot be fetched".to_owned(),
            );
            return Ok(Ok(()));
        };
        if self.result.is_none() {
            match worker.result(&wallet, &self.job, job.output_limit).await {
                Err(error) => self.trouble(format!("{error:#}")),
                Ok(Answer::NotYet(state)) => {
                    self.trouble(format!("the worker has no result yet ({state})"))
                }
                Ok(Answer::Result(delivered)) => {
                    let received = Received {
                        delivery: &delivered.delivery,
                        outputs: &delivered.outputs,
                        hints: &delivered.hints,
                    };
                    let verified = match verify(&self.job, job, &received) {
                        Ok(verified) => verified,
                        Err(mismatch) => return Ok(Err(mismatch)),
                    };
                    self.say(format!(
                        "verified   {} of outputs give the root {:.16}.., which opens the commitment on chain",
                        bytes(delivered.delivery.outputs_bytes),
                        hex::encode(verified.root.0)
                    ));
                    self.result = Some((*delivered, verified));
                    self.trouble = None;
                }
            }
        }
        if self.result.is_some() && !self.acknowledged && status == JobStatus::Committed {
            let secret = secret::for_job(&wallet, &self.job)?;
            match worker.acknowledge(&wallet, &self.job, secret).await {
                Ok(()) => {
                    self.acknowledged = true;
                    self.say("acknowledged".to_owned());
                }
                Err(error) => self.trouble(format!("{error:#}")),
            }
        }
        Ok(Ok(()))
    }

    /// Remembers what went wrong, shows it once, and goes on.
    fn trouble(&mut self, text: String) {
        let text = plain(&text);
        if self.trouble.as_ref() != Some(&text) && self.context.options.verbose {
            self.say(format!("  {text}"));
        }
        self.trouble = Some(text);
    }

    fn say(&self, text: String) {
        self.bar.suspend(|| self.context.say(text));
    }

    /// A line for every change of status.
    fn tell(&mut self, status: JobStatus, job: &JobData) {
        let state = (status, job.attempt);
        let before = self.seen.replace(state);
        if before == Some(state) {
            return;
        }
        // A quick worker claims and commits between two looks.
        if job.claimed_at != 0 && status != JobStatus::Claimed && !self.told_claim {
            self.say(claimed(job));
        }
        self.told_claim = job.claimed_at != 0;
        let line = match status {
            JobStatus::Open if job.attempt == 0 => format!("open       {}", self.job),
            JobStatus::Open => format!(
                "open       again: the provider gave its claim back or missed its deadline, and was slashed; attempt {} of 3",
                job.attempt.saturating_add(1)
            ),
            JobStatus::Claimed => claimed(job),
            JobStatus::Committed => format!("committed  {:.16}..", hex::encode(job.commitment)),
            JobStatus::Settled => settled(job),
            JobStatus::Cancelled | JobStatus::Expired | JobStatus::Faulted => {
                format!(
                    "{:<10} everything came back but the rent, which `assay job close` returns",
                    status.name()
                )
            }
            JobStatus::Auditing | JobStatus::Appealing | JobStatus::Unresolved => {
                status.name().to_owned()
            }
        };
        self.say(line);
    }

    /// What is going on at the moment.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the other phases have nothing that counts down"
    )]
    fn message(&self, status: JobStatus, job: &JobData, clock: Clock) -> String {
        let left = |deadline: i64| until(deadline, clock.now.0);
        let text = match status {
            JobStatus::Open => {
                let price = job.price_at(clock.now).map_or(job.ceiling, |price| price.0);
                let deadline = job.claim_deadline().map_or(0, |at| at.0);
                format!(
                    "waiting for a provider: {} now, at most {}, {} left",
                    Amount(price),
                    Amount(job.ceiling),
                    left(deadline)
                )
            }
            JobStatus::Claimed => {
                format!(
                    "computing, {} left",
                    left(job.compute_deadline().map_or(0, |at| at.0))
                )
            }
            JobStatus::Committed if self.acknowledged => {
                "waiting for the provider to settle".to_owned()
            }
            JobStatus::Committed => "fetching the result".to_owned(),
            _ => status.name().to_owned(),
        };
        match &self.trouble {
            Some(trouble) => format!("{text} ({trouble})"),
            None => text,
        }
    }
}

fn claimed(job: &JobData) -> String {
    format!("claimed    by {} for {}", job.provider, Amount(job.price))
}

fn settled(job: &JobData) -> String {
    let share =
        split_price(Lamports(job.price), BasisPoints(job.fee_bps)).map_or(0, |split| split.fee.0);
    let waits = if job.refund_due > 0 {
        " with `assay job close`: the wallet could not take it"
    } else {
        ""
    };
    format!(
        "settled    {} paid, of it {} to the market; {} came back{waits}",
        Amount(job.price),
        Amount(share),
        Amount(job.ceiling.saturating_sub(job.price))
    )
}
