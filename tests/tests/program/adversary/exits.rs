//! Leaving while something is owed, and keeping others from leaving.

use assay_client::protocol::{
    Error, JobStatus, UnixSeconds, args::ProviderArgs, verdict::SeatOutcome,
};
use assay_tests::{Court, Provider, SOL, World};

use super::{Ends, Trial};

use SeatOutcome::{Different, Equal, Joined};

/// A seated auditor takes out everything but the bond, which is not its stake any more; then it keeps silent, and the
/// bond is lost all the same. Nor can it leave before the seat is settled.
#[test]
fn unstake_while_seated_leaves_the_bond_behind() {
    let mut court = Court::new();
    let trial = Trial::drawn(&mut court);
    let job = trial.job;
    let bench = court.played(&job, &[Equal, Joined], true);
    let leaving = bench[1];
    let world = &mut court.world;
    let stake = world.provider(&leaving.account).stake;
    assert_eq!(stake, 10 * SOL - 750_000_000);
    world
        .send(world.stake_unbond(&leaving, stake + 1))
        .refused(Error::ProviderStakeInsufficient);
    world.do_stake_unbond(&leaving, stake);
    world.pass(world.market().params.unbond_secs + 1);
    world.do_stake_withdraw(&leaving, leaving.authority);
    world
        .send(world.provider_deregister(&leaving))
        .refused(Error::ProviderHasLiveWork);
    world.do_panel_resolve(&job);
    world
        .send(world.provider_deregister(&leaving))
        .refused(Error::ProviderHasLiveWork);
    // The account lost the bond to the fire, and 9,250 to its authority before.
    let expected = Ends {
        requester: 195,
        primary: 55,
        seats: vec![150, -10_000],
        burned: 750,
    };
    assert_eq!(trial.ends(&court, &bench), expected);
    let world = &mut court.world;
    world.do_seat_settle(&job, 1, &leaving);
    assert_eq!(world.provider(&leaving.account).stake, 0);
    world.do_provider_deregister(&leaving);
}

/// Deregistering to shed a seat or a job and to return with a clean record: refused until both have ended; what
/// returns is another generation.
#[test]
fn deregister_and_return_sheds_nothing() {
    let mut court = Court::new();
    let trial = Trial::drawn(&mut court);
    let job = trial.job;
    let bench = court.judged(&job, &[Equal, Different], true);
    for bound in [bench[0], bench[1], court.primary] {
        let call = court.world.provider_deregister(&bound);
        court.world.send(call).refused(Error::ProviderHasLiveWork);
        let again = court.world.provider_register(&bound);
        assert!(!court.world.send(again).is_accepted());
    }
    court.judged(&job, &[Different; 3], true);
    let world = &mut court.world;
    world.do_panels_closed(&job);
    let gone = bench[0];
    let (stake, old) = {
        let held = world.provider(&gone.account);
        (held.stake, held.generation)
    };
    world.do_stake_unbond(&gone, stake);
    world.pass(world.market().params.unbond_secs + 1);
    world.do_stake_withdraw(&gone, gone.authority);
    world.do_provider_deregister(&gone);
    world.send(world.provider_register(&gone)).accepted();
    let back = world.provider(&gone.account);
    assert_ne!(back.generation, old);
    assert_eq!((back.stake, back.audits_lost, back.live_seats), (0, 0, 0));
}

