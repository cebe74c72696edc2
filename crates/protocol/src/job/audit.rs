//! How a job is audited: the draw, the dispute, the panels it convenes and what their verdict
//! makes of it.

use super::{JOB_ACKNOWLEDGED, JOB_PANEL_1, JOB_PANEL_2, JobData, Settlement};
use crate::{
    Address,
    amount::Lamports,
    args::{JobFinalizeArgs, JobRevealArgs},
    commitment::{Opening, Role, draw_seed, is_drawn, secret_hash},
    digest::{Digest, is_zero},
    error::{Error, Result},
    limits::MAX_SEATS,
    panel::{BOND_FEES, PanelData, Phase, TARGET_SLOTS, UNAVAILABLE},
    profile::OutputProfile,
    sortition::is_first_after,
    status::JobStatus,
    time::{Seconds, UnixSeconds},
    verdict::{self, Case, NO_SEATS, Origin, Outcomes, Resolution, SeatOutcome, Stakes, Verdict},
};

/// What finalize did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finalized {
    /// Not audited: paid.
    Settled(Settlement),
    /// Drawn, or not acknowledged: the level-1 panel is convened.
    Audited,
}

/// The job's panels, as far as they were opened.
#[derive(Debug)]
pub struct JobPanels<'a> {
    pub level1: Option<&'a mut PanelData>,
    pub level2: Option<&'a mut PanelData>,
}

impl JobData {
    /// Checks the revealed secrets and the moment; settles the job or sends it to audit.
    ///
    /// With the requester's secret at once, and then the draw decides; without it after the
    /// challenge window, and then an audited job always goes to audit: withholding buys no draw. An
    /// acknowledged, unaudited job has no draw to escape from, so until somebody expires it, it may
    /// be finalized past the deadline: a halt of the chain must not cost an honest provider.
    #[inline]
    pub fn finalize(
        &mut self,
        job: &Address,
        args: &JobFinalizeArgs,
        slot: u64,
        now: UnixSeconds,
    ) -> Result<Finalized> {
        self.require(JobStatus::Committed, Error::JobNotCommitted)?;
        let overdue = !self.finalize_deadline()?.allows(now);
        if overdue && !(args.is_acknowledged() && self.is_unaudited()) {
            return Err(Error::JobFinalizeDeadlinePassed);
        }
        if secret_hash(&args.worker_secret).0 != self.worker_secret_hash {
            return Err(Error::JobWorkerSecretMismatch);
        }
        if args.is_acknowledged() {
            if secret_hash(&args.requester_secret).0 != self.requester_secret_hash {
                return Err(Error::JobRequesterSecretMismatch);
            }
            self.flags |= JOB_ACKNOWLEDGED;
        } else if self.challenge_deadline()?.allows(now) {
            return Err(Error::JobChallengeWindowOpen);
        }
        if self.is_unaudited() || !self.is_drawn(job, args) {
            return self.settle(now).map(Finalized::Settled);
        }
        self.convene(1, JobStatus::Auditing, slot, now)?;
        Ok(Finalized::Audited)
    }

    fn is_drawn(&self, job: &Address, args: &JobFinalizeArgs) -> bool {
        let seed = || {
            draw_seed(
                job,
                self.attempt,
                &args.worker_secret,
                &args.requester_secret,
            )
        };
        !args.is_acknowledged() || is_drawn(&seed(), self.audit_bps)
    }

    /// The requester objects in the challenge window: level 2 decides. Returns the bond, which the
    /// caller moves into the job.
    #[inline]
    pub fn dispute(&mut self, slot: u64, now: UnixSeconds) -> Result<Lamports> {
        self.require(JobStatus::Committed, Error::JobNotCommitted)?;
        if self.is_unaudited() {
            return Err(Error::JobUnaudited);
        }
        if !self.challenge_deadline()?.allows(now) {
            return Err(Error::JobChallengeWindowPassed);
        }
        let bond = Lamports(self.audit_fee).times(BOND_FEES)?;
        self.dispute_bond = bond.0;
        self.convene(2, JobStatus::Appealing, slot, now)?;
        Ok(bond)
    }

