//! Audits: what a requester, auditors' operators and anybody send about a job's panels.

use assay_client::{
    PROGRAM_ID, address,
    instruction::{
        JobDispute, JobReveal, PanelClose, PanelCommit, PanelJoin, PanelOpen, PanelResolve,
        PanelRetarget, PanelReveal, SeatSettle,
    },
    protocol::{
        Address, Digest, Lamports, PanelData,
        args::{JobRevealArgs, PanelCommitArgs, PanelRevealArgs},
        commitment::{Opening, Role},
        panel::SeatState,
        sortition::{best_ticket, score},
    },
    slot_hashes::Search,
};

use crate::{Call, Job, Outcome, Provider, World};

/// The root that every primary here commits to.
pub const ROOT: [u8; 32] = [0x11; 32];
/// A root that is not the primary's.
pub const OTHER_ROOT: [u8; 32] = [0x22; 32];

/// Opens panels here and pays their rent; no party to anything.
pub const OPENER: Address = Address::new_from_array([0xa2; 32]);

/// What opens a commitment of this provider here.
pub fn salt(provider: &Address) -> [u8; 32] {
    Digest::of(&[b"salt", provider.as_ref()]).0
}

impl World {
    pub fn panel(&self, account: &Address) -> PanelData {
        self.read(account)
    }

    /// The address of the job's convened panel.
    pub fn panel_of(&self, job: &Job) -> Address {
        address::panel(&job.account, self.job(&job.account).level)
    }

    /// The address of the job's panel of a level, where it was opened and is not closed.
    pub fn live_panel(&self, job: &Job, level: u8) -> Option<Address> {
        let panel = address::panel(&job.account, level);
        self.exists(&panel).then_some(panel)
    }

    pub fn job_dispute(&self, job: &Job) -> Call {
        JobDispute {
            requester: job.requester,
            job: job.account,
        }
        .into()
    }

    #[track_caller]
    pub fn do_job_dispute(&mut self, job: &Job) -> Outcome {
        self.send(self.job_dispute(job)).accepted()
    }

    /// Names the entry that seeds the panel, the newest one where there is none yet.
    pub fn panel_open(&self, job: &Job) -> Call {
        let data = self.job(&job.account);
        let entry = match self.slot_hashes().find(data.target_slot) {
            Search::Found(entry) => entry,
            Search::NotYet | Search::Gone => 0,
        };
        PanelOpen {
            payer: OPENER,
            job: job.account,
            level: data.level,
            entry,
        }
        .into()
    }

    /// Waits for the target's hash and opens the panel.
    #[track_caller]
    pub fn do_panel_open(&mut self, job: &Job) -> Address {
        let target = self.job(&job.account).target_slot;
        if self.slot() <= target {
            self.pass_slots(target + 1 - self.slot());
        }
        self.send(self.panel_open(job)).accepted();
        self.panel_of(job)
    }

    pub fn panel_retarget(&self, job: &Job) -> Call {
        PanelRetarget { job: job.account }.into()
    }

    #[track_caller]
    pub fn do_panel_retarget(&mut self, job: &Job) -> Outcome {
        self.send(self.panel_retarget(job)).accepted()
    }

    /// With this ticket; names whoever holds the highest score where the panel is full.
    pub fn panel_join_with(&self, job: &Job, auditor: &Provider, ticket: u32) -> Call {
        let data = self.job(&job.account);
        let panel = self.panel(&self.panel_of(job));
        let full = panel.joined == panel.size;
        let worst = panel.seats.iter().max_by_key(|seat| seat.score);
        PanelJoin {
            operator: auditor.operator,
            provider: auditor.account,
            job: job.account,
            level: data.level,
            other_panel: (data.level == 2 && data.has_panel(1))
                .then(|| address::panel(&job.account, 1)),
            evicted: worst.filter(|_| full).map(|seat| seat.provider),
            ticket,
        }
        .into()
    }

    /// With the auditor's best ticket.
    pub fn panel_join(&self, job: &Job, auditor: &Provider) -> Call {
        let (ticket, _) = self.best_ticket(job, auditor);
        self.panel_join_with(job, auditor, ticket)
    }

    /// The auditor's best ticket for the job's convened panel and its score; the first one where it has none.
    pub fn best_ticket(&self, job: &Job, auditor: &Provider) -> (u32, u64) {
        let seed = self.panel(&self.panel_of(job)).seed;
        let data = self.provider(&auditor.account);
        let tickets = data.tickets(Lamports(self.job(&job.account).ticket_stake));
        let tickets = tickets.expect("unbonding is a part of the stake");
        best_ticket(&seed, &auditor.account, tickets)
            .unwrap_or_else(|| (0, score(&seed, &auditor.account, 0)))
    }

    #[track_caller]
    pub fn do_panel_join(&mut self, job: &Job, auditor: &Provider) -> Outcome {
        self.send(self.panel_join(job, auditor)).accepted()
    }

