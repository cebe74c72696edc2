//! What requesters, auditors' operators and strangers send about audits.

use assay_client::{
    address,
    protocol::{Address, JobStatus, panel::UNAVAILABLE},
};

use super::{Mood, Turn};
use crate::program::stateful::{
    action::{Action, Court},
    bench::{Bench, Did, Phase},
    panels::Joining,
    seal::{LIES, Shown, TRUTH},
    shadow::Job,
};

impl Turn<'_> {
    /// Something about an audit, if there is anything to be done but to wait.
    pub(super) fn court(&mut self) -> Option<Action> {
        let audited = |account: &Address, job: &Job| {
            let disputable = job.status == JobStatus::Committed;
            disputable || job.is_convened() || self.book.live_panels(account).next().is_some()
        };
        let jobs: Vec<(Address, Job)> = self
            .book
            .jobs
            .iter()
            .filter(|(account, job)| audited(account, job))
            // A second panel has more to do in the same time.
            .flat_map(|(account, job)| {
                let appeal = job.status == JobStatus::Appealing;
                std::iter::repeat_n((*account, *job), if appeal { 3 } else { 1 })
            })
            .collect();
        if jobs.is_empty() {
            return None;
        }
        if self.dice.percent(7) {
            let (account, job) = *self.dice.pick(&jobs);
            return Some(Action::Court(self.out_of_turn(&account, &job)));
        }
        // Most audits wait for time most of the time.
        (0..4).find_map(|_| {
            let (account, job) = *self.dice.pick(&jobs);
            self.in_turn(&account, &job).map(Action::Court)
        })
    }

    fn in_turn(&mut self, account: &Address, job: &Job) -> Option<Court> {
        if job.status == JobStatus::Committed {
            return self.dice.percent(4).then(|| self.dispute(account, job));
        }
        if !job.is_convened() {
            return self.aftermath(account, job);
        }
        let panel = address::panel(account, job.level);
        let Some(bench) = self.book.panels.get(&panel).cloned() else {
            return self.unopened(account, job);
        };
        match bench.phase(self.book.now, job) {
            Phase::Join => {
                let crowded = bench.is_full() && self.dice.percent(70);
                let shy = bench.mood() == Mood::Empty && self.dice.percent(95);
                (!crowded && !shy).then(|| self.join(account, job, &bench))
            }
            Phase::Commit => self.vote(account, job, &bench),
            Phase::Reveal => self.show(account, job, &bench),
            Phase::Over => Some(self.resolve(account, job)),
        }
    }

    /// Any instruction at any time.
    fn out_of_turn(&mut self, account: &Address, job: &Job) -> Court {
        let panel = self.some_panel(account, job);
        let bench = self.book.panels.get(&panel).cloned();
        let (payer, requester) = (self.someone(), self.key(job.requester));
        let (provider, held) = self.provider();
        let seat = self.index();
        let shown = self.shown();
        match (self.dice.below(10), bench) {
            (0, _) => self.dispute(account, job),
            (1, _) => self.open(account, job),
            (2, _) => Court::Retarget { job: *account },
            (3, Some(bench)) => Court::Join(Joining {
                panel,
                ..self.joining(account, job, &bench)
            }),
            (4, _) => Court::Commit {
                signer: self.key(held.operator),
                provider,
                panel,
                seat,
                seal: Some(job.primary_seal(account, shown)),
            },
            (5, _) => Court::Reveal {
                job: *account,
                panel,
                seat,
                shown,
            },
            (6, _) => Court::JobReveal {
                job: *account,
                panel,
                shown,
            },
            (7, _) => Court::Settle {
                panel,
                provider,
                seat,
            },
            (8, _) => Court::Close {
                job: *account,
                panel,
                payer,
            },
            _ => Court::Resolve {
                job: *account,
                provider: self.holder(job).0,
                requester,
                panels: self.panels(account, job),
            },
        }
    }

    pub(super) fn someone(&mut self) -> Address {
        *self.dice.pick(&self.cast.all)
    }

    pub(super) fn index(&mut self) -> u8 {
        u8::try_from(self.dice.below(6)).expect("small")
    }

    pub(super) fn shown(&mut self) -> Shown {
        Shown {
            salt: [self.index(); 32],
            root: *self.dice.pick(&[TRUTH, LIES[0], UNAVAILABLE, [0; 32]]),
        }
    }

    /// The job's convened panel, its other one, or now and then that of another job or of a closed one.
    pub(super) fn some_panel(&mut self, account: &Address, job: &Job) -> Address {
        let all: Vec<Address> = self.book.panels.keys().copied().collect();
        match self.dice.below(20) {
            0 if !all.is_empty() => *self.dice.pick(&all),
            1 if !self.closed.is_empty() => address::panel(&self.dice.pick(self.closed).0, 1),
            2 => address::panel(account, 3 - job.level.clamp(1, 2)),
            _ => address::panel(account, job.level),
        }
    }

    fn dispute(&mut self, account: &Address, job: &Job) -> Court {
        Court::Dispute {
            job: *account,
            signer: self.key(job.requester),
        }
    }

    fn unopened(&mut self, account: &Address, job: &Job) -> Option<Court> {
        let oldest = self.book.hashes.last().map_or(0, |oldest| oldest.slot);
        if self.book.now > job.open_deadline() && self.dice.percent(90) {
            return Some(self.resolve(account, job));
        }
        if oldest > job.target && self.dice.percent(80) {
            return Some(Court::Retarget { job: *account });
        }
        // Some panels nobody opens in time.
        let rarity = 8 * job.level;
        let forgotten = account.as_ref()[0].is_multiple_of(rarity) && self.dice.percent(98);
        let early = self.book.slot <= job.target && self.dice.percent(97);
        (!forgotten && !early).then(|| self.open(account, job))
    }

    fn open(&mut self, account: &Address, job: &Job) -> Court {
        let reached = self.book.hashes.iter();
        let reached = reached.take_while(|hash| hash.slot >= job.target).count();
        let first = u16::try_from(reached.saturating_sub(1)).expect("at most 512");
        let entry = match self.dice.below(25) {
            0 => first + 1,
            1 => first.saturating_sub(1),
            2 => *self.dice.pick(&[0, 511, 512, 600]),
            3 => first.saturating_sub(63),
            4 => first.saturating_sub(64),
            5..9 => first.saturating_sub(u16::from(self.index()) * 5),
            _ => first,
        };
        let level = if self.dice.percent(2) {
            self.index() % 3
        } else {
            job.level
        };
        Court::Open {
            payer: self.someone(),
            job: *account,
            level,
            entry,
        }
    }

    /// The job's panels, or now and then one too few, one too many or another one.
    fn panels(&mut self, account: &Address, job: &Job) -> [Option<Address>; 2] {
        let any: Vec<Address> = self.book.panels.keys().copied().collect();
        [1, 2].map(|level| {
            let right = job.has_panel(level).then(|| address::panel(account, level));
            match self.dice.below(40) {
                0 => None,
                1 if !any.is_empty() => Some(*self.dice.pick(&any)),
                2 => Some(self.some_panel(account, job)),
                _ => right,
            }
        })
    }

    fn resolve(&mut self, account: &Address, job: &Job) -> Court {
        Court::Resolve {
            job: *account,
            provider: self.holder(job).0,
            requester: self.key(job.requester),
            panels: self.panels(account, job),
        }
    }

    /// The job has ended: its seats are paid and its panels closed.
    fn aftermath(&mut self, account: &Address, job: &Job) -> Option<Court> {
        let panels: Vec<(Address, Bench)> = self
            .book
            .live_panels(account)
            .map(|(at, bench)| (*at, bench.clone()))
            .collect();
        let (panel, bench) = self.dice.pick(&panels).clone();
        let open: Vec<usize> = (0..bench.seats.len())
            .filter(|seat| bench.seats[*seat].did != Did::Settled)
            .collect();
        if open.is_empty() || self.dice.percent(5) {
            return Some(Court::Close {
                job: if self.dice.percent(4) {
                    self.some_job(&[job.status]).0
                } else {
                    *account
                },
                panel,
                payer: self.key(bench.payer),
            });
        }
        let seat = if self.dice.percent(5) {
            *self.dice.pick(&(0..bench.seats.len()).collect::<Vec<_>>())
        } else {
            *self.dice.pick(&open)
        };
        let position = u8::try_from(seat).expect("five seats");
        Some(Court::Settle {
            panel,
            provider: if self.dice.percent(5) {
                self.provider().0
            } else {
                bench.seats[seat].provider
            },
            seat: if self.dice.percent(5) {
                self.index()
            } else {
                position
            },
        })
    }
}