    /// Whoever will sit is decided by the hash of a slot that does not exist yet.
    fn convene(&mut self, level: u8, status: JobStatus, slot: u64, now: UnixSeconds) -> Result<()> {
        self.level = level;
        self.convened_at = now.0;
        self.target_slot = slot.saturating_add(TARGET_SLOTS);
        self.advance(status)
    }

    /// Whether the primary's root is known.
    #[inline]
    pub fn is_revealed(&self) -> bool {
        !is_zero(&self.root)
    }

    /// Seats of the panel that is convened.
    #[inline]
    pub fn seats_convened(&self) -> u8 {
        const { assert!(MAX_SEATS == 5) };
        if self.level == 1 { self.panel_size } else { 5 }
    }

    /// Last moment to open the convened panel.
    #[inline]
    pub fn panel_open_deadline(&self) -> Result<UnixSeconds> {
        UnixSeconds(self.convened_at).after(Seconds(self.panel_open_secs))
    }

    /// The level as a seed of the convened panel's address.
    #[inline]
    pub fn level_seed(&self) -> &[u8] {
        core::slice::from_ref(&self.level)
    }

    /// Whether the panel of a level was ever opened.
    #[inline]
    pub fn has_panel(&self, level: u8) -> bool {
        self.flags & panel_flag(level) != 0
    }

    /// [`Error::JobNotConvened`] unless a panel is asked for or at work.
    #[inline]
    pub fn require_convened(&self) -> Result<()> {
        match self.status()? {
            JobStatus::Auditing | JobStatus::Appealing => Ok(()),
            JobStatus::Open
            | JobStatus::Claimed
            | JobStatus::Committed
            | JobStatus::Settled
            | JobStatus::Faulted
            | JobStatus::Cancelled
            | JobStatus::Expired
            | JobStatus::Unresolved => Err(Error::JobNotConvened),
        }
    }

    fn require_openable(&self, now: UnixSeconds) -> Result<()> {
        self.require_convened()?;
        if self.has_panel(self.level) {
            return Err(Error::PanelAlreadyOpen);
        }
        if self.panel_open_deadline()?.allows(now) {
            Ok(())
        } else {
            Err(Error::PanelOpenDeadlinePassed)
        }
    }

    /// Opens the convened panel with the hash of `slot`, which must be the first retained one at
    /// or after the target; `older` is the next retained one before it.
    #[inline]
    pub fn open_panel(&mut self, slot: u64, older: Option<u64>, now: UnixSeconds) -> Result<()> {
        self.require_openable(now)?;
        if !is_first_after(self.target_slot, slot, older) {
            return Err(Error::PanelSlotHashMismatch);
        }
        self.flags |= panel_flag(self.level);
        self.live_panels = self.live_panels.saturating_add(1);
        self.changed();
        Ok(())
    }

    /// Names another slot where the hash that should have seeded the panel is gone: `oldest` is
    /// the oldest retained slot.
    #[inline]
    pub fn retarget_panel(&mut self, oldest: u64, slot: u64, now: UnixSeconds) -> Result<()> {
        self.require_openable(now)?;
        if oldest <= self.target_slot {
            return Err(Error::PanelSlotHashRetained);
        }
        self.target_slot = slot.saturating_add(TARGET_SLOTS);
        self.changed();
        Ok(())
    }

    /// Opens the primary's commitment, while the convened panel reveals. Whoever knows the opening
    /// may send it.
    #[inline]
    pub fn reveal(
        &mut self,
        at: (&Address, &Address),
        panel: &PanelData,
        args: &JobRevealArgs,
        now: UnixSeconds,
    ) -> Result<()> {
        self.require_convened()?;
        let (program_id, job) = at;
        panel.require_job(job, self.level)?;
        if self.is_revealed() {
            return Err(Error::JobAlreadyRevealed);
        }
        if panel.phase(now, false) != Phase::Reveal {
            return Err(Error::PanelNotRevealing);
        }
        if is_zero(&args.root) || args.root == UNAVAILABLE {
            return Err(Error::RootInvalid);
        }
        let opening = Opening {
            program_id,
            job,
            attempt: self.attempt,
            role: Role::Primary,
            provider: &self.provider,
            generation: self.generation,
            salt: &args.salt,
            root: &Digest(args.root),
            hints_digest: &Digest(self.hints_digest),
            runtime_class: &self.runtime_class,
        };
        if opening.commitment().0 != self.commitment {
            return Err(Error::OpeningMismatch);
        }
        self.root = args.root;
        self.changed();
        Ok(())
    }

