//! What is to be done for one audit now.

use std::sync::Arc;

use assay_protocol::{
    Address, Digest, Lamports, PanelData, UnixSeconds,
    args::{JobRevealArgs, PanelCommitArgs, PanelRevealArgs},
    commitment::{Opening, Role},
    panel::{PanelStatus, Phase, SeatState, UNAVAILABLE},
    sortition::best_ticket,
};

use super::{
    AuditCommand, AuditIntent, Audits, Examined, SavedSeat,
    case::{Case, Files, Recall, SeatWork, back_off, of, of_mut},
};
use crate::core::command::{Body, Fresh, RunFault};

/// Between two tries to get hints, as a power of two in seconds.
const HINTS_PATIENCE: u8 = 1;
/// How long the slots up to a panel's target take.
const TARGET_SECS: i64 = 3;
/// Tickets looked through for the best one: a bound for a stake of a million tickets.
const MOST_TICKETS: u32 = 1 << 20;

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
            let may = self.is_ours(case) || (self.joining && self.wants(&case.job));
            may && case.job.convened_at.saturating_add(patience) <= now.0
        });
        if due {
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

    fn join(&mut self, address: Address, now: UnixSeconds) {
        let Some(account) = self.account.filter(|_| self.joining) else {
            return;
        };
        let Some(case) = self.cases.get_mut(&address) else {
            return;
        };
        let mine = case.job.provider == self.me.provider || case.is_seated(&self.me.provider);
        if mine || !self.policy.wants(&self.me, &account, &case.job) {
            return;
        }
        let Some(panel) = case.convened().copied() else {
            return;
        };
        let tickets = account
            .tickets(Lamports(case.job.ticket_stake))
            .unwrap_or(0)
            .min(MOST_TICKETS);
        let Some((ticket, score)) = case.best(&panel.seed, &self.me.provider, tickets) else {
            return;
        };
        let Some(evicted) = place(&panel, score) else {
            return;
        };
        let (files, due) = (case.files, case.files_due <= now);
        let free = self.held() < self.policy.max_seats;
        let Some(case) = self.cases.get(&address).filter(|_| free) else {
            return;
        };
        match files {
            Files::Absent if due => self.prepare(address),
            Files::Ready => {
                let level = case.job.level;
                let other_panel = level == 2 && case.job.has_panel(1);
                let intent = AuditIntent::Join {
                    level,
                    ticket,
                    other_panel,
                    evicted,
                };
                // On disk first: whoever restarts must find its seat.
                self.keep(address, false);
                self.submit(address, intent, now);
            }
            Files::Absent | Files::Preparing | Files::Refused => {}
        }
    }

    /// Lets go of files that nobody will run any more: no seat, or its result is on disk.
    fn discard(&mut self, address: Address, level: u8) {
        let Some(case) = self.cases.get_mut(&address) else {
            return;
        };
        let seat = case.seat(level, &self.me.provider).map(|(_, seat)| *seat);
        let done = seat.is_none_or(|seat| case.result(level, &seat).is_some());
        if done && matches!(case.files, Files::Ready | Files::Preparing) {
            case.files = Files::Absent;
            self.commands
                .push_back(AuditCommand::Discard { job: address });
        }
    }

    fn prepare(&mut self, address: Address) {
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
            Files::Ready if idle => {
                *of_mut(&mut case.work, level) = SeatWork::Running;
                let job = address;
                self.commands.push_back(AuditCommand::Run {
                    job,
                    level,
                    until,
                    hints_until,
                });
            }
            Files::Absent | Files::Refused | Files::Preparing | Files::Ready => {}
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

    /// From what was examined to what is saved.
    pub(super) fn examined(
        &mut self,
        address: Address,
        level: u8,
        result: Result<Examined, RunFault>,
        fresh: Fresh,
        now: UnixSeconds,
    ) {
        let Some(case) = self.cases.get_mut(&address) else {
            return;
        };
        let hopeless = case
            .panel(level)
            .is_some_and(|panel| self.policy.give_up_at(panel) <= now.0);
        let unavailable = Digest(UNAVAILABLE);
        let (root, body): (Digest, Arc<Body>) = match result {
            Ok(Examined::Root { root, body }) => (root, body),
            Ok(Examined::HintsWrong { body }) => (unavailable, body),
            Ok(Examined::HintsMissing { body }) if hopeless => (unavailable, body),
            Ok(Examined::HintsMissing { .. }) => {
                let failures = of_mut(&mut case.work_failures, level);
                let due = back_off(failures, HINTS_PATIENCE, now);
                *of_mut(&mut case.work_due, level) = due;
                return;
            }
            Err(fault) => {
                if fault == RunFault::Never {
                    case.files = Files::Absent;
                }
                let failures = of_mut(&mut case.work_failures, level);
                let due = back_off(failures, 2, now);
                *of_mut(&mut case.work_due, level) = due;
                return;
            }
        };
        if let Some(saved) = self.seal(&address, level, root, fresh) {
            if let Some(case) = self.cases.get_mut(&address) {
                *of_mut(&mut case.work, level) = SeatWork::Saving;
            }
            self.commands.push_back(AuditCommand::Save {
                job: address,
                result: saved,
                body,
            });
        }
    }

    /// Binds a root to our seat; none if we do not hold one any more.
    fn seal(&self, address: &Address, level: u8, root: Digest, fresh: Fresh) -> Option<SavedSeat> {
        let case = self.cases.get(address)?;
        let (_, seat) = case.seat(level, &self.me.provider)?;
        let opening = Opening {
            program_id: &self.me.program_id,
            job: address,
            attempt: case.job.attempt,
            role: if level == 1 {
                Role::PanelLevel1
            } else {
                Role::PanelLevel2
            },
            provider: &self.me.provider,
            generation: seat.generation,
            salt: &fresh.salt,
            root: &root,
            hints_digest: &Digest(case.job.hints_digest),
            runtime_class: &case.job.runtime_class,
        };
        Some(SavedSeat {
            level,
            attempt: case.job.attempt,
            generation: seat.generation,
            salt: fresh.salt,
            root,
            commitment: opening.commitment(),
        })
    }
}

fn case_primary(audits: &Audits, address: &Address) -> bool {
    let case = audits.cases.get(address);
    case.is_some_and(|case| case.job.provider == audits.me.provider)
}

/// Whether a score holds a seat now, and who would have to leave it for that.
fn place(panel: &PanelData, score: u64) -> Option<Option<Address>> {
    let seats = || panel.seats.iter().take(usize::from(panel.size));
    if panel.joined < panel.size {
        return Some(None);
    }
    // As the program picks it: the first of the highest.
    let mut highest = None;
    for seat in seats() {
        if highest.is_none_or(|(_, held)| held < seat.score) {
            highest = Some((seat.provider, seat.score));
        }
    }
    let (provider, held) = highest?;
    (score < held).then_some(Some(provider))
}

impl Case {
    /// Our best ticket for a panel's seed, remembered.
    fn best(&mut self, seed: &[u8; 32], provider: &Address, tickets: u32) -> Option<(u32, u64)> {
        if let Some((known, count, best)) = self.tickets
            && known == *seed
            && count == tickets
        {
            return Some(best);
        }
        let best = best_ticket(seed, provider, tickets)?;
        self.tickets = Some((*seed, tickets, best));
        Some(best)
    }
}
