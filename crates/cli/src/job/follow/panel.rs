//! Following a job through its audit.

use assay_client::clock::Clock;
use assay_client::protocol::{JobData, JobStatus};

use super::{Follower, LOOKS_BETWEEN_QUESTIONS};
use crate::{
    job::{
        fate::fate,
        progress::convened,
        steps::{Next, Scene},
    },
    view::panel::{name, words},
};

/// Workers crank their own panels; the requester does it only where nobody has for about ten seconds.
const LOOKS_BEFORE_CRANK: u32 = 6 * LOOKS_BETWEEN_QUESTIONS;

impl Follower<'_> {
    /// A line for every phase of a panel.
    pub(super) fn tell_panel(&mut self, job: &JobData, clock: Clock) {
        let Some(panel) = convened(job, &self.panels).copied() else {
            return;
        };
        let phase = (panel.level, panel.phase(clock.time, job.is_revealed()));
        if self.phase.replace(phase) != Some(phase) {
            let text = words(&panel, job, clock.time);
            self.say(format!(
                "  panel {} {:<7} {text}",
                panel.level,
                name(phase.1)
            ));
        }
    }

    /// Opens or resolves a panel that everybody else has forgotten: the requester's money waits for it.
    pub(super) async fn crank_panel(&mut self, job: &JobData, clock: Clock) {
        if self.wallet.is_none() || !self.looks.is_multiple_of(LOOKS_BETWEEN_QUESTIONS) {
            return;
        }
        if let Err(error) = self.try_crank_panel(job, clock).await {
            self.trouble(format!("{error:#}"));
        }
    }

    async fn try_crank_panel(&mut self, job: &JobData, clock: Clock) -> anyhow::Result<()> {
        let seen = (*job, self.panels, clock);
        let scene = Scene::complete(self.context, self.job, seen).await?;
        let Next::Do(step) = scene.next()? else {
            self.due = None;
            return Ok(());
        };
        let looks = match self.due {
            Some((due, looks)) if due.name() == step.name() => {
                looks.saturating_add(LOOKS_BETWEEN_QUESTIONS)
            }
            Some(_) | None => 0,
        };
        self.due = Some((step, looks));
        if looks < LOOKS_BEFORE_CRANK {
            return Ok(());
        }
        let payer = self.context.signer()?;
        let sent = self
            .context
            .send(step.name(), &[step.instruction(&scene, payer)])
            .await?;
        self.sent.extend(sent);
        self.due = None;
        Ok(())
    }

    /// What the verdict moved is told by its transaction only.
    pub(super) async fn look_verdict_up(&mut self, job: &JobData) {
        if job.level == 0 || self.resolved.is_some() || job.status() == Ok(JobStatus::Cancelled) {
            return;
        }
        match fate(self.context, &self.job).await {
            Ok(found) => self.resolved = found.and_then(|fate| fate.resolved),
            Err(error) => self.trouble(format!("{error:#}")),
        }
    }
}
