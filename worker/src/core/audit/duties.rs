//! What is to be done for one audit now.

use assay_protocol::{
    Address, Digest, UnixSeconds,
    args::{JobRevealArgs, PanelCommitArgs, PanelRevealArgs},
    panel::{PanelStatus, Phase, SeatState},
};

use super::{
    AuditCommand, AuditIntent, Audits,
    case::{Files, Recall, SeatWork, of, of_mut},
};

/// How long the slots up to a panel's target take.
const TARGET_SECS: i64 = 3;

impl Audits {
    /// Reports what changed, keeps it, and does what follows.
    pub(super) fn follow(&mut self, address: Address, now: UnixSeconds) {
        self.tell(address);
        let Some(case) = self.cases.get_mut(&address) else {
            return;
        };
        let ours = case.job.provider == self.me.provider || case.is_seated(&self.me.provider);
        if ours && case.recall == Recall::Unasked && case.recall_due <= now {
            case.recall = Recall::Asked;
            let attempt = case.job.attempt;
            self.commands.push_back(AuditCommand::Recall {
                job: address,
                attempt,
            });
        }
        if case.is_judged() {
            self.judge(address, now);
        } else if case.is_terminal() {
            self.settle(address, now);
        } else {
            self.end(address);
        }
    }

    fn judge(&mut self, address: Address, now: UnixSeconds) {
        let Some(case) = self.cases.get_mut(&address) else {
            return;
        };
        let level = case.job.level;
        let phase = case.phase(now);
        if phase == Some(Phase::Over) {
            case.over_since.get_or_insert(now);
        } else {
            case.over_since = None;
        }
        match phase {
            Some(Phase::Join) => self.join(address, now),
            Some(Phase::Commit) => {
                self.commit(address, level, now);
                self.discard(address, level);
            }
            Some(Phase::Reveal) => {
                self.reveal(address, level, now);
                self.discard(address, level);
            }
            Some(Phase::Over) => self.resolve(address, now),
            None if !case.job.has_panel(level) => self.convene(address, now),
            None => {}
        }
    }

    /// Opens the panel, or, when it is too late for that, ends the job without it.
    fn convene(&mut self, address: Address, now: UnixSeconds) {
        let Some(case) = self.cases.get_mut(&address) else {
            return;
        };
        let level = case.job.level;
        let Ok(deadline) = case.job.panel_open_deadline() else {
            return;
        };
        if !deadline.allows(now) {
            case.over_since.get_or_insert(now);
            return self.resolve(address, now);
        }
        // Before, the slot that seeds the panel cannot have passed.
        let patience = TARGET_SECS + self.patience(&address, case_primary(self, &address));
        let due = self.cases.get(&address).is_some_and(|case| {
            let wanted =
                || self.wants(&case.job) && self.has_room(&address, now) && self.may_lend();
            let may = self.is_ours(case) || (self.joining && wanted());
            may && case.job.convened_at.saturating_add(patience) <= now.0
        });
        if due {
            if self
                .cases
                .get(&address)
                .is_some_and(|case| case.kept.is_none())
            {
                // On disk first: whoever restarts, or has let go of the audit by then, must find the rent
                // that it lent.
                self.keep(address, false);
            }
            self.submit(address, AuditIntent::Open { level }, now);
        }
    }

    /// How long we leave a step that anyone may take to whoever it concerns most.
    fn patience(&self, job: &Address, primary: bool) -> i64 {
        if primary {
            return 0;
        }
        let Digest([byte, ..]) = Digest::of(&[self.me.provider.as_ref(), job.as_ref()]);
        2 + i64::from(byte % 4)
    }

    /// Lets go of files that nobody will run any more: no seat, or its result is on disk.
    fn discard(&mut self, address: Address, level: u8) {
        let Some(case) = self.cases.get_mut(&address) else {
            return;
        };
        let seat = case.seat(level, &self.me.provider).map(|(_, seat)| *seat);
        if seat.is_none_or(|seat| case.result(level, &seat).is_some()) {
            self.let_go(address);
        }
    }

    pub(super) fn let_go(&mut self, address: Address) {
        if let Some(case) = self.cases.get_mut(&address)
            && !matches!(case.files, Files::Absent | Files::Refused)
        {
            case.files = Files::Absent;
            self.commands
                .push_back(AuditCommand::Discard { job: address });
        }
    }

    pub(super) fn prepare(&mut self, address: Address) {
        if let Some(case) = self.cases.get_mut(&address) {
            case.files = Files::Preparing;
            self.commands
                .push_back(AuditCommand::Prepare { job: address });
        }
    }

