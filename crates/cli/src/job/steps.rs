//! What anyone may do for a job now: the next transaction that time or its state allows.

use anyhow::{Context as _, Result, anyhow};
use assay_chain::Panels;
use assay_client::clock::Clock;
use assay_client::{
    address,
    instruction::{JobClose, PanelClose, PanelOpen, PanelResolve, PanelRetarget, SeatSettle},
    protocol::{
        Address, JobData, JobStatus, PanelData, UnixSeconds,
        limits::OPEN_SLOT_AGE,
        panel::{PanelStatus, Phase, SeatState},
    },
    slot_hashes::{Search, SlotHashes},
};
use solana_instruction::Instruction;

use super::expire_instruction;
use crate::{amount::until, context::Context};

/// Everything that decides what can be done.
pub struct Scene {
    pub address: Address,
    pub job: JobData,
    pub panels: Panels,
    pub clock: Clock,
    /// Read only where a panel waits to be opened.
    pub slot_hashes: SlotHashes,
}

/// One transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Expire,
    Open {
        entry: u16,
    },
    Retarget,
    Resolve,
    Settle {
        level: u8,
        seat: u8,
        provider: Address,
    },
    ClosePanel {
        level: u8,
        rent_payer: Address,
    },
    Close,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    Do(Step),
    /// Nothing for now, and why.
    Wait(String),
}

impl Scene {
    /// Reads it; none if there is no such job.
    pub async fn read(context: &Context, address: Address) -> Result<Option<Self>> {
        let (job, panels, clock) = context.cluster.with_panels(&address).await?;
        let Some(job) = job else {
            return Ok(None);
        };
        Self::complete(context, address, (job, panels, clock))
            .await
            .map(Some)
    }

    /// Adds the slot hashes to what was read already, where they matter.
    pub async fn complete(
        context: &Context,
        address: Address,
        (job, panels, clock): (JobData, Panels, Clock),
    ) -> Result<Self> {
        let waits = job.require_convened().is_ok() && !job.has_panel(job.level);
        let slot_hashes = if waits {
            context.cluster.slot_hashes().await?
        } else {
            SlotHashes::default()
        };
        Ok(Self {
            address,
            job,
            panels,
            clock,
            slot_hashes,
        })
    }

    /// The next step.
    pub fn next(&self) -> Result<Next> {
        let job = &self.job;
        let status = job
            .status()
            .ok()
            .context("the job has a status that this client does not know; update it")?;
        Ok(match status {
            JobStatus::Open => {
                self.expire("a provider may claim it", moment(job.claim_deadline())?.0)
            }
            JobStatus::Claimed => {
                self.expire("its provider computes", moment(job.compute_deadline())?.0)
            }
            JobStatus::Committed => self.expire(
                "its provider may finalize it",
                moment(job.finalize_deadline())?.0,
            ),
            JobStatus::Auditing | JobStatus::Appealing => self.audit()?,
            JobStatus::Settled
            | JobStatus::Faulted
            | JobStatus::Cancelled
            | JobStatus::Expired
            | JobStatus::Unresolved => self.clear(),
        })
    }

    fn expire(&self, what: &str, deadline: i64) -> Next {
        if self.clock.time.0 > deadline {
            return Next::Do(Step::Expire);
        }
        Next::Wait(format!(
            "{what} for another {}",
            until(deadline, self.clock.time.0)
        ))
    }

