//! Parties that are one: what it brings, and what it cannot.

use assay_client::{
    program::INCINERATOR,
    protocol::{Address, JobStatus, verdict::SeatOutcome},
};
use assay_tests::{Court, Job, World};

use super::{MILLI, Trial, ends};

use SeatOutcome::{Different, Equal};

/// What accounts hold together.
fn wealth(world: &World, accounts: &[Address]) -> i128 {
    accounts
        .iter()
        .map(|account| i128::from(world.balance(account)))
        .sum()
}

/// A job of the primary's own authority.
fn own_job(court: &mut Court) -> Job {
    let job = court
        .world
        .new_job_of(court.primary.authority, &court.model);
    let job = job.with_terms(|terms| *terms = World::audited_terms(&job.secret));
    court.world.do_job_create_as(&job);
    court.world.pass(30);
    court.world.do_job_claim(&job, &court.primary);
    court.world.do_job_commit(&job, &court.primary);
    job
}

/// A provider that orders from itself pays the market's share and the auditors for every line of its record: nothing
/// is minted anywhere. Limit: a record can be bought at that price.
#[test]
fn requester_that_is_its_own_provider_pays_for_its_record() {
    let mut court = Court::new();
    let own = [court.primary.authority, court.primary.account];
    let start = wealth(&court.world, &own);
    let job = own_job(&mut court);
    court.world.do_job_finalize(&job, &court.primary);
    court.judged(&job, &[Equal, Equal], true);
    court.world.do_panels_closed(&job);
    court.world.pass_open_slot(&job);
    court.world.do_job_close(&job);
    court
        .world
        .do_earnings_withdraw(&court.primary, court.primary.authority);
    // 2 % of 0.055 SOL, and two auditors at 0.15 SOL.
    assert_eq!(
        wealth(&court.world, &own) - start,
        -(1_100_000 + 300 * MILLI)
    );
    assert_eq!(court.world.provider(&court.primary.account).jobs_settled, 1);
}

/// Primary, requester and every auditor in one hand: a verdict against oneself moves at most eleven fees out of a
/// collateral of twenty and more, and burns the rest. Waiting for the stake to unbond costs nothing.
#[test]
fn stake_carried_out_by_ones_own_verdict_burns_most_of_it() {
    let mut court = Court::new();
    let own: Vec<Address> = [court.primary.authority, court.primary.account]
        .into_iter()
        .chain(court.auditors.iter().map(|auditor| auditor.account))
        .collect();
    let start = wealth(&court.world, &own);
    let burned = court.world.balance(&INCINERATOR);
    let job = own_job(&mut court);
    court.world.do_job_finalize(&job, &court.primary);
    court.judged(&job, &[Different; 2], true);
    court.judged(&job, &[Different; 5], true);
    assert_eq!(court.world.status(&job), JobStatus::Faulted);
    court.world.do_panels_closed(&job);
    court.world.pass_open_slot(&job);
    court.world.do_job_close(&job);
    // 4,000 less two pairs and five fees of 150.
    let lost = 4_000 * MILLI - 9 * 150 * MILLI;
    assert_eq!(wealth(&court.world, &own) - start, -lost);
    assert_eq!(i128::from(court.world.balance(&INCINERATOR) - burned), lost);
}

/// Limit: whoever holds both panels takes up to eleven fees out of an honest primary's collateral, which is why seats
/// go by stake and level 2 has five. The rest burns, and nothing beyond the collateral is touched.
#[test]
fn captured_panels_take_eleven_fees_and_no_more() {
    let mut court = Court::new();
    let job = court.committed(|terms| terms.panel_size = 3);
    let trial = Trial::of(&court, job);
    court.world.do_job_finalize(&job, &court.primary);
    let first = court.judged(&job, &[Different; 3], true);
    let second = court.judged(&job, &[Different; 5], true);
    let ended = trial.ends(&court, &[first, second].concat());
    // With three seats on level 1, E is 550.
    assert_eq!((ended.requester, ended.primary), (550, -4_000));
    assert_eq!(ended.seats, [300, 300, 300, 150, 150, 150, 150, 150]);
    assert_eq!(ended.burned, 4_000 - 11 * 150);
}

/// One captured seat of level 1 only brings level 2, and pays for it.
#[test]
fn one_captured_seat_pays_for_the_second_panel() {
    let mut court = Court::new();
    let trial = Trial::drawn(&mut court);
    let first = court.judged(&trial.job, &[Equal, Different], true);
    let second = court.judged(
        &trial.job,
        &[Equal, Equal, Equal, Different, Different],
        true,
    );
    assert_eq!(
        trial.ends(&court, &[first, second].concat()),
        ends(195, 55, [150, -750, 150, 150, 150, -750, -750], 1_800)
    );
}

/// A cheating primary's friends on level 2 need the majority; without it they lose their bonds with it.
#[test]
fn friends_of_a_cheat_lose_with_it() {
    let mut court = Court::new();
    let trial = Trial::drawn(&mut court);
    let first = court.judged(&trial.job, &[Equal, Different], true);
    let second = court.judged(
        &trial.job,
        &[Equal, Equal, Different, Different, Different],
        true,
    );
    assert_eq!(
        trial.ends(&court, &[first, second].concat()),
        ends(400, -4_000, [-750, 300, -750, -750, 150, 150, 150], 5_500)
    );
}