    /// Lets the convened panel speak, once it is over or its time to be opened has passed, and
    /// fixes what everybody gets. The caller moves the lamports and books the primary's part.
    #[inline]
    pub fn resolve(
        &mut self,
        mut panels: JobPanels<'_>,
        slot: u64,
        now: UnixSeconds,
    ) -> Result<Resolution> {
        self.require_convened()?;
        self.require_over(&panels, now)?;
        let resolution = verdict::decide(&Case {
            stakes: self.stakes(),
            origin: self.origin(),
            primary_revealed: self.is_revealed(),
            level1: self.outcomes(panels.level1.as_deref())?,
            level2: self.outcomes(panels.level2.as_deref())?,
        })?;
        self.verdict = resolution.verdict as u8;
        if resolution.status == JobStatus::Appealing {
            if let Some(panel) = panels.level1.as_mut() {
                panel.appeal();
            }
            self.convene(2, JobStatus::Appealing, slot, now)?;
            return Ok(resolution);
        }
        if let Some(panel) = panels.level1.as_mut() {
            panel.resolve(&resolution.level1)?;
        }
        if let Some(panel) = panels.level2.as_mut() {
            panel.resolve(&resolution.level2)?;
        }
        self.dispute_bond = 0;
        self.end(resolution.status, now)?;
        Ok(resolution)
    }

    /// Forgets a panel that is about to close.
    #[inline]
    pub fn close_panel(&mut self) -> Result<()> {
        self.live_panels = self
            .live_panels
            .checked_sub(1)
            .ok_or(Error::InvariantViolated)?;
        self.changed();
        Ok(())
    }

    fn require_over(&self, panels: &JobPanels<'_>, now: UnixSeconds) -> Result<()> {
        let convened = if self.level == 1 {
            panels.level1.as_deref()
        } else {
            panels.level2.as_deref()
        };
        let over = match convened {
            Some(panel) => panel.phase(now, self.is_revealed()) == Phase::Over,
            None => !self.panel_open_deadline()?.allows(now),
        };
        if over {
            Ok(())
        } else {
            Err(Error::PanelNotOver)
        }
    }

    fn outcomes(&self, panel: Option<&PanelData>) -> Result<Outcomes> {
        let mut outcomes = NO_SEATS;
        let seats = panel.map_or(&[] as &[_], |panel| &panel.seats);
        for (outcome, seat) in outcomes.iter_mut().zip(seats) {
            *outcome = seat.outcome(self)?;
        }
        Ok(outcomes)
    }

    /// What a seat counts as whose root says that hints were missing.
    #[inline(never)]
    pub fn misses_hints(&self) -> SeatOutcome {
        if OutputProfile(self.output_profile).needs_hints() {
            SeatOutcome::Unavailable
        } else {
            SeatOutcome::Different
        }
    }

    fn stakes(&self) -> Stakes {
        Stakes {
            price: Lamports(self.price),
            escrow: Lamports(self.escrow),
            collateral: Lamports(self.collateral),
            audit_fee: Lamports(self.audit_fee),
            dispute_bond: Lamports(self.dispute_bond),
            panel_size: self.panel_size,
        }
    }

    /// Why the panel at work was convened. A dispute always carries a bond.
    #[inline]
    pub fn origin(&self) -> Origin {
        if self.level == 1 {
            Origin::Draw
        } else if self.dispute_bond != 0 {
            Origin::Dispute
        } else if self.verdict == Verdict::Silence as u8 {
            Origin::Silence
        } else {
            Origin::Dissent
        }
    }

    fn changed(&mut self) {
        self.sequence = self.sequence.wrapping_add(1);
    }
}

fn panel_flag(level: u8) -> u8 {
    if level == 1 { JOB_PANEL_1 } else { JOB_PANEL_2 }
}