/// Accounts go in order: seats, panels, job. Nothing that somebody is owed can be closed away.
#[test]
fn job_closed_with_seats_unsettled_is_refused() {
    let mut court = Court::new();
    let trial = Trial::drawn(&mut court);
    let job = trial.job;
    let first = court.judged(&job, &[Equal, Different], true);
    let world = &mut court.world;
    // The first panel waits for the second one.
    world
        .send(world.seat_settle(&job, 1, &first[0]))
        .refused(Error::PanelNotResolved);
    world
        .send(world.panel_close(&job, 1))
        .refused(Error::PanelNotResolved);
    let second = court.judged(&job, &[Equal, Equal, Equal], true);
    let world = &mut court.world;
    world.pass_open_slot(&job);
    assert_eq!(world.status(&job), JobStatus::Settled);
    let close = world.job_close(&job);
    world.send(close.clone()).refused(Error::JobPanelsLive);
    for (level, bench) in [(1, &first), (2, &second)] {
        for auditor in bench {
            world
                .send(world.panel_close(&job, level))
                .refused(Error::PanelSeatsUnsettled);
            let settle = world.seat_settle(&job, level, auditor);
            world
                .send([settle.clone(), settle.clone()])
                .refused(Error::SeatSettled);
            world.send(settle).accepted();
        }
        world.send(close.clone()).refused(Error::JobPanelsLive);
        world.do_panel_close(&job, level);
    }
    world.send(close).accepted();
    assert!(!world.exists(&job.account));
}

/// A losing seat cannot be left unsettled by its holder to hold up the others, nor paid to anybody else.
#[test]
fn seat_payout_goes_to_its_holder_only() {
    let mut court = Court::new();
    let (job, bench) = court.confirmed();
    let world = &mut court.world;
    for other in [bench[1], court.primary, court.auditors[7]] {
        let call = world
            .seat_settle(&job, 1, &bench[0])
            .put("provider", other.account);
        world.send(call).refused(Error::SeatProviderMismatch);
    }
    let stranger = world.wallet();
    for auditor in &bench {
        let call = world.seat_settle(&job, 1, auditor);
        world.send_from(stranger, call).accepted();
    }
}

/// One key as requester, authority, operator of the primary and of the auditors, rent payer and fee payer: an audit
/// stumbles over none of it, and everything comes out.
#[test]
fn one_wallet_in_every_role_of_an_audit_gets_everything_out() {
    let mut court = Court::new();
    let me = court.primary.authority;
    let parties: Vec<Provider> = [vec![court.primary], court.auditors.clone()].concat();
    for party in &parties {
        let args = ProviderArgs {
            operator: me,
            ..party.args()
        };
        court.world.do_provider_update(party, args);
    }
    court.primary.operator = me;
    for auditor in &mut court.auditors {
        auditor.operator = me;
    }
    let world = &mut court.world;
    let job = world.new_job_of(me, &court.model);
    let job = job.with_terms(|terms| *terms = World::audited_terms(&job.secret));
    world.send_from(me, world.job_create(&job)).accepted();
    let claim = world.job_claim(&job, &court.primary);
    world.send_from(me, claim).accepted();
    let commit = world.job_commit(&job, &court.primary);
    world.send_from(me, commit).accepted();
    let finalize = world.job_finalize(&job, &court.primary);
    world.send_from(me, finalize).accepted();
    world.pass_slots(9);
    let open = world.panel_open(&job).put("payer", me);
    world.send_from(me, open).accepted();
    let bench = court.bench(&job, 2);
    for auditor in &bench {
        let join = court.world.panel_join(&job, auditor);
        court.world.send_from(me, join).accepted();
    }
    let panel = court.world.panel(&court.world.panel_of(&job));
    court
        .world
        .pass_deadline(UnixSeconds(panel.reveal_deadline));
    let resolve = court.world.panel_resolve(&job);
    court.world.send_from(me, resolve).accepted();
    assert_eq!(court.world.status(&job), JobStatus::Appealing);
    court.world.pass_slots(9);
    let open = court.world.panel_open(&job).put("payer", me);
    court.world.send_from(me, open).accepted();
    let panel = court.world.panel(&court.world.panel_of(&job));
    court.world.pass_deadline(UnixSeconds(panel.join_deadline));
    let resolve = court.world.panel_resolve(&job);
    court.world.send_from(me, resolve).accepted();
    court.world.do_panels_closed(&job);
    court.world.pass_open_slot(&job);
    let close = court.world.job_close(&job);
    court.world.send_from(me, close).accepted();
    assert_eq!(court.world.provider(&court.primary.account).reserved, 0);
    assert!(!court.world.exists(&job.account));
}
