//! Following a job to its end: the chain is read until the job has ended, and the requester's part is done on the way.

mod gone;
mod panel;
mod receive;

use assay_chain::{Panels, Patience};
use assay_client::clock::Clock;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use assay_client::{
    delivery::{MismatchError, Verified},
    protocol::{Address, JobData, JobStatus, ProviderData, events::PanelResolved, panel::Phase},
};
use indicatif::{ProgressBar, ProgressStyle};
use solana_keypair::Keypair;

use super::{expire_instruction, keep::Keep, progress, steps::Step};
use crate::{context::Context, delivery::Delivered, plain::plain, transaction::Sent};

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
    /// Verify, but leave the job as it is.
    hold: bool,
    bar: ProgressBar,
    /// The account as it was last seen.
    last: Option<JobData>,
    /// The panels as they were last seen: whoever settles their seats closes them soon.
    panels: Panels,
    /// How the job ended, where its transactions had to tell.
    resolved: Option<PanelResolved>,
    closed: bool,
    provider: Option<(Address, ProviderData)>,
    seen: Option<(JobStatus, u8)>,
    /// The panel's level and phase that were told last.
    phase: Option<(u8, Phase)>,
    /// A crank that could be sent, and at how many looks so far.
    due: Option<(Step, u32)>,
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
    pub panels: Panels,
    /// The verdict, if a panel ended it and its transaction could be read.
    pub resolved: Option<PanelResolved>,
    pub clock: Clock,
    pub result: Option<(Delivered, Verified)>,
    pub acknowledged: bool,
    /// Verified and left unacknowledged, as was asked for.
    pub held: bool,
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
        hold: bool,
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
            hold,
            bar,
            last: None,
            panels: [None, None],
            resolved: None,
            closed: false,
            provider: None,
            seen: None,
            phase: None,
            due: None,
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
            self.tell_panel(&job, clock);
            self.bar.set_message(self.message(status, &job, clock));
            if let Err(mismatch) = self.act(status, &job, clock).await? {
                return Ok(self.end(job, clock, Some(mismatch)));
            }
            if status.is_terminal() && !self.waits_for_result(status, &job) {
                self.look_verdict_up(&job).await;
                return Ok(self.end(job, clock, None));
            }
            if self.holds(status) {
                return Ok(self.end(job, clock, None));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The job as it is now; none if that cannot be seen at the moment.
    async fn look(&mut self) -> Result<Option<(JobData, Clock)>> {
        self.looks = self.looks.wrapping_add(1);
        let (found, panels, clock) = match self.context.cluster.with_panels(&self.job).await {
            Ok(seen) => seen,
            Err(error) => {
                self.endure(error.into())?;
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
        for (known, seen) in self.panels.iter_mut().zip(panels) {
            *known = seen.or(*known);
        }
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

    /// Whether there is a verified result that is deliberately left unacknowledged.
    fn holds(&self, status: JobStatus) -> bool {
        self.hold && self.result.is_some() && status == JobStatus::Committed
    }

    fn end(self, job: JobData, clock: Clock, mismatch: Option<MismatchError>) -> Ended {
        self.bar.finish_and_clear();
        Ended {
            job,
            panels: self.panels,
            resolved: self.resolved,
            clock,
            held: job.status().is_ok_and(|status| self.holds(status)),
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
            JobStatus::Auditing | JobStatus::Appealing => {
                self.crank_panel(job, clock).await;
                if self.result.is_none() && self.asks_now() {
                    return self.receive(status, job, clock).await;
                }
            }
            JobStatus::Committed | JobStatus::Settled if committed(job) && self.asks_now() => {
                return self.receive(status, job, clock).await;
            }
            _ => {}
        }
        Ok(Ok(()))
    }

    /// Whether the worker is asked at this look.
    fn asks_now(&self) -> bool {
        self.trouble.is_none() || self.looks.is_multiple_of(LOOKS_BETWEEN_QUESTIONS)
    }

    /// Moves a job whose deadline has passed; anyone may, and the requester has a reason to.
    async fn crank(&mut self, deadline: Option<i64>, job: &JobData, clock: Clock) {
        let over = deadline.is_some_and(|at| clock.time.0 > at.saturating_add(CRANK_DELAY_SECS));
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
        let text = progress::message(status, job, &self.panels, clock, self.acknowledged);
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
