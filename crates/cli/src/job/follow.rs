//! Following a job to its end: the chain is read until the job has ended, and the requester's part is done on the way.

mod gone;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use assay_client::{
    delivery::{MismatchError, Received, Verified, verify},
    protocol::{Address, JobData, JobStatus, ProviderData},
    secret,
};
use indicatif::{ProgressBar, ProgressStyle};
use solana_keypair::Keypair;

use super::{expire_instruction, keep::Keep, progress, receipt::Receipt};
use crate::{
    amount::bytes,
    chain::{Clock, Found},
    context::Context,
    delivery::{Answer, Delivered, Worker},
    patience::Patience,
    plain::plain,
    transaction::Sent,
    view::JobView,
};

const POLL: Duration = Duration::from_millis(400);
/// A worker is asked at every one of so many looks at the chain.
const LOOKS_BETWEEN_QUESTIONS: u32 = 4;
/// How long after a job has settled its result is still asked for.
const LAST_WAIT: Duration = Duration::from_secs(20);
/// How long the chain may be out of sight, or a new job unknown to a node that lags.
const SILENCE: Duration = Duration::from_secs(30);
/// Deadlines are judged by the chain's clock, which nodes see with a delay.
const CRANK_DELAY_SECS: i64 = 2;

/// Watches one job.
pub struct Follower<'a> {
    context: &'a Context,
    job: Address,
    /// The requester's wallet; without it the job is only watched.
    wallet: Option<Keypair>,
    keep: Keep,
    bar: ProgressBar,
    /// The account as it was last seen.
    last: Option<JobData>,
    closed: bool,
    provider: Option<(Address, ProviderData)>,
    seen: Option<(JobStatus, u8)>,
    result: Option<(Delivered, Verified)>,
    acknowledged: bool,
    told_claim: bool,
    trouble: Option<String>,
    looks: u32,
    last_wait: Patience,
    silence: Patience,
    sent: Vec<Sent>,
}

/// How a job ended.
pub struct Ended {
    pub job: JobData,
    pub clock: Clock,
    pub result: Option<(Delivered, Verified)>,
    pub acknowledged: bool,
    /// The account is gone already.
    pub closed: bool,
    /// What was delivered is not what was committed to.
    pub mismatch: Option<MismatchError>,
    pub sent: Vec<Sent>,
}

impl<'a> Follower<'a> {
    /// `sent` is what was sent for the job already.
    pub fn new(
        context: &'a Context,
        job: Address,
        wallet: Option<Keypair>,
        keep: Keep,
        sent: Vec<Sent>,
    ) -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self {
            context,
            job,
            wallet,
            keep,
            bar,
            last: None,
            closed: false,
            provider: None,
            seen: None,
            result: None,
            acknowledged: false,
            told_claim: false,
            trouble: None,
            looks: 0,
            last_wait: Patience::new(LAST_WAIT),
            silence: Patience::new(SILENCE),
            sent,
        }
    }

    /// Looks at the job until it has ended.
    pub async fn follow(mut self) -> Result<Ended> {
        loop {
            let Some((job, clock)) = self.look().await? else {
                tokio::time::sleep(POLL).await;
                continue;
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
            if status.is_terminal() && !self.waits_for_result(status, &job) {
                return Ok(self.end(job, clock, None));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The job as it is now; none if that cannot be seen at the moment.
    async fn look(&mut self) -> Result<Option<(JobData, Clock)>> {
        self.looks = self.looks.wrapping_add(1);
        let (found, clock) = match self.context.with_clock::<JobData>(&self.job).await {
            Ok(seen) => seen,
            Err(error) => {
                self.endure(error)?;
                return Ok(None);
            }
        };
        let found = match found {
            Some(job) => Some(job),
            None => self.gone().await?,
        };
        let Some(job) = found else {
            return Ok(None);
        };
        self.silence.renew();
        self.last = Some(job);
        Ok(Some((job, clock)))
    }

    /// A node may fail for a moment; a job takes longer than that.
    fn endure(&mut self, error: anyhow::Error) -> Result<()> {
        if !self.silence.lasts(Instant::now()) {
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
            closed: self.closed,
            mismatch,
            sent: self.sent,
        }
    }

    /// A job can settle without the acknowledgement, before the result was fetched.
    fn waits_for_result(&mut self, status: JobStatus, job: &JobData) -> bool {
        status == JobStatus::Settled
            && self.wallet.is_some()
            && self.result.is_none()
            && committed(job)
            && self.last_wait.lasts(Instant::now())
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
                if committed(job)
                    && (self.looks.is_multiple_of(LOOKS_BETWEEN_QUESTIONS)
                        || self.trouble.is_none()) =>
            {
                return self.receive(status, job, clock).await;
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
        clock: Clock,
    ) -> Result<Result<(), MismatchError>> {
        let Some(wallet) = self.wallet.as_ref().map(Keypair::insecure_clone) else {
            return Ok(Ok(()));
        };
        let Some(provider) = self.provider(&job.provider).await else {
            return Ok(Ok(()));
        };
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
                    if let Err(mismatch) = self.take(job, clock, *delivered)? {
                        return Ok(Err(mismatch));
                    }
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

    /// Verifies what was delivered and writes it down, all before it is acknowledged: afterwards the provider owes
    /// nothing, and the account that opens the commitment may be closed.
    fn take(
        &mut self,
        job: &JobData,
        clock: Clock,
        delivered: Delivered,
    ) -> Result<Result<(), MismatchError>> {
        let received = Received {
            delivery: &delivered.delivery,
            outputs: &delivered.outputs,
            hints: &delivered.hints,
        };
        let verified = match verify(&self.job, job, &received) {
            Ok(verified) => verified,
            Err(mismatch) => return Ok(Err(mismatch)),
        };
        self.keep.write_outputs(&delivered)?;
        let found = Found {
            address: self.job,
            data: *job,
        };
        Receipt::new(
            self.context.rpc.url(),
            (job, &JobView::new(&found, clock.now)),
            (&delivered.delivery, &verified),
            self.acknowledged,
            &self.sent,
        )
        .write(&self.keep)?;
        self.say(format!(
            "verified   {} of outputs give the root {:.16}.., which opens the commitment on chain",
            bytes(delivered.delivery.outputs_bytes),
            hex::encode(verified.root.0)
        ));
        self.result = Some((delivered, verified));
        self.trouble = None;
        Ok(Ok(()))
    }

    /// The provider's account. It is read again after trouble, for a provider can move; what was read before serves
    /// while the node fails.
    async fn provider(&mut self, address: &Address) -> Option<ProviderData> {
        let known = self.provider.filter(|(known, _)| known == address);
        if known.is_none() || self.trouble.is_some() {
            match self.context.get(address).await {
                Ok(provider) => self.provider = Some((*address, provider)),
                Err(error) if known.is_none() => {
                    self.trouble(format!("{error:#}"));
                    return None;
                }
                Err(_) => {}
            }
        }
        self.provider.map(|(_, provider)| provider)
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
            self.say(progress::claimed(job));
        }
        self.told_claim = job.claimed_at != 0;
        self.say(progress::line(&self.job, status, job));
    }

    /// What is going on at the moment.
    fn message(&self, status: JobStatus, job: &JobData, clock: Clock) -> String {
        let text = progress::message(status, job, clock, self.acknowledged);
        match &self.trouble {
            Some(trouble) => format!("{text} ({trouble})"),
            None => text,
        }
    }
}

/// Whether a commitment was seen; of a job that was closed in a moment, only the end is known.
fn committed(job: &JobData) -> bool {
    job.commitment != [0; 32]
}
