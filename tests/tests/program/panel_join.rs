//! panel_join: who may sit, for which bond, and who has to leave.

use assay_client::{
    Event, address,
    event::of_logs,
    protocol::{Address, Error, UnixSeconds, args::ProviderArgs, panel::SeatState},
};
use assay_tests::{Call, Court, Job, Provider, SOL, World};

const BOND: u64 = 5 * 15 * SOL / 100;

fn joining() -> (Court, Job) {
    let mut court = Court::new();
    let job = court.drawn();
    court.world.do_panel_open(&job);
    (court, job)
}

/// The auditors by their best score for this panel, the best first.
fn ranked(court: &Court, job: &Job) -> Vec<Provider> {
    let mut auditors = court.auditors.clone();
    auditors.sort_by_key(|auditor| court.world.best_ticket(job, auditor).1);
    auditors
}

#[test]
fn panel_join_moves_the_bond_from_the_stake_into_the_panel() {
    let (mut court, job) = joining();
    let auditor = court.auditors[0];
    let world = &mut court.world;
    let panel = world.panel_of(&job);
    let (rent, account) = (world.balance(&panel), world.balance(&auditor.account));
    let outcome = world.do_panel_join(&job, &auditor);
    assert_eq!(world.balance(&panel), rent + BOND);
    assert_eq!(world.balance(&auditor.account), account - BOND);
    let held = world.provider(&auditor.account);
    assert_eq!(
        (held.stake, held.reserved, held.live_seats),
        (10 * SOL - BOND, 0, 1)
    );
    let data = world.panel(&panel);
    assert_eq!((data.joined, data.bonds, data.sequence), (1, BOND, 2));
    let seat = data.seats[0];
    assert_eq!(
        (seat.provider, seat.generation),
        (auditor.account, held.generation)
    );
    assert_eq!(seat.state(), Ok(SeatState::Joined));
    let score = {
        let events = of_logs(&outcome.logs);
        let [Event::PanelJoined(event)] = events.as_slice() else {
            panic!("{events:?}")
        };
        assert_eq!(
            (event.provider, event.evicted),
            (auditor.account, Address::default())
        );
        assert_eq!((event.seat, event.bond, event.stake), (0, BOND, held.stake));
        event.score
    };
    assert_eq!(seat.score, score);
}

/// Whatever the order of the joins, the lowest scores hold the seats, and whoever leaves has its bond back.
#[test]
fn panel_join_seats_the_lowest_scores() {
    let (court, job) = joining();
    let ranked = ranked(&court, &job);
    for turn in 0..ranked.len() {
        let mut world = court.world.clone();
        let mut order = ranked.clone();
        order.rotate_left(turn);
        for auditor in &order {
            let outcome = world.send(world.panel_join(&job, auditor));
            if !outcome.is_accepted() {
                outcome.refused(Error::SeatScoreTooHigh);
            }
        }
        let panel = world.panel(&world.panel_of(&job));
        assert_eq!((panel.joined, panel.bonds), (2, 2 * BOND));
        for (rank, auditor) in ranked.iter().enumerate() {
            let held = world.provider(&auditor.account);
            let sits = panel.seats_provider(&auditor.account);
            assert_eq!(sits, rank < 2, "the auditor of rank {rank}, turn {turn}");
            let bond = if sits { BOND } else { 0 };
            assert_eq!(
                (held.stake, held.live_seats),
                (10 * SOL - bond, u32::from(sits))
            );
        }
    }
}

