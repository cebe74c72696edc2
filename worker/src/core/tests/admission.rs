//! Only what can be finished is claimed: trials, estimates, and what engines have promised.

use assay_protocol::{JobStatus, UnixSeconds};
use proptest::prelude::*;

use super::{
    super::*,
    world::{World, address},
};

/// One engine, and jobs with 15 usable seconds of 20.
fn one_engine(jobs: u8) -> World {
    World::with(jobs, |_| (), |policy| policy.admission.engines = 1)
}

#[test]
fn unknown_run_is_tried_before_its_job_is_claimed() {
    let mut world = World::new(1);
    while world.tries == 0 {
        assert!(!world.seen.contains(&"claim"));
        world.step();
    }
    world.drain();
    assert_eq!((world.tries, world.committed()), (1, 1));
}

#[test]
fn known_run_is_not_tried_and_claimed_if_it_fits() {
    for (took, fits) in [(10_000, true), (10_001, false)] {
        // Ten seconds and half of it again are the 15 that there are.
        let mut world = World::new(0);
        world.measured(took);
        world.add(0, |_| ());
        world.drain();
        assert_eq!(
            (world.tries, world.status(0) == JobStatus::Committed),
            (0, fits)
        );
        let refusal = (!fits).then_some(Refusal::TooSlow);
        assert_eq!(world.core.refusal(&address(0)), refusal);
    }
}

#[test]
fn run_that_does_not_end_in_its_trial_is_never_claimed_nor_tried_again() {
    let mut world = World::new(1);
    world.trials = vec![Tried::TooLong];
    world.drain();
    assert_eq!(world.core.refusal(&address(0)), Some(Refusal::TooSlow));
    // As the shell measures it: ten of the 15 seconds.
    world.note(Took::Unfinished(10_000));
    world.add(1, |_| ());
    world.drain();
    assert_eq!(world.core.refusal(&address(1)), Some(Refusal::TooSlow));
    assert_eq!((world.tries, world.seen.contains(&"claim")), (1, false));
    // With more time it may end.
    world.add(2, |job| job.compute_secs = 40);
    world.drain();
    assert_eq!((world.tries, world.status(2)), (2, JobStatus::Committed));
}

#[test]
fn trial_that_crashes_twice_leaves_its_job_to_others() {
    let again = Tried::Failed(RunFault::Again);
    for (trials, taken) in [(vec![again], true), (vec![again; 2], false)] {
        let mut world = World::new(1);
        world.trials = trials;
        world.drain();
        world.at(world.now + 2);
        assert_eq!(world.status(0) == JobStatus::Committed, taken);
        assert_eq!(world.tries, 2);
    }
    let mut world = World::new(1);
    world.trials = vec![Tried::Failed(RunFault::Never)];
    world.drain();
    assert_eq!(world.core.refusal(&address(0)), Some(Refusal::Unfit));
}

#[test]
fn trial_of_a_job_that_somebody_else_took_is_stopped() {
    let mut world = World::new(1);
    world.hold_trials = true;
    world.drain();
    assert_eq!(
        (world.tries, world.core.live()[0].phase.as_str()),
        (1, "trying")
    );
    world.taken_by_another(0);
    world.drain();
    assert_eq!(world.stopped, [address(0)]);
    world.hold_trials = false;
    world.drain();
    assert!(!world.seen.contains(&"claim"));
}

#[test]
fn job_that_would_wait_too_long_for_an_engine_is_claimed_later() {
    let mut world = one_engine(0);
    world.measured(5_400); // Counted as nine seconds.
    world.hold_runs = true;
    world.add(0, |_| ());
    world.drain();
    world.add(1, |_| ());
    world.drain();
    assert_eq!(
        world.core.counts().busy,
        1,
        "18 seconds for two are more than 15"
    );
    world.at(world.now + 2);
    assert_eq!(world.core.counts().busy, 1);
    world.at(world.now + 1);
    assert_eq!(world.core.counts().busy, 2, "six left and nine are 15");
}

#[test]
fn run_that_exceeds_its_estimate_is_counted_to_its_deadline() {
    let mut world = one_engine(0);
    world.measured(1_000);
    world.hold_runs = true;
    world.add(0, |_| ());
    world.drain();
    world.at(world.now + 3);
    world.add(1, |job| job.compute_secs = 17);
    world.drain();
    // It may run for twelve seconds more: those and two are more than the 13 of the other.
    assert_eq!(world.core.counts().busy, 1);
    world.hold_runs = false;
    world.drain();
    assert_eq!(world.committed(), 2);
}

#[test]
fn held_seat_keeps_its_engine_time_from_new_jobs() {
    let mut world = one_engine(0);
    world.measured(5_000); // Counted as eight.
    let seat = |from: i64| Demand {
        kind: Kind::Seat,
        turn: Turn::Unasked,
        from,
        secs: 20,
        until: from + 22,
    };
    world.core.handle_seats(vec![seat(world.now + 5)], 0);
    world.add(0, |_| ());
    world.drain();
    assert_eq!(
        world.status(0),
        JobStatus::Open,
        "the seat would end three seconds late"
    );
    world.core.handle_seats(vec![seat(world.now + 6)], 0);
    world.drain();
    assert_eq!(world.status(0), JobStatus::Committed);
}

