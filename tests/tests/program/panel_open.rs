//! panel_open: anybody creates the convened panel, seeded by the one slot hash that the rule names.

use assay_client::{
    Event, address,
    event::of_logs,
    protocol::{Error, UnixSeconds, panel::PanelStatus, sortition::panel_seed},
};
use assay_tests::{Call, Court, Job, Refusal, World};

fn drawn() -> (World, Job) {
    let mut court = Court::new();
    let job = court.drawn();
    (court.world, job)
}

fn at(world: &World, job: &Job, entry: u16) -> Call {
    world.panel_open(job).arguments(&entry.to_le_bytes())
}

#[test]
fn panel_open_creates_the_panel_with_its_seed_and_deadlines() {
    let (mut world, job) = drawn();
    let data = world.job(&job.account);
    world.pass_slots(20);
    let stranger = world.wallet();
    let before = world.balance(&stranger);
    let call = world.panel_open(&job).put("payer", stranger);
    let outcome = world.send(call).accepted();
    let account = address::panel(&job.account, 1);
    let panel = world.panel(&account);
    let hashes = world.slot_hashes();
    let hash = hashes.0.iter().find(|entry| entry.slot == data.target_slot);
    assert_eq!(
        panel.seed,
        panel_seed(&job.account, 1, &hash.unwrap().hash).0
    );
    assert_eq!((panel.job, panel.level, panel.size), (job.account, 1, 2));
    assert_eq!(panel.status(), Ok(PanelStatus::Live));
    assert_eq!((panel.bond, panel.bonds), (5 * job.args.terms.audit_fee, 0));
    let now = world.now().0;
    assert_eq!(
        (
            panel.opened_at,
            panel.join_deadline,
            panel.commit_deadline,
            panel.reveal_deadline
        ),
        (now, now + 10, now + 10 + 300 + 10, now + 10 + 300 + 10 + 30)
    );
    assert_eq!(panel.rent_payer, stranger);
    assert_eq!(world.balance(&stranger), before - world.rent(656));
    let after = world.job(&job.account);
    assert_eq!(
        (after.live_panels, after.has_panel(1), after.has_panel(2)),
        (1, true, false)
    );
    assert_eq!(after.sequence, data.sequence + 1);
    let events = of_logs(&outcome.logs);
    let [Event::PanelOpened(event)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(
        (event.panel, event.job, event.seed),
        (account, job.account, panel.seed)
    );
}

#[test]
fn panel_open_at_level_2_has_five_seats() {
    for bring in [Court::disputed, Court::dissented] {
        let mut court = Court::new();
        let job = bring(&mut court);
        let panel = court.world.do_panel_open(&job);
        let data = court.world.panel(&panel);
        assert_eq!((data.level, data.size), (2, 5));
        assert_eq!(panel, address::panel(&job.account, 2));
    }
}

#[test]
fn panel_open_before_the_target_is_hashed_fails() {
    let (mut world, job) = drawn();
    for _ in 0..8 {
        world
            .send(at(&world, &job, 0))
            .refused(Error::PanelSlotHashMismatch);
        world.pass_slots(1);
    }
    // In the target's own slot its hash is not known yet; one slot later it is the newest one.
    assert_eq!(world.slot(), world.job(&job.account).target_slot);
    world
        .send(at(&world, &job, 0))
        .refused(Error::PanelSlotHashMismatch);
    world.pass_slots(1);
    world.send(at(&world, &job, 0)).accepted();
}

/// Every slot pushes the hash one position on: a sender names where the search starts, and 64 entries are searched.
#[test]
fn panel_open_finds_the_hash_from_the_entry_named_on() {
    let (mut world, job) = drawn();
    world.pass_slots(100);
    let data = world.job(&job.account);
    let right = u16::try_from(world.slot() - 1 - data.target_slot).unwrap();
    for entry in [0, right - 64, right + 1, 511, 512, u16::MAX] {
        world
            .send(at(&world, &job, entry))
            .refused(Error::PanelSlotHashMismatch);
    }
    let hash = world.slot_hashes().0[usize::from(right)].hash;
    let mut units = Vec::new();
    for entry in [right - 63, right - 1, right] {
        let mut world = world.clone();
        let outcome = world.send(at(&world, &job, entry)).accepted();
        units.push(outcome.compute_units);
        let panel = world.panel(&world.panel_of(&job));
        assert_eq!(panel.seed, panel_seed(&job.account, 1, &hash).0);
    }
    // What a simulation's limit leaves room for, so that a late landing does not fail for its cost.
    assert!(units[0] < units[2] + 1_000, "{units:?}");
}

/// A skipped target is replaced by the first slot after it, and by no later one.
#[test]
fn panel_open_after_skipped_slots_takes_the_first_that_was_not() {
    let (mut world, job) = drawn();
    world.pass_slots(30);
    let target = world.job(&job.account).target_slot;
    world.retain_slots(&[target + 5, target + 4, target + 2, target - 3]);
    world
        .send(at(&world, &job, 3))
        .refused(Error::PanelSlotHashMismatch);
    let hash = world.slot_hashes().0[2].hash;
    for entry in 0..3 {
        let mut world = world.clone();
        world.send(at(&world, &job, entry)).accepted();
        let panel = world.panel(&world.panel_of(&job));
        assert_eq!(panel.seed, panel_seed(&job.account, 1, &hash).0);
    }
}

/// Where the oldest retained slot is after the target, nobody can show that it is the first.
#[test]
fn panel_open_with_the_target_gone_fails() {
    let (mut world, job) = drawn();
    world.pass_slots(30);
    let target = world.job(&job.account).target_slot;
    world.retain_slots(&[target + 3, target + 2, target + 1]);
    for entry in 0..4 {
        world
            .send(at(&world, &job, entry))
            .refused(Error::PanelSlotHashMismatch);
    }
    world.retain_slots(&[]);
    world
        .send(at(&world, &job, 0))
        .refused(Error::PanelSlotHashMismatch);
    // The target as the oldest one is still there.
    world.retain_slots(&[target + 1, target]);
    world.send(at(&world, &job, 1)).accepted();
}

#[test]
fn panel_open_after_its_deadline_fails() {
    let (mut world, job) = drawn();
    let deadline = world.job(&job.account).panel_open_deadline().unwrap();
    world.pass_to(deadline);
    world.clone().do_panel_open(&job);
    world.pass(1);
    world
        .send(world.panel_open(&job))
        .refused(Error::PanelOpenDeadlinePassed);
}

#[test]
fn panel_open_twice_fails_even_after_the_panel_is_gone() {
    let mut court = Court::new();
    let job = court.drawn();
    court.world.do_panel_open(&job);
    let again = court.world.panel_open(&job);
    court.world.send(again).refused(Refusal::InUse);
    let (settled, _) = court.confirmed();
    court.world.do_panels_closed(&settled);
    let again = court.world.panel_open(&settled);
    court.world.send(again).refused(Error::JobNotConvened);
}

/// One panel for a level, whatever stands at its address: the job remembers.
#[test]
fn panel_open_for_a_level_that_had_its_panel_fails() {
    let mut court = Court::new();
    let job = court.drawn();
    court.world.do_panel_open(&job);
    // Retargeting asks the same question without an account in the way.
    let call = court.world.panel_retarget(&job);
    court.world.send(call).refused(Error::PanelAlreadyOpen);
}

#[test]
fn panel_open_for_a_job_that_waits_for_no_panel_fails() {
    let mut court = Court::new();
    let committed = court.committed(|_| {});
    court.world.pass_slots(20);
    let call = court.world.panel_open(&committed);
    court.world.send(call).refused(Error::JobNotConvened);
}

#[test]
fn panel_open_of_the_other_level_fails() {
    let (mut world, job) = drawn();
    world.pass_slots(20);
    let wrong = world
        .panel_open(&job)
        .put("panel", address::panel(&job.account, 2));
    world.send(wrong).refused(Refusal::WrongSeeds);
}

#[test]
fn panel_open_by_a_wallet_without_the_rent_fails() {
    let (mut world, job) = drawn();
    world.pass_slots(20);
    let poor = world.wallet();
    world.fund(poor, world.rent(656) - 1);
    let call = world.panel_open(&job).put("payer", poor);
    world.send(call).refused(Refusal::TooPoor);
}

/// Lamports at the address stop nobody, and go with the rent.
#[test]
fn panel_open_at_a_pre_funded_address_is_accepted() {
    let mut court = Court::new();
    let job = court.drawn();
    let giver = court.world.wallet();
    let account = address::panel(&job.account, 1);
    let gift = court.world.rent(656) + 12_345;
    court.world.do_transfer(giver, account, gift);
    court.judged(&job, &[], false);
    let before = court.world.balance(&assay_tests::panel::OPENER);
    court.world.do_panels_closed(&job);
    assert_eq!(
        court.world.balance(&assay_tests::panel::OPENER),
        before + gift
    );
    assert_eq!(court.world.job(&job.account).live_panels, 0);
}

#[test]
fn panel_open_keeps_the_windows_of_the_jobs_creation() {
    let mut court = Court::new();
    let job = court.drawn();
    let mut params = court.world.market().params;
    params.panel_join_secs = 1_000;
    params.panel_commit_secs = 1_000;
    params.panel_reveal_secs = 1_000;
    court.world.do_market_update(params);
    let panel = court.world.do_panel_open(&job);
    let data = court.world.panel(&panel);
    assert_eq!(data.reveal_deadline, court.world.now().0 + 10 + 310 + 30);
    court.world.pass_to(UnixSeconds(data.join_deadline));
}