    /// The auditor's seat on the convened panel; the first one where it has none.
    pub fn seat(&self, job: &Job, auditor: &Provider) -> u8 {
        self.seat_at(&self.panel_of(job), auditor)
    }

    fn seat_at(&self, panel: &Address, auditor: &Provider) -> u8 {
        let seats = self.panel(panel).seats;
        let held = |provider: &Address| *provider == auditor.account;
        let found = seats.iter().position(|seat| held(&seat.provider));
        u8::try_from(found.unwrap_or_default()).expect("five seats")
    }

    /// What an auditor's commitment to this root is, for the job's convened panel.
    pub fn auditor_commitment(&self, job: &Job, auditor: &Provider, root: [u8; 32]) -> [u8; 32] {
        let data = self.job(&job.account);
        Opening {
            program_id: &PROGRAM_ID,
            job: &job.account,
            attempt: data.attempt,
            role: Role::auditor(data.level),
            provider: &auditor.account,
            generation: self.provider(&auditor.account).generation,
            salt: &salt(&auditor.account),
            root: &Digest(root),
            hints_digest: &Digest(data.hints_digest),
            runtime_class: &data.runtime_class,
        }
        .commitment()
        .0
    }

    pub fn panel_commit(&self, job: &Job, auditor: &Provider, root: [u8; 32]) -> Call {
        let args = PanelCommitArgs {
            commitment: self.auditor_commitment(job, auditor, root),
            seat: self.seat(job, auditor),
        };
        PanelCommit {
            operator: auditor.operator,
            provider: auditor.account,
            panel: self.panel_of(job),
            args,
        }
        .into()
    }

    #[track_caller]
    pub fn do_panel_commit(&mut self, job: &Job, auditor: &Provider, root: [u8; 32]) -> Outcome {
        self.send(self.panel_commit(job, auditor, root)).accepted()
    }

    pub fn panel_reveal(&self, job: &Job, auditor: &Provider, root: [u8; 32]) -> Call {
        let args = PanelRevealArgs {
            salt: salt(&auditor.account),
            root,
            seat: self.seat(job, auditor),
        };
        PanelReveal {
            job: job.account,
            panel: self.panel_of(job),
            args,
        }
        .into()
    }

    #[track_caller]
    pub fn do_panel_reveal(&mut self, job: &Job, auditor: &Provider, root: [u8; 32]) -> Outcome {
        self.send(self.panel_reveal(job, auditor, root)).accepted()
    }

    /// The primary's root, for the convened panel.
    pub fn job_reveal(&self, job: &Job) -> Call {
        let provider = self.job(&job.account).provider;
        let args = JobRevealArgs {
            salt: salt(&provider),
            root: ROOT,
        };
        JobReveal {
            job: job.account,
            panel: self.panel_of(job),
            args,
        }
        .into()
    }

    #[track_caller]
    pub fn do_job_reveal(&mut self, job: &Job) -> Outcome {
        self.send(self.job_reveal(job)).accepted()
    }

    /// Names the panels that exist.
    pub fn panel_resolve(&self, job: &Job) -> Call {
        PanelResolve {
            job: job.account,
            provider: self.job(&job.account).provider,
            requester: job.requester,
            panel1: self.live_panel(job, 1),
            panel2: self.live_panel(job, 2),
        }
        .into()
    }

    #[track_caller]
    pub fn do_panel_resolve(&mut self, job: &Job) -> Outcome {
        self.send(self.panel_resolve(job)).accepted()
    }

    pub fn seat_settle(&self, job: &Job, level: u8, auditor: &Provider) -> Call {
        let panel = address::panel(&job.account, level);
        SeatSettle {
            panel,
            provider: auditor.account,
            seat: self.seat_at(&panel, auditor),
        }
        .into()
    }

    #[track_caller]
    pub fn do_seat_settle(&mut self, job: &Job, level: u8, auditor: &Provider) -> Outcome {
        self.send(self.seat_settle(job, level, auditor)).accepted()
    }

    pub fn panel_close(&self, job: &Job, level: u8) -> Call {
        let panel = address::panel(&job.account, level);
        PanelClose {
            job: job.account,
            panel,
            rent_payer: self.panel(&panel).rent_payer,
        }
        .into()
    }

    #[track_caller]
    pub fn do_panel_close(&mut self, job: &Job, level: u8) -> Outcome {
        self.send(self.panel_close(job, level)).accepted()
    }

    /// Settles every seat of every panel of the job and closes them.
    #[track_caller]
    pub fn do_panels_closed(&mut self, job: &Job) {
        for level in [1, 2] {
            let Some(panel) = self.live_panel(job, level) else {
                continue;
            };
            for (seat, held) in (0..).zip(self.panel(&panel).seats) {
                if held.state != SeatState::Empty as u8 && held.state != SeatState::Settled as u8 {
                    let settle = SeatSettle {
                        panel,
                        provider: held.provider,
                        seat,
                    };
                    self.send(Call::from(settle)).accepted();
                }
            }
            self.do_panel_close(job, level);
        }
    }
}
