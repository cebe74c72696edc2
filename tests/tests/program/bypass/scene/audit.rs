//! Scenes of audits: two jobs side by side, judged by different auditors.

use assay_client::protocol::{UnixSeconds, verdict::SeatOutcome};
use assay_tests::{Call, Court, Job, Provider, ROOT, World};

use super::{Address, Scene};

use SeatOutcome::{Different, Equal};

/// How far the second job's first auditor is down the list.
const APART: usize = 2;

struct Pair {
    court: Court,
    jobs: [Job; 2],
}

impl Pair {
    fn committed() -> Self {
        let mut court = Court::new();
        let jobs = [(); 2].map(|()| court.committed(|_| {}));
        Self { court, jobs }
    }

    /// Does the same to both jobs, to the second one with other auditors in front.
    fn each<T>(&mut self, mut act: impl FnMut(&mut Court, &Job) -> T) -> [T; 2] {
        let first = act(&mut self.court, &self.jobs[0]);
        self.court.auditors.rotate_left(APART);
        let second = act(&mut self.court, &self.jobs[1]);
        self.court.auditors.rotate_right(APART);
        [first, second]
    }

    fn drawn() -> Self {
        let mut pair = Self::committed();
        pair.each(|court, job| {
            let primary = court.primary;
            court.world.do_job_finalize(job, &primary);
        });
        pair
    }

    /// With auditors that have or have not committed.
    fn seated(commit: bool) -> (Self, Provider) {
        let mut pair = Self::drawn();
        let [bench, other] = pair.each(|court, job| court.seated(job, 2));
        if commit {
            for (job, bench) in pair.jobs.iter().zip([&bench, &other]) {
                for auditor in bench {
                    pair.court.world.do_panel_commit(job, auditor, ROOT);
                }
            }
        }
        (pair, bench[0])
    }

    fn confirmed() -> (Self, Provider) {
        let mut pair = Self::drawn();
        let [bench, _] = pair.each(|court, job| court.judged(job, &[Equal, Equal], true));
        (pair, bench[0])
    }

    fn dissented() -> Self {
        let mut pair = Self::drawn();
        pair.each(|court, job| court.judged(job, &[Equal, Different], true));
        pair
    }

    fn scene(self, call: impl FnOnce(&World, &Job) -> Call) -> Scene {
        let Self { court, jobs } = self;
        let Court {
            mut world,
            primary,
            auditors,
            model,
        } = court;
        let (stranger, other, young) = (world.wallet(), world.wallet(), world.do_provider());
        let call = call(&world, &jobs[0]);
        let panel = |level| assay_client::address::panel(&jobs[1].account, level);
        let named = |name: &str| {
            call.spec
                .accounts
                .iter()
                .any(|account| account.name == name)
        };
        // On a panel's way the primary is not the one who asks for a seat.
        let provider = if named("operator") {
            young
        } else {
            auditors[APART]
        };
        let convened = world.job(&jobs[1].account).level;
        let siblings: Vec<(&'static str, Address)> = vec![
            ("provider", provider.account),
            ("operator", young.operator),
            ("evicted", primary.account),
            ("model", model.account),
            ("job", jobs[1].account),
            ("panel", panel(convened)),
            ("other_panel", panel(1)),
            ("panel1", panel(1)),
            ("panel2", panel(2)),
            ("requester", stranger),
            ("rent_payer", stranger),
            ("payer", other),
        ];
        Scene {
            world,
            call,
            siblings,
        }
    }
}

pub(super) fn of(name: &str) -> Scene {
    match name {
        "job_dispute" => Pair::committed().scene(World::job_dispute),
        "panel_open" => {
            let mut pair = Pair::drawn();
            pair.court.world.pass_slots(20);
            pair.scene(World::panel_open)
        }
        "panel_retarget" => {
            let mut pair = Pair::drawn();
            pair.court.world.pass_slots(20);
            let slot = pair.court.world.slot();
            pair.court.world.retain_slots(&[slot - 1, slot - 2]);
            pair.scene(World::panel_retarget)
        }
        "panel_join" => joining(),
        "panel_commit" => {
            let (pair, auditor) = Pair::seated(false);
            pair.scene(|world, job| world.panel_commit(job, &auditor, ROOT))
        }
        "panel_reveal" => {
            let (pair, auditor) = Pair::seated(true);
            pair.scene(|world, job| world.panel_reveal(job, &auditor, ROOT))
        }
        "job_reveal" => Pair::seated(true).0.scene(World::job_reveal),
        "panel_resolve" => {
            let mut pair = Pair::dissented();
            pair.each(|court, job| court.played(job, &[Equal, Equal, Different], true));
            pair.scene(World::panel_resolve)
        }
        "seat_settle" => {
            let (pair, auditor) = Pair::confirmed();
            pair.scene(|world, job| world.seat_settle(job, 1, &auditor))
        }
        _ => {
            let (mut pair, _) = Pair::confirmed();
            for job in pair.jobs {
                let world = &mut pair.court.world;
                for seat in world.panel(&world.panel_of(&job)).seats {
                    let held = |auditor: &&Provider| auditor.account == seat.provider;
                    if let Some(auditor) = pair.court.auditors.iter().find(held) {
                        world.do_seat_settle(&job, 1, auditor);
                    }
                }
            }
            pair.scene(|world, job| world.panel_close(job, 1))
        }
    }
}

/// The second panel of both jobs is full, and the best of the first one's six candidates comes last.
fn joining() -> Scene {
    let mut pair = Pair::dissented();
    pair.each(|court, job| court.world.do_panel_open(job));
    let [job, other] = pair.jobs;
    let world = &pair.court.world;
    let mut candidates = pair.court.auditors[2..].to_vec();
    candidates.sort_by_key(|auditor| world.best_ticket(&job, auditor).1);
    let best = candidates.remove(0);
    for auditor in &candidates {
        pair.court.world.do_panel_join(&job, auditor);
    }
    let others: Vec<Provider> = pair.court.auditors.iter().rev().take(5).copied().collect();
    for auditor in others {
        let world = &mut pair.court.world;
        let deadline = world.panel(&world.panel_of(&other)).join_deadline;
        assert!(world.now() <= UnixSeconds(deadline));
        // The second job's first panel sat two and three, whom the last five do not include but for one.
        if !world
            .panel(&assay_client::address::panel(&other.account, 1))
            .seats_provider(&auditor.account)
        {
            world.do_panel_join(&other, &auditor);
        }
    }
    pair.scene(|world, job| world.panel_join(job, &best))
}
