//! What auditors and a job's primary send about a panel.

use assay_client::{
    address,
    protocol::{Address, panel::UNAVAILABLE, sortition},
};

use super::{Mood, Turn};
use crate::program::stateful::{
    action::Court,
    bench::{Bench, Did},
    panels::Joining,
    seal::{HINTS, LIES, Seal, Shown, auditor},
    shadow::{Job, Provider},
};

impl Turn<'_> {
    pub(super) fn join(&mut self, account: &Address, job: &Job, bench: &Bench) -> Court {
        let mut joining = self.joining(account, job, bench);
        match self.dice.below(30) {
            0 => joining.other = None,
            1 => joining.other = Some(self.some_panel(account, job)),
            2 => joining.evicted = None,
            3 => joining.evicted = Some(self.provider().0),
            4 => joining.panel = self.some_panel(account, job),
            _ => {}
        }
        Court::Join(joining)
    }

    /// Mostly somebody who may sit, with its best ticket.
    pub(super) fn joining(&mut self, account: &Address, job: &Job, bench: &Bench) -> Joining {
        let terms = &job.args.terms;
        let first = address::panel(account, 1);
        let young =
            |held: &Provider| held.aged + i64::from(job.params.stake_age_secs) > job.created;
        let seated = |provider: &Address| {
            let mut panels = self.book.live_panels(account);
            panels.any(|(_, bench)| bench.seats(provider))
        };
        let poor = self.dice.percent(5);
        let fit: Vec<(Address, Provider)> = self
            .book
            .providers
            .iter()
            .filter(|(at, held)| {
                let classed = [[0; 32], held.class].contains(&terms.runtime_class);
                let other = job.holder.is_some_and(|(primary, _)| primary != **at);
                let rich = held.free >= bench.bond;
                classed && other && !young(held) && rich != poor && !seated(at)
            })
            .map(|(at, held)| (*at, *held))
            .collect();
        let anyone = fit.is_empty() || self.dice.percent(6);
        let (provider, held) = if anyone {
            self.provider()
        } else {
            *self.dice.pick(&fit)
        };
        let tickets = u32::try_from(self.book.tickets(&provider, job)).expect("few");
        let best = sortition::best_ticket(&bench.seed, &provider, tickets);
        let ticket = match self.dice.below(12) {
            0 => tickets,
            1..4 if tickets > 0 => self.dice.secs(0, tickets - 1),
            _ => best.map_or(0, |(ticket, _)| ticket),
        };
        let worst = bench.worst().filter(|_| bench.is_full());
        Joining {
            signer: self.key(held.operator),
            provider,
            job: *account,
            panel: address::panel(account, bench.level),
            other: (job.level == 2 && job.has_panel(1)).then_some(first),
            evicted: worst.map(|worst| bench.seats[worst].provider),
            ticket,
        }
    }

    /// An auditor commits, unless the panel's mood is against it.
    pub(super) fn vote(&mut self, account: &Address, job: &Job, bench: &Bench) -> Option<Court> {
        let waiting: Vec<usize> = (0..bench.seats.len())
            .filter(|seat| bench.seats[*seat].did == Did::Joined)
            .collect();
        let seat = if self.dice.percent(4) {
            *self.dice.pick(&(0..bench.seats.len()).collect::<Vec<_>>())
        } else {
            *self.dice.pick(&waiting)
        };
        if bench.mood().is_idle(bench, seat) && self.dice.percent(97) {
            return None;
        }
        let held = bench.seats[seat];
        let root = match bench.mood().root(bench, seat) {
            _ if self.dice.percent(4) => *self.dice.pick(&[LIES[1], UNAVAILABLE, [0; 32]]),
            root => root,
        };
        let mut seal = Seal {
            job: *account,
            attempt: job.attempt,
            role: auditor(bench.level),
            provider: held.provider,
            generation: held.generation,
            shown: Shown {
                salt: [u8::try_from(self.dice.below(256)).expect("a byte"); 32],
                root,
            },
            hints: HINTS,
            class: job.args.terms.runtime_class,
        };
        self.forge(&mut seal);
        let held = self.book.providers.get(&held.provider)?;
        let mut provider = bench.seats[seat].provider;
        let mut position = u8::try_from(seat).expect("five seats");
        match self.dice.below(40) {
            0 => provider = self.provider().0,
            1 => position = self.index(),
            _ => {}
        }
        Some(Court::Commit {
            signer: self.key(held.operator),
            provider,
            panel: address::panel(account, bench.level),
            seat: position,
            seal: (!self.dice.percent(2)).then_some(seal),
        })
    }

    /// Now and then a commitment that is copied, or made for something else.
    pub(super) fn forge(&mut self, seal: &mut Seal) {
        let seals = |bench: &Bench| -> Vec<Seal> {
            let sealed = bench.seats.iter().filter_map(|seat| seat.seal);
            sealed.collect()
        };
        match self.dice.below(120) {
            0 => seal.attempt ^= 1,
            1 => seal.role = *self.dice.pick(&[auditor(1), auditor(2)]),
            2 => seal.generation += 1,
            3 => seal.hints = [1; 32],
            4 => seal.class = [9; 32],
            5 => seal.job = self.some_job(&[]).0,
            6..9 => {
                let benches = self.book.panels.values();
                let mut copies: Vec<Seal> = benches.flat_map(seals).collect();
                copies.extend(self.book.jobs.values().filter_map(|job| job.seal));
                if !copies.is_empty() {
                    *seal = *self.dice.pick(&copies);
                }
            }
            _ => {}
        }
    }

    /// An auditor or the primary opens its commitment, unless the panel's mood is against it.
    pub(super) fn show(&mut self, account: &Address, job: &Job, bench: &Bench) -> Option<Court> {
        let panel = address::panel(account, bench.level);
        let sealed: Vec<(usize, Seal)> = (0..bench.seats.len())
            .filter(|seat| bench.seats[*seat].did == Did::Committed)
            .filter_map(|seat| Some((seat, bench.seats[seat].seal?)))
            .collect();
        let primary = job.root.is_none() && (sealed.is_empty() || self.dice.percent(30));
        if primary {
            if bench.mood() == Mood::Withheld && self.dice.percent(97) {
                return None;
            }
            let sealed = job.seal?;
            let fits = job.primary_seal(account, sealed.shown) == sealed;
            if !fits && self.dice.percent(90) {
                return None;
            }
            let shown = self.spoiled(sealed.shown);
            return Some(Court::JobReveal {
                job: *account,
                panel: if self.dice.percent(3) {
                    self.some_panel(account, job)
                } else {
                    panel
                },
                shown,
            });
        }
        let (seat, seal) = *self.dice.pick(&sealed);
        let held = bench.seats[seat];
        let own = (seal.provider, seal.generation) == (held.provider, held.generation);
        let fits = own && seal.job == *account && seal.role == auditor(bench.level);
        let fits = fits && seal.attempt == job.attempt && seal.shown.root != [0; 32];
        let mute = bench.mood().is_mute(bench, seat) || !fits;
        if mute && self.dice.percent(97) {
            return None;
        }
        let position = u8::try_from(seat).expect("five seats");
        Some(Court::Reveal {
            job: *account,
            panel,
            seat: if self.dice.percent(3) {
                self.index()
            } else {
                position
            },
            shown: self.spoiled(seal.shown),
        })
    }

    fn spoiled(&mut self, shown: Shown) -> Shown {
        match self.dice.below(40) {
            0 => Shown {
                salt: [0xaa; 32],
                ..shown
            },
            1 | 2 => Shown {
                root: self.shown().root,
                ..shown
            },
            _ => shown,
        }
    }
}