#[test]
fn panel_join_that_evicts_names_who_leaves() {
    let (mut court, job) = joining();
    let ranked = ranked(&court, &job);
    court.world.do_panel_join(&job, &ranked[3]);
    court.world.do_panel_join(&job, &ranked[2]);
    let world = &mut court.world;
    let call = world.panel_join(&job, &ranked[0]);
    assert_eq!(call.account("evicted"), ranked[3].account);
    world
        .send(call.clone().absent("evicted"))
        .refused(Error::SeatEvictedMissing);
    for other in [ranked[2], ranked[5], court.primary] {
        let call = call.clone().put("evicted", other.account);
        world.send(call).refused(Error::SeatEvictedMismatch);
    }
    let outcome = world.send(call).accepted();
    let events = of_logs(&outcome.logs);
    let [Event::PanelJoined(event)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(event.evicted, ranked[3].account);
}

#[test]
fn panel_join_with_a_worse_score_than_every_seat_fails() {
    let (mut court, job) = joining();
    let ranked = ranked(&court, &job);
    for auditor in &ranked[..2] {
        court.world.do_panel_join(&job, auditor);
    }
    let call = court.world.panel_join(&job, &ranked[2]);
    court.world.send(call).refused(Error::SeatScoreTooHigh);
}

/// Another ticket of an auditor that sits is no second seat, not even by pushing itself out.
#[test]
fn panel_join_twice_fails() {
    let (mut court, job) = joining();
    let auditor = court.auditors[0];
    court.world.do_panel_join(&job, &auditor);
    for ticket in 0..5 {
        let call = court.world.panel_join_with(&job, &auditor, ticket);
        court.world.send(call).refused(Error::SeatProviderSeated);
    }
    let other = court.auditors[1];
    court.world.do_panel_join(&job, &other);
    let call = court.world.panel_join(&job, &auditor);
    let call = call.put("evicted", other.account);
    court.world.send(call).refused(Error::SeatProviderSeated);
}

#[test]
fn panel_join_after_the_join_window_fails() {
    let (mut court, job) = joining();
    let world = &mut court.world;
    let deadline = world.panel(&world.panel_of(&job)).join_deadline;
    world.pass_to(UnixSeconds(deadline));
    world.clone().do_panel_join(&job, &court.auditors[0]);
    world.pass(1);
    world
        .send(world.panel_join(&job, &court.auditors[0]))
        .refused(Error::PanelNotJoining);
}

#[test]
fn panel_join_of_a_panel_that_has_spoken_fails() {
    let mut court = Court::new();
    let (job, _) = court.confirmed();
    let call = court.world.panel_join(&job, &court.auditors[5]);
    court.world.send(call).refused(Error::PanelNotLive);
}

#[test]
fn panel_join_by_the_primary_fails() {
    let (mut court, job) = joining();
    let call = court.world.panel_join(&job, &court.primary);
    court.world.send(call).refused(Error::SeatPrimaryRefused);
}

#[test]
fn panel_join_by_anyone_but_the_operator_fails() {
    let (mut court, job) = joining();
    let auditor = court.auditors[0];
    for stranger in [auditor.authority, court.auditors[1].operator] {
        let call = court.world.panel_join(&job, &auditor);
        court
            .world
            .send(call.put("operator", stranger))
            .refused(Error::ProviderOperatorMismatch);
    }
}

#[test]
fn panel_join_of_another_jobs_panel_fails() {
    let (mut court, job) = joining();
    let other = court.drawn();
    let panel = court.world.do_panel_open(&other);
    let call = court.world.panel_join(&job, &court.auditors[0]);
    court
        .world
        .send(call.put("panel", panel))
        .refused(Error::PanelJobMismatch);
}

/// The first panel takes nobody once the second one is convened.
#[test]
fn panel_join_of_the_first_panel_while_the_second_is_convened_fails() {
    let mut court = Court::new();
    let job = court.dissented();
    court.world.do_panel_open(&job);
    let call = court.world.panel_join(&job, &court.auditors[5]);
    let first = address::panel(&job.account, 1);
    court
        .world
        .send(call.put("panel", first).absent("other_panel"))
        .refused(Error::PanelJobMismatch);
}

#[test]
fn panel_join_with_a_ticket_that_the_stake_does_not_hold_fails() {
    let (mut court, job) = joining();
    let auditor = court.auditors[0];
    let world = &mut court.world;
    // 10 SOL are a hundred tickets of 0.1 SOL.
    for ticket in [100, 101, u32::MAX] {
        let call = world.panel_join_with(&job, &auditor, ticket);
        world.send(call).refused(Error::SeatTicketInvalid);
    }
    world
        .clone()
        .send(world.panel_join_with(&job, &auditor, 99))
        .accepted();
    // What is on its way out counts no more.
    world.do_stake_unbond(&auditor, 1);
    let call = world.panel_join_with(&job, &auditor, 99);
    world.send(call).refused(Error::SeatTicketInvalid);
    let call = world.panel_join_with(&job, &auditor, 98);
    world.send(call).accepted();
}

#[test]
fn panel_join_without_a_free_bond_fails() {
    let (mut court, job) = joining();
    let auditor = court.auditors[0];
    let world = &mut court.world;
    world.do_stake_unbond(&auditor, 10 * SOL - BOND + 1);
    world
        .send(world.panel_join(&job, &auditor))
        .refused(Error::ProviderStakeInsufficient);
    let other = court.auditors[1];
    world.do_stake_unbond(&other, 10 * SOL - BOND);
    world.do_panel_join(&job, &other);
    assert_eq!(world.provider(&other.account).free_stake().unwrap().0, 0);
}

/// A stake has to lie still for a while before the job is created: neither a deposit nor a change of class after the
/// job became known makes an auditor.
#[test]
fn panel_join_with_a_young_stake_fails() {
    for class in [false, true] {
        let mut court = Court::new();
        let age = court.world.market().params.stake_age_secs;
        let touched = court.auditors[0];
        let touch = |world: &mut World, auditor: &Provider| {
            if class {
                let args = ProviderArgs {
                    runtime_class: [8; 32],
                    ..auditor.args()
                };
                world.do_provider_update(auditor, args);
            } else {
                world.do_stake_deposit(auditor, 1);
            }
        };
        touch(&mut court.world, &touched);
        let mut early = court.clone();
        let job = early.drawn();
        early.world.do_panel_open(&job);
        early
            .world
            .send(early.world.panel_join(&job, &touched))
            .refused(Error::SeatStakeTooYoung);
        court.world.pass(age);
        let job = court.drawn();
        court.world.do_panel_open(&job);
        court.world.do_panel_join(&job, &touched);
        // And a change after the creation is one after all.
        let late = court.auditors[1];
        touch(&mut court.world, &late);
        let call = court.world.panel_join(&job, &late);
        court.world.send(call).refused(Error::SeatStakeTooYoung);
    }
}

#[test]
fn panel_join_of_another_class_fails_where_the_job_names_one() {
    let mut court = Court::new();
    let other = court.auditors[0];
    let args = ProviderArgs {
        runtime_class: [8; 32],
        ..other.args()
    };
    court.world.do_provider_update(&other, args);
    court.world.pass(10);
    let job = court.committed(|terms| terms.runtime_class = [7; 32]);
    court.world.do_job_finalize(&job, &court.primary);
    court.world.do_panel_open(&job);
    court
        .world
        .send(court.world.panel_join(&job, &other))
        .refused(Error::ProviderClassMismatch);
    court.world.do_panel_join(&job, &court.auditors[1]);
    // A job without a class takes both.
    let any = court.drawn();
    court.world.do_panel_open(&any);
    court.world.do_panel_join(&any, &other);
}

/// The job's only invited provider may be audited by anybody.
#[test]
fn panel_join_needs_no_invitation() {
    let mut court = Court::new();
    let invited = court.primary.account;
    let job = court.committed(|terms| terms.exclusive_provider = invited);
    court.world.do_job_finalize(&job, &court.primary);
    court.world.do_panel_open(&job);
    court.world.do_panel_join(&job, &court.auditors[0]);
}

#[test]
fn panel_join_on_both_panels_of_a_job_fails() {
    let mut court = Court::new();
    let job = court.dissented();
    court.world.do_panel_open(&job);
    let call = court.world.panel_join(&job, &court.auditors[0]);
    court.world.send(call).refused(Error::SeatProviderSeated);
    court.world.do_panel_join(&job, &court.auditors[5]);
}

#[test]
fn panel_join_needs_the_first_panel_exactly_where_there_is_one() {
    let mut court = Court::new();
    let (dissented, auditor) = (court.dissented(), court.auditors[5]);
    court.world.do_panel_open(&dissented);
    let first = address::panel(&dissented.account, 1);
    let call = court.world.panel_join(&dissented, &auditor);
    let world = &mut court.world;
    world
        .send(call.clone().absent("other_panel"))
        .refused(Error::PanelMissing);
    let second = call.account("panel");
    world
        .clone()
        .send(call.clone().put("panel", first).put("other_panel", second))
        .refused(Error::PanelJobMismatch);
    let strange = |call: Call| call.put("other_panel", first);
    let disputed = court.disputed();
    court.world.do_panel_open(&disputed);
    let call = strange(court.world.panel_join(&disputed, &auditor));
    court.world.send(call).refused(Error::PanelUnexpected);
    let drawn = court.drawn();
    court.world.do_panel_open(&drawn);
    let call = strange(court.world.panel_join(&drawn, &auditor));
    court.world.send(call).refused(Error::PanelUnexpected);
}

/// An account that leaves nothing is not touched, whoever's it is.
#[test]
fn panel_join_of_a_free_seat_leaves_a_passed_provider_alone() {
    let (mut court, job) = joining();
    let bystander = court.auditors[7].account;
    let before = court.world.provider(&bystander);
    let mut call = court.world.panel_join(&job, &court.auditors[0]);
    let place = call
        .spec
        .accounts
        .iter()
        .position(|each| each.name == "evicted");
    call.instruction.accounts[place.unwrap()].is_writable = true;
    court.world.send(call.put("evicted", bystander)).accepted();
    assert_eq!(court.world.provider(&bystander), before);
}

/// Collateral, bonds and what unbonds never overlap.
#[test]
fn panel_join_takes_nothing_that_a_job_reserved() {
    let mut court = Court::new();
    let busy = court.auditors[0];
    let own = court.world.new_job(&court.model);
    let own = own.with_terms(|terms| terms.collateral = 10 * SOL - BOND + 1);
    court.world.do_job_create_as(&own);
    court.world.do_job_claim(&own, &busy);
    let job = court.drawn();
    court.world.do_panel_open(&job);
    court
        .world
        .send(court.world.panel_join(&job, &busy))
        .refused(Error::ProviderStakeInsufficient);
}
