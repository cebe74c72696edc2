//! What is said and kept of an audit, each piece of news once.

use assay_protocol::{
    Address,
    panel::{PanelStatus, SeatState, UNAVAILABLE},
};

use super::{
    AuditCommand, AuditReport, Audits,
    case::{Recall, Stage, of, of_mut},
    outlook::outcome,
};

impl Audits {
    /// Reports what the newest readings show of us, and keeps them.
    pub(super) fn tell(&mut self, address: Address) {
        self.tell_job(address);
        for level in [1, 2] {
            self.tell_seat(address, level);
        }
        self.tell_secrets(address);
        let Some(case) = self.cases.get(&address) else {
            return;
        };
        let kept = case.kept.is_some() || self.is_ours(case);
        if kept && case.kept != Some(case.sequences()) {
            self.keep(address, false);
        }
    }

    fn tell_job(&mut self, address: Address) {
        let Some(case) = self.cases.get_mut(&address) else {
            return;
        };
        let primary = case.job.provider == self.me.provider;
        let (level, verdict) = (case.job.level, case.job.verdict);
        let (told_level, told_verdict) = case.told;
        let seated = case.is_seated(&self.me.provider);
        case.told = (level, verdict);
        let status = case.status();
        let judged = case.is_judged();
        if verdict != told_verdict
            && (primary || seated)
            && let Some(status) = status
        {
            self.report(address, AuditReport::Verdict { verdict, status });
        }
        if level != told_level && primary && judged {
            self.report(address, AuditReport::Convened { level });
        }
    }

    fn tell_seat(&mut self, address: Address, level: u8) {
        let Some(case) = self.cases.get_mut(&address) else {
            return;
        };
        let before = *of(&case.stages, level);
        let closed = *of(&case.closed, level);
        let Some(panel) = case.panel(level).copied() else {
            return;
        };
        let bond = panel.bond;
        let Some((_, seat)) = case
            .seat(level, &self.me.provider)
            .map(|(at, seat)| (at, *seat))
        else {
            if before != Stage::None {
                *of_mut(&mut case.stages, level) = Stage::None;
                self.report(address, AuditReport::Evicted { level });
            }
            return;
        };
        let stage = match seat.state() {
            _ if closed => Stage::Settled,
            Ok(SeatState::Joined) => Stage::Joined,
            Ok(SeatState::Committed) => Stage::Committed,
            Ok(SeatState::Revealed) => Stage::Revealed,
            Ok(SeatState::Settled) => Stage::Settled,
            Ok(SeatState::Empty) | Err(_) => return,
        };
        if stage <= before {
            return;
        }
        *of_mut(&mut case.stages, level) = stage;
        let unavailable = case
            .result(level, &seat)
            .is_some_and(|saved| saved.root.0 == UNAVAILABLE);
        let payout = seat.payout;
        let report = match stage {
            Stage::None => return,
            Stage::Joined => AuditReport::Joined { level, bond },
            Stage::Committed => AuditReport::Committed { level, unavailable },
            Stage::Revealed => AuditReport::Revealed { level },
            // Payouts are fixed by the verdict.
            Stage::Settled if panel.status != PanelStatus::Resolved as u8 => {
                AuditReport::ClosedUnseen { level }
            }
            Stage::Settled => AuditReport::Settled {
                level,
                bond,
                payout,
            },
        };
        self.report(address, report);
    }

    /// Says once that a commitment of ours cannot be opened.
    fn tell_secrets(&mut self, address: Address) {
        let Some(case) = self.cases.get_mut(&address) else {
            return;
        };
        if case.recall != Recall::Done || case.secrets_missed || !case.is_judged() {
            return;
        }
        let primary = case.job.provider == self.me.provider && !case.job.is_revealed();
        let known = case
            .opening
            .is_some_and(|opening| opening.commitment.0 == case.job.commitment);
        let lost = |level: &u8| {
            case.seat(*level, &self.me.provider)
                .is_some_and(|(_, seat)| {
                    let saved = case.result(*level, seat);
                    seat.state == SeatState::Committed as u8
                        && saved.is_none_or(|saved| saved.commitment.0 != seat.digest)
                })
        };
        let missing = if primary && !known {
            Some(0)
        } else {
            [1, 2].into_iter().find(lost)
        };
        if let Some(level) = missing {
            case.secrets_missed = true;
            self.report(address, AuditReport::SecretsMissing { level });
        }
    }

    /// Asks for the audit to be written to disk as it now stands.
    pub(super) fn keep(&mut self, address: Address, ended: bool) {
        let Some(case) = self.cases.get_mut(&address) else {
            return;
        };
        let sequences = case.sequences();
        if case.kept == Some(sequences) && !ended {
            return;
        }
        case.kept = Some(sequences);
        let evidence = case.evidence(ended);
        self.commands.push_back(AuditCommand::Keep {
            job: address,
            evidence,
        });
    }

    /// Nothing is left to do.
    pub(super) fn end(&mut self, address: Address) {
        let Some(case) = self.cases.get(&address) else {
            return;
        };
        if case.kept.is_some() {
            let primary = case.job.provider == self.me.provider;
            let ended = outcome(&case.evidence(true), &self.me.provider);
            self.keep(address, true);
            if let Some(ended) = ended.filter(|_| primary) {
                let ours = ended.ours;
                self.report(address, AuditReport::Defended { ours });
            }
        }
        self.drop_case(address);
    }

    fn report(&mut self, job: Address, report: AuditReport) {
        self.commands
            .push_back(AuditCommand::Report { job, report });
    }
}