    fn commit(&mut self, address: Address, level: u8, now: UnixSeconds) {
        let Some(case) = self.cases.get_mut(&address) else {
            return;
        };
        let (Some((seat, data)), Some(panel)) =
            (case.seat(level, &self.me.provider), case.convened())
        else {
            return;
        };
        let (data, until) = (*data, UnixSeconds(self.policy.run_until(panel)));
        let hints_until = UnixSeconds(self.policy.give_up_at(panel));
        if data.state != SeatState::Joined as u8 || case.recall != Recall::Done {
            return;
        }
        if let Some(saved) = case.result(level, &data) {
            let commitment = saved.commitment.0;
            let args = PanelCommitArgs { commitment, seat };
            return self.submit(address, AuditIntent::Commit { level, args }, now);
        }
        let idle = *of(&case.work, level) == SeatWork::Idle && *of(&case.work_due, level) <= now;
        match case.files {
            Files::Absent | Files::Refused if case.files_due <= now => self.prepare(address),
            Files::Ready | Files::Tried if idle => {
                *of_mut(&mut case.work, level) = SeatWork::Running;
                let job = address;
                self.commands.push_back(AuditCommand::Run {
                    job,
                    level,
                    until,
                    hints_until,
                });
            }
            Files::Absent
            | Files::Refused
            | Files::Preparing
            | Files::Trying
            | Files::Ready
            | Files::Tried => {}
        }
    }

    fn reveal(&mut self, address: Address, level: u8, now: UnixSeconds) {
        let Some(case) = self.cases.get(&address) else {
            return;
        };
        let primary = case.job.provider == self.me.provider && !case.job.is_revealed();
        let known = |opening: &super::PrimaryOpening| opening.commitment.0 == case.job.commitment;
        let opening = case.opening.filter(|opening| primary && known(opening));
        let seat = case
            .seat(level, &self.me.provider)
            .filter(|(_, seat)| seat.state == SeatState::Committed as u8);
        let opened = seat.and_then(|(position, seat)| {
            let saved = case.result(level, seat)?;
            (saved.commitment.0 == seat.digest).then_some(PanelRevealArgs {
                salt: saved.salt,
                root: saved.root.0,
                seat: position,
            })
        });
        if let Some(opening) = opening {
            let args = JobRevealArgs {
                salt: opening.salt,
                root: opening.root.0,
            };
            self.submit(address, AuditIntent::RevealPrimary { level, args }, now);
        }
        if let Some(args) = opened {
            self.submit(address, AuditIntent::Reveal { level, args }, now);
        }
    }

    fn resolve(&mut self, address: Address, now: UnixSeconds) {
        let patience = self.patience(&address, case_primary(self, &address));
        let Some(case) = self.cases.get(&address) else {
            return;
        };
        let since = case.over_since.map_or(now.0, |since| since.0);
        if !self.is_ours(case) || since.saturating_add(patience) > now.0 {
            return;
        }
        let intent = AuditIntent::Resolve {
            level: case.job.level,
            provider: case.job.provider,
            requester: case.job.requester,
            panels: [case.job.has_panel(1), case.job.has_panel(2)],
        };
        self.submit(address, intent, now);
    }

    /// After the verdict: our seats are settled, panels that we paid the rent of are closed.
    fn settle(&mut self, address: Address, now: UnixSeconds) {
        let Some(case) = self.cases.get(&address) else {
            return;
        };
        let mut intents = Vec::new();
        let mut left = false;
        for level in [1, 2] {
            let Some(panel) = case.panel(level) else {
                // Opened, and not read yet.
                left |= case.job.has_panel(level) && !*of(&case.closed, level);
                continue;
            };
            if *of(&case.closed, level) {
                continue;
            }
            let lent = panel.rent_payer == self.me.operator;
            let resolved = panel.status == PanelStatus::Resolved as u8;
            // What is kept must show the verdict.
            left |= !resolved;
            for (seat, data) in (0_u8..).zip(&panel.seats) {
                let open =
                    data.state != SeatState::Empty as u8 && data.state != SeatState::Settled as u8;
                if !open || !(lent || data.provider == self.me.provider) {
                    continue;
                }
                left = true;
                let provider = data.provider;
                if resolved {
                    intents.push(AuditIntent::Settle {
                        level,
                        seat,
                        provider,
                    });
                }
            }
            left |= lent;
            if lent && panel.require_closable().is_ok() {
                let rent_payer = panel.rent_payer;
                intents.push(AuditIntent::Close { level, rent_payer });
            }
        }
        for intent in intents {
            self.submit(address, intent, now);
        }
        if !left {
            self.end(address);
        }
    }
}

fn case_primary(audits: &Audits, address: &Address) -> bool {
    let case = audits.cases.get(address);
    case.is_some_and(|case| case.job.provider == audits.me.provider)
}
