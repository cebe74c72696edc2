//! The hash that seeds a panel, and whoever would like another one.

use std::collections::BTreeSet;

use assay_client::{
    address,
    protocol::{Error, JobStatus, UnixSeconds, verdict::SeatOutcome},
};
use assay_tests::{Call, Court, Job, Refusal, World};

use super::{Trial, ends};

use SeatOutcome::Equal;

fn open(world: &World, job: &Job, entry: u16) -> Call {
    world.panel_open(job).arguments(&entry.to_le_bytes())
}

/// Every seed that some entry of the present slot hashes gives.
fn seeds(world: &World, job: &Job) -> BTreeSet<[u8; 32]> {
    let mut seeds = BTreeSet::new();
    for entry in 0..=512 {
        let mut world = world.clone();
        let outcome = world.send(open(&world, job, entry));
        if outcome.is_accepted() {
            seeds.insert(world.panel(&world.panel_of(job)).seed);
        } else {
            outcome.refused(Error::PanelSlotHashMismatch);
        }
    }
    seeds
}

/// Whoever opens, and whenever: one seed, that of a slot that did not exist when the panel was convened.
#[test]
fn slot_hash_chosen_after_the_fact_is_refused() {
    let mut court = Court::new();
    let job = Trial::drawn(&mut court).job;
    let world = &mut court.world;
    let target = world.job(&job.account).target_slot;
    assert_eq!(target, world.slot() + 8);
    world.pass_slots(8);
    assert_eq!(seeds(world, &job), BTreeSet::new(), "not known yet");
    let mut all = BTreeSet::new();
    for waited in [1, 1, 6, 55, 200, 248] {
        world.pass_slots(waited);
        let seeds = seeds(world, &job);
        assert_eq!(seeds.len(), 1, "{waited} slots later");
        all.extend(seeds);
    }
    assert_eq!(all.len(), 1);
    // 512 slots after the target it is the oldest one; then it is gone.
    world.pass_slots(2);
    assert_eq!(seeds(world, &job), BTreeSet::new());
}

/// Where the target was skipped, the first slot after it that was not, and no other.
#[test]
fn slot_hashes_entry_skipped_leaves_no_choice() {
    let mut court = Court::new();
    let job = Trial::drawn(&mut court).job;
    let world = &mut court.world;
    world.pass_slots(40);
    let target = world.job(&job.account).target_slot;
    let retained = [9, 7, 6, 3, 2, -1, -5].map(|slot| target.saturating_add_signed(slot));
    world.retain_slots(&retained);
    let found = seeds(world, &job);
    let mut expected = world.clone();
    expected.send(open(world, &job, 4)).accepted();
    let seed = expected.panel(&expected.panel_of(&job)).seed;
    assert_eq!(found, BTreeSet::from([seed]));
    world
        .send(world.panel_retarget(&job))
        .refused(Error::PanelSlotHashRetained);
}

/// A hash that is gone is replaced by that of another future slot: nobody knows that one either, and it is named once.
/// Limit: as long as nobody else opens the panel, whoever does not like its seed can let it go by; everybody that
/// wants to audit opens it within 512 slots.
#[test]
fn slot_hashes_entry_gone_names_one_other_slot() {
    let mut court = Court::new();
    let trial = Trial::drawn(&mut court);
    let job = trial.job;
    let world = &mut court.world;
    world.pass_slots(600);
    assert_eq!(seeds(world, &job), BTreeSet::new());
    world.do_panel_retarget(&job);
    assert_eq!(world.job(&job.account).target_slot, world.slot() + 8);
    // Not again before that one has come and gone.
    for slots in [0, 8, 1, 400] {
        world.pass_slots(slots);
        world
            .send(world.panel_retarget(&job))
            .refused(Error::PanelSlotHashRetained);
    }
    assert_eq!(seeds(world, &job).len(), 1);
    let bench = court.judged(&job, &[Equal, Equal], true);
    assert_eq!(trial.ends(&court, &bench), ends(45, 55, [150, 150], 0));
}

/// No panel is opened twice, before or after it has spoken, nor retargeted away once it is open.
#[test]
fn two_panels_for_one_job_are_refused() {
    let mut court = Court::new();
    let trial = Trial::drawn(&mut court);
    let job = trial.job;
    court.world.do_panel_open(&job);
    let world = &mut court.world;
    let again = world.panel_open(&job);
    world.send(again).refused(Refusal::InUse);
    let second = world
        .panel_open(&job)
        .put("panel", address::panel(&job.account, 2));
    world.send(second).refused(Refusal::WrongSeeds);
    world.pass_slots(600);
    world
        .send(world.panel_retarget(&job))
        .refused(Error::PanelAlreadyOpen);
    let bench = court.bench(&job, 2);
    let world = &mut court.world;
    for auditor in &bench {
        world.do_panel_join(&job, auditor);
    }
    let deadline = world.panel(&world.panel_of(&job)).join_deadline;
    world.pass_deadline(UnixSeconds(deadline));
    for auditor in &bench {
        let call = world.panel_commit(&job, auditor, assay_tests::ROOT);
        world.send(call).accepted();
    }
    for auditor in &bench {
        world.do_panel_reveal(&job, auditor, assay_tests::ROOT);
    }
    world.do_job_reveal(&job);
    world.do_panel_resolve(&job);
    assert_eq!(trial.ends(&court, &bench), ends(45, 55, [150, 150], 0));
    let world = &mut court.world;
    world.do_panels_closed(&job);
    for level in [1, 2] {
        let again = world
            .panel_open(&job)
            .put("panel", address::panel(&job.account, level));
        let outcome = world.send(again);
        assert!(!outcome.is_accepted(), "level {level}");
    }
    assert_eq!(world.job(&job.account).live_panels, 0);
}

/// Limit: a panel that nobody opens counts as one that nobody joined. Everybody may open it, auditors earn by it, and
/// the requester's client does it.
#[test]
fn panel_that_nobody_opens_settles_for_the_primary() {
    let mut court = Court::new();
    let trial = Trial::drawn(&mut court);
    let job = trial.job;
    let world = &mut court.world;
    let deadline = world.job(&job.account).panel_open_deadline().unwrap();
    world.pass_to(deadline);
    world
        .send(world.panel_resolve(&job))
        .refused(Error::PanelNotOver);
    world.clone().do_panel_open(&job);
    world.pass(1);
    world
        .send(world.panel_open(&job))
        .refused(Error::PanelOpenDeadlinePassed);
    world.do_panel_resolve(&job);
    assert_eq!(world.status(&job), JobStatus::Settled);
    assert_eq!(trial.ends(&court, &[]), ends(345, 55, [], 0));
}