#[test]
fn trial_begins_only_where_an_engine_is_free_now() {
    let mut world = one_engine(0);
    world.measured(5_400);
    world.hold_runs = true;
    world.add(0, |_| ());
    world.add(1, |job| job.model_digest = [7; 32]);
    world.drain();
    assert_eq!((world.core.counts().busy, world.tries), (1, 0));
    world.hold_runs = false;
    world.drain();
    assert_eq!((world.committed(), world.tries), (2, 1));
}

#[test]
fn trials_off_count_an_unknown_run_as_all_that_it_has() {
    let off = |policy: &mut Policy| {
        policy.admission.engines = 1;
        policy.admission.trial_run = TrialRun::Off;
    };
    let mut world = World::with(2, |_| (), off);
    world.hold_runs = true;
    world.drain();
    assert_eq!(
        (world.core.counts().busy, world.tries),
        (1, 0),
        "one at a time"
    );
    world.hold_runs = false;
    world.drain();
    assert_eq!(world.committed(), 2);
}

/// A job: when it shows up, its window and its run's true length.
type Arrival = (i64, u32, i64);

/// Engines that do one run after another, each as long as it was measured at most.
fn play(engines: usize, arrivals: &[Arrival], seats: &[(i64, i64)]) -> (usize, u32) {
    let mut world = World::with(
        0,
        |_| (),
        |policy| {
            policy.admission.engines = engines;
            policy.concurrent_jobs = 16;
        },
    );
    world.hold_runs = true;
    let start = world.now;
    let mut busy: Vec<i64> = vec![start; engines];
    let mut ends: Vec<(i64, Address)> = Vec::new();
    for second in 0..200 {
        let now = start + second;
        for (number, (at, window, secs)) in (0_u8..).zip(arrivals) {
            if *at == second {
                world.note_model(number, *secs);
                world.add(number, |job| {
                    (job.model_digest, job.compute_secs) = ([number; 32], *window);
                });
            }
        }
        let held = seats.iter().map(|(from, secs)| {
            let (from, until) = (start + from, start + from + secs);
            Demand {
                kind: Kind::Seat,
                turn: if from <= now {
                    Turn::Begun
                } else {
                    Turn::Unasked
                },
                from: from.max(now),
                secs: until - from.max(now),
                until,
            }
        });
        let held = held.filter(|demand| demand.secs > 0).collect();
        world.core.handle_seats(held, 0);
        for (from, secs) in seats {
            if start + from == now {
                let place = busy.iter_mut().min().unwrap();
                assert!(*place <= now, "a held seat has to wait");
                *place = now + secs;
            }
        }
        world.at(now);
        for job in world.begun() {
            let number = (0_u8..).find(|number| address(*number) == job).unwrap();
            let secs = arrivals[usize::from(number)].2;
            let place = busy.iter_mut().min().unwrap();
            let end = (*place).max(now) + secs;
            *place = end;
            ends.push((end, job));
        }
        for (_, job) in ends.extract_if(.., |(end, _)| *end <= now) {
            world.end_run(job);
        }
        world.drain();
    }
    (world.committed(), world.provider.jobs_released)
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(0),
        ..ProptestConfig::default()
    })]

    /// Runs take as long as they were measured: with the margin for what is not measured, no job is
    /// ever given back, and a seat that is held never waits.
    #[test]
    fn what_is_claimed_ends_in_time(
        engines in 1_usize..3,
        arrivals in proptest::collection::vec((0_i64..60, 8_u32..40, 1_i64..20), 0..16),
        seat in (20_i64..60, 1_i64..30),
    ) {
        let (_, released) = play(engines, &arrivals, &[seat]);
        prop_assert_eq!(released, 0);
    }
}

#[test]
fn seat_under_way_leaves_one_engine_to_jobs() {
    let arrivals = [(36, 24, 5), (33, 18, 9), (36, 17, 1), (34, 18, 2)];
    let (_, released) = play(2, &arrivals, &[(21, 28)]);
    assert_eq!(released, 0);
}

/// Two jobs are asked for in one second; the one that was asked for first has the engine.
#[test]
fn runs_have_engines_in_the_order_of_asking() {
    let arrivals = [(35, 26, 3), (21, 38, 16), (17, 32, 18), (19, 13, 4)];
    let (_, released) = play(2, &arrivals, &[(24, 20)]);
    assert_eq!(released, 0);
}

/// Claims that are under way at the same moment land in another order than they were counted in.
#[test]
fn claims_may_land_in_any_order() {
    let short = (0, 8, 1);
    let arrivals = [
        short,
        short,
        (17, 35, 16),
        short,
        short,
        short,
        short,
        (48, 27, 11),
        (39, 8, 1),
    ];
    let (_, released) = play(1, &arrivals, &[(29, 8)]);
    assert_eq!(released, 0);
}

#[test]
fn engines_are_not_left_idle() {
    let arrivals: Vec<Arrival> = (0..16).map(|at| (at * 4, 20, 2)).collect();
    assert_eq!(play(1, &arrivals, &[]), (16, 0));
}

#[test]
fn pause_of_a_reading_does_not_forget_promises() {
    let mut world = one_engine(0);
    world.measured(5_400);
    world.hold_runs = true;
    world.add(0, |_| ());
    world.drain();
    world.pause(Pause::Drained);
    let promised = world.core.demands(UnixSeconds(world.now));
    assert_eq!(promised.len(), 1);
    assert_eq!(promised[0].secs, 9);
}
