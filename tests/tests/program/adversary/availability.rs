//! Files that somebody does not hand out: hints, the input, the model.

use assay_client::{
    instruction::ModelRegister,
    protocol::{JobStatus, OutputProfile, UnixSeconds, verdict::SeatOutcome},
};
use assay_tests::{Court, Refusal};

use super::{Trial, ends};

use SeatOutcome::{Different, Equal, Unavailable};

/// Without hints nobody can compare: a primary that serves them to nobody is at fault, and the first auditors, who
/// took the risk of saying so, earn two fees each.
#[test]
fn hints_served_to_nobody_fault_the_primary() {
    let mut court = Court::new();
    let trial = Trial::drawn(&mut court);
    let first = court.judged(&trial.job, &[Unavailable; 2], true);
    assert_eq!(court.world.status(&trial.job), JobStatus::Appealing);
    let second = court.judged(&trial.job, &[Unavailable; 3], true);
    assert_eq!(court.world.status(&trial.job), JobStatus::Faulted);
    assert_eq!(
        trial.ends(&court, &[first, second].concat()),
        ends(400, -4_000, [300, 300, 150, 150, 150], 2_950)
    );
}

/// A primary that refuses hints to level 1 only harms those auditors by two fees each and gains nothing by it. With
/// one of two refused it pays the second panel out of its price; with both refused their parts cover those fees and
/// it loses nothing: a spite that the protocol bounds and does not punish.
#[test]
fn hints_served_to_level_2_only_cost_level_1_a_part_of_its_bonds() {
    let mut court = Court::new();
    let trial = Trial::drawn(&mut court);
    let first = court.judged(&trial.job, &[Unavailable; 2], true);
    let second = court.judged(&trial.job, &[Equal; 3], true);
    assert_eq!(
        trial.ends(&court, &[first, second].concat()),
        ends(345, 55, [-300, -300, 150, 150, 150], 150)
    );

    let trial = Trial::drawn(&mut court);
    court.judged(&trial.job, &[Equal, Unavailable], true);
    court.judged(&trial.job, &[Equal; 5], true);
    let price = court.world.provider(&court.primary.account).total_earned;
    assert_eq!(
        price, 53_900_000,
        "the first job's, less the fee, and no second one"
    );
}

/// The reverse: an auditor that only pretends to have had no hints loses two fees, and never reaches the stake.
#[test]
fn auditor_that_denies_served_hints_pays_more_than_the_primary_loses() {
    let mut court = Court::new();
    let trial = Trial::drawn(&mut court);
    let first = court.judged(&trial.job, &[Equal, Unavailable], true);
    let stake = court.world.provider(&court.primary.account).stake;
    let second = court.judged(&trial.job, &[Equal, Equal, Equal, Unavailable], true);
    assert_eq!(court.world.provider(&court.primary.account).stake, stake);
    // Lost: 2a on level 1, a on level 2; the three fees are covered.
    assert_eq!(
        trial.ends(&court, &[first, second].concat()),
        ends(195, 55, [150, -300, 150, 150, 150, -150], 0)
    );
}

/// Where every output compares by its bits there are no hints, and whoever misses them is a dissenter like any other.
#[test]
fn hints_that_nobody_needs_are_missed_at_a_liars_cost() {
    let mut court = Court::new();
    let model = court.world.new_model();
    let mut args = model.args();
    args.output_profile[0] = OutputProfile::EXACT;
    let register = ModelRegister {
        payer: model.payer,
        author: model.author,
        args,
    };
    court.world.send(register).accepted();
    court.model = model;
    let trial = Trial::drawn(&mut court);
    let first = court.judged(&trial.job, &[Equal, Unavailable], true);
    let second = court.judged(&trial.job, &[Equal; 5], true);
    assert_eq!(
        trial.ends(&court, &[first, second].concat()),
        ends(195, 55, [150, -750, 150, 150, 150, 150, 150], 0)
    );
}

/// Auditors fetch before they join, so an input that is gone everywhere is judged by nobody and the primary is paid.
/// Limit: whoever alone can serve the input decides whether there is an audit. A requester names an input uri, and
/// the primary's worker serves what it used.
#[test]
fn input_taken_down_after_the_claim_settles_for_the_primary() {
    let mut court = Court::new();
    let trial = Trial::drawn(&mut court);
    court.world.do_panel_open(&trial.job);
    let deadline = court
        .world
        .panel(&court.world.panel_of(&trial.job))
        .join_deadline;
    court.world.pass_deadline(UnixSeconds(deadline));
    court.world.do_panel_resolve(&trial.job);
    assert_eq!(trial.ends(&court, &[]), ends(345, 55, [], 0));
}

/// Limit: a requester that serves the input to its own auditor alone has the first panel to itself, dissents, and
/// nobody can judge the dissent: the provider works for nothing. It keeps its stake, and prevents this by serving the
/// input itself, which its worker does.
#[test]
fn input_served_to_ones_own_auditor_only_leaves_the_primary_unpaid() {
    let mut court = Court::new();
    let trial = Trial::drawn(&mut court);
    let own = court.judged(&trial.job, &[Different], true);
    let deadline = court.world.job(&trial.job.account).panel_open_deadline();
    court.world.pass_deadline(deadline.unwrap());
    court.world.do_panel_resolve(&trial.job);
    assert_eq!(court.world.status(&trial.job), JobStatus::Unresolved);
    assert_eq!(trial.ends(&court, &own), ends(400, 0, [0], 0));
}

/// An author cannot change under a job how its outputs compare: the address is taken as long as a job may need it,
/// and the job carries its own copy.
#[test]
fn model_registered_again_with_another_profile_changes_no_job() {
    let mut court = Court::new();
    let trial = Trial::drawn(&mut court);
    let job = trial.job;
    let model = court.model;
    let mut args = model.args();
    args.output_profile[0] = 5;
    let again = || ModelRegister {
        payer: model.payer,
        author: model.author,
        args,
    };
    let bench = court.played(&job, &[Equal, Equal], true);
    let world = &mut court.world;
    let profile = world.job(&job.account).output_profile;
    world.send(again()).refused(Refusal::InUse);
    world.do_model_retire(&model);
    world.send(again()).refused(Refusal::InUse);
    // Nobody has sent panel_resolve until the model is closed and back.
    world.pass(world.market().params.unbond_secs + 1);
    world.do_model_close(&model);
    world.send(again()).accepted();
    assert_ne!(world.model(&model.account).output_profile, profile);
    assert_eq!(world.job(&job.account).output_profile, profile);
    world.do_panel_resolve(&job);
    assert_eq!(trial.ends(&court, &bench), ends(45, 55, [150, 150], 0));
}