    /// Brings a convened panel on its way.
    fn audit(&self) -> Result<Next> {
        let job = &self.job;
        let now = self.clock.time;
        let Some(panel) = self.panel(job.level) else {
            if !moment(job.panel_open_deadline())?.allows(now) {
                return Ok(Next::Do(Step::Resolve));
            }
            return Ok(match self.slot_hashes.find(job.target_slot) {
                Search::Found(entry) => Next::Do(Step::Open { entry }),
                Search::Gone => Next::Do(Step::Retarget),
                Search::NotYet => Next::Wait(format!(
                    "the panel can be opened once slot {} is there; now it is {}",
                    job.target_slot, self.clock.slot
                )),
            });
        };
        let left = |deadline: i64| until(deadline, now.0);
        Ok(match panel.phase(now, job.is_revealed()) {
            Phase::Join => Next::Wait(format!(
                "auditors may join for another {}",
                left(panel.join_deadline)
            )),
            Phase::Commit => Next::Wait(format!(
                "auditors may commit for another {}",
                left(panel.commit_deadline)
            )),
            Phase::Reveal => Next::Wait(format!(
                "auditors and the provider may reveal for another {}",
                left(panel.reveal_deadline)
            )),
            Phase::Over => Next::Do(Step::Resolve),
        })
    }

    /// Pays the seats of an ended job, closes its panels and then the job itself.
    fn clear(&self) -> Next {
        for panel in self.panels.iter().flatten() {
            if panel.status() != Ok(PanelStatus::Resolved) {
                continue;
            }
            let unsettled = panel.seats.iter().zip(0_u8..).find(|(seat, _)| {
                !matches!(seat.state(), Ok(SeatState::Empty | SeatState::Settled))
            });
            let level = panel.level;
            return Next::Do(match unsettled {
                Some((seat, position)) => Step::Settle {
                    level,
                    seat: position,
                    provider: seat.provider,
                },
                None => Step::ClosePanel {
                    level,
                    rent_payer: panel.rent_payer,
                },
            });
        }
        if self.job.require_closable(self.clock.slot).is_ok() {
            return Next::Do(Step::Close);
        }
        let age = self.clock.slot.saturating_sub(self.job.open_slot);
        Next::Wait(format!(
            "the job has ended and can be closed {} slots from now",
            OPEN_SLOT_AGE.saturating_add(1).saturating_sub(age)
        ))
    }

    fn panel(&self, level: u8) -> Option<&PanelData> {
        self.panels
            .iter()
            .flatten()
            .find(|panel| panel.level == level)
    }
}

impl Step {
    /// What it is called in messages and JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Expire => "job expire",
            Self::Open { .. } => "panel open",
            Self::Retarget => "panel retarget",
            Self::Resolve => "panel resolve",
            Self::Settle { .. } => "seat settle",
            Self::ClosePanel { .. } => "panel close",
            Self::Close => "job close",
        }
    }

    pub fn instruction(&self, scene: &Scene, payer: Address) -> Instruction {
        let job = scene.address;
        let data = &scene.job;
        let panel = |level: u8| address::panel(&job, level);
        match *self {
            Self::Expire => expire_instruction(job, data),
            Self::Open { entry } => PanelOpen {
                payer,
                job,
                level: data.level,
                entry,
            }
            .instruction(),
            Self::Retarget => PanelRetarget { job }.instruction(),
            Self::Resolve => PanelResolve {
                job,
                provider: data.provider,
                requester: data.requester,
                panel1: data.has_panel(1).then(|| panel(1)),
                panel2: (data.level == 2 && data.has_panel(2)).then(|| panel(2)),
            }
            .instruction(),
            Self::Settle {
                level,
                seat,
                provider,
            } => SeatSettle {
                panel: panel(level),
                provider,
                seat,
            }
            .instruction(),
            Self::ClosePanel { level, rent_payer } => PanelClose {
                job,
                panel: panel(level),
                rent_payer,
            }
            .instruction(),
            Self::Close => JobClose {
                job,
                requester: data.requester,
            }
            .instruction(),
        }
    }
}

/// A deadline; one that fits no clock is an account that this client does not understand.
pub fn moment(deadline: assay_client::protocol::Result<UnixSeconds>) -> Result<UnixSeconds> {
    deadline.map_err(|error| anyhow!(error.message()))
}

#[cfg(test)]
mod tests;
