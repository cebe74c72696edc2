//! Seats won by other means than by lot.

use assay_client::protocol::{
    Error, UnixSeconds, args::ProviderArgs, market::MarketParams, sortition::score,
};
use assay_tests::{Court, Job, Provider, ROOT, SOL};

use super::{Trial, court_of, ends};

const BOND: u64 = 5 * 15 * SOL / 100;

fn joining() -> (Court, Trial) {
    let mut court = Court::new();
    let trial = Trial::drawn(&mut court);
    court.world.do_panel_open(&trial.job);
    (court, trial)
}

/// The auditors by their best score, the best first.
fn ranked(court: &Court, job: &Job) -> Vec<Provider> {
    let mut auditors = court.auditors.clone();
    auditors.sort_by_key(|auditor| court.world.best_ticket(job, auditor).1);
    auditors
}

/// The bench judges; everybody agrees.
fn agree(court: &mut Court, job: &Job, bench: &[Provider]) {
    let world = &mut court.world;
    let deadline = world.panel(&world.panel_of(job)).join_deadline;
    world.pass_deadline(UnixSeconds(deadline));
    for auditor in bench {
        world.do_panel_commit(job, auditor, ROOT);
    }
    for auditor in bench {
        world.do_panel_reveal(job, auditor, ROOT);
    }
    world.do_job_reveal(job);
    world.do_panel_resolve(job);
}

/// Among four billion numbers there is always a lucky one, but only those that stake stands behind count.
#[test]
fn ticket_out_of_range_is_refused() {
    let (mut court, trial) = joining();
    let job = trial.job;
    let ranked = ranked(&court, &job);
    let (honest, greedy) = ([ranked[0], ranked[1]], ranked[7]);
    for auditor in &honest {
        court.world.do_panel_join(&job, auditor);
    }
    let world = &mut court.world;
    let best = world.best_ticket(&job, &honest[0]).1;
    let seed = world.panel(&world.panel_of(&job)).seed;
    let lucky = (100..u32::MAX)
        .find(|ticket| score(&seed, &greedy.account, *ticket) < best)
        .expect("some number beats any score");
    let call = world.panel_join_with(&job, &greedy, lucky);
    world.send(call).refused(Error::SeatTicketInvalid);
    agree(&mut court, &job, &honest);
    let seats = [honest[0], honest[1], greedy];
    assert_eq!(trial.ends(&court, &seats), ends(45, 55, [150, 150, 0], 0));
}

/// Nobody is put out of a seat by a worse or an equal score, whatever account is named; and whoever is put out, or
/// tries to come back again and again, has every lamport of its bond.
#[test]
fn eviction_by_a_worse_score_is_refused() {
    let (mut court, trial) = joining();
    let job = trial.job;
    let ranked = ranked(&court, &job);
    for auditor in &ranked[..2] {
        court.world.do_panel_join(&job, auditor);
    }
    let world = &mut court.world;
    for worse in &ranked[2..] {
        for victim in &ranked[..2] {
            let call = world.panel_join(&job, worse).put("evicted", victim.account);
            world.send(call).refused(Error::SeatScoreTooHigh);
        }
    }
    agree(&mut court, &job, &ranked[..2]);
    let expected = ends(45, 55, [150, 150, 0, 0, 0, 0, 0, 0], 0);
    assert_eq!(trial.ends(&court, &ranked), expected);
}

/// Seats taken from the worst auditor to the best, each pushing one out, and those who were pushed try every ticket.
#[test]
fn evicted_auditors_lose_nothing_and_cannot_push_back() {
    let (mut court, trial) = joining();
    let job = trial.job;
    let ranked = ranked(&court, &job);
    for auditor in ranked.iter().rev() {
        court.world.do_panel_join(&job, auditor);
    }
    let world = &mut court.world;
    for out in &ranked[2..] {
        let held = world.provider(&out.account);
        assert_eq!((held.stake, held.live_seats), (10 * SOL, 0));
        let call = world.panel_join(&job, out);
        world.send(call).refused(Error::SeatScoreTooHigh);
    }
    agree(&mut court, &job, &ranked[..2]);
    let expected = ends(45, 55, [150, 150, 0, 0, 0, 0, 0, 0], 0);
    assert_eq!(trial.ends(&court, &ranked), expected);
}

/// Stake that comes once the job is known, into an old account or a new one, buys no seat.
#[test]
fn freshly_topped_up_stake_takes_no_seat() {
    let (mut court, trial) = joining();
    let job = trial.job;
    let honest = [court.auditors[0], court.auditors[1]];
    let whale = court.auditors[2];
    let world = &mut court.world;
    world.do_stake_deposit(&whale, 900 * SOL);
    let newcomer = world.do_provider();
    world.do_stake_deposit(&newcomer, 900 * SOL);
    for late in [whale, newcomer] {
        let call = world.panel_join(&job, &late);
        world.send(call).refused(Error::SeatStakeTooYoung);
    }
    for auditor in &honest {
        world.do_panel_join(&job, auditor);
    }
    agree(&mut court, &job, &honest);
    let seats = [honest[0], honest[1], newcomer];
    assert_eq!(trial.ends(&court, &seats[..2]), ends(45, 55, [150, 150], 0));
}

/// The same lamports do not stand behind tickets of two providers: what leaves one counts there no more at once, and
/// has to age at the other.
#[test]
fn stake_moved_between_providers_counts_once() {
    let (mut court, trial) = joining();
    let job = trial.job;
    let (from, to) = (court.auditors[0], court.auditors[1]);
    let world = &mut court.world;
    world.do_stake_unbond(&from, 10 * SOL - BOND);
    let (ticket, _) = world.best_ticket(&job, &from);
    assert!(ticket < 7, "0.75 SOL are seven tickets");
    let call = world.panel_join_with(&job, &from, 7);
    world.send(call).refused(Error::SeatTicketInvalid);
    let early = world.stake_withdraw(&from, to.authority);
    world.send(early).refused(Error::ProviderStillUnbonding);
    world.do_stake_deposit(&to, 10 * SOL - BOND);
    let call = world.panel_join(&job, &to);
    world.send(call).refused(Error::SeatStakeTooYoung);
}

/// A provider of another class cannot turn into one of the job's when it sees the job, and back again is a change too.
#[test]
fn class_switched_for_the_draw_takes_no_seat() {
    let mut court = Court::new();
    let (outsider, hopper) = (court.auditors[0], court.auditors[1]);
    let class = |provider: &Provider, class: u8| ProviderArgs {
        runtime_class: [class; 32],
        ..provider.args()
    };
    court
        .world
        .do_provider_update(&outsider, class(&outsider, 9));
    court.world.pass(10);
    let job = court.committed(|terms| terms.runtime_class = [7; 32]);
    let trial = Trial::of(&court, job);
    court.world.do_job_finalize(&job, &court.primary);
    court.world.do_panel_open(&job);
    let world = &mut court.world;
    let call = world.panel_join(&job, &outsider);
    world.send(call).refused(Error::ProviderClassMismatch);
    world.do_provider_update(&outsider, class(&outsider, 7));
    world.do_provider_update(&hopper, class(&hopper, 9));
    world.do_provider_update(&hopper, class(&hopper, 7));
    for changed in [outsider, hopper] {
        let call = world.panel_join(&job, &changed);
        world.send(call).refused(Error::SeatStakeTooYoung);
    }
    let honest = [court.auditors[2], court.auditors[3]];
    for auditor in &honest {
        world.do_panel_join(&job, auditor);
    }
    agree(&mut court, &job, &honest);
    assert_eq!(trial.ends(&court, &honest), ends(45, 55, [150, 150], 0));
}

/// The primary does not judge itself, not on either level, and one provider has one seat.
#[test]
fn primary_and_seated_provider_take_no_further_seat() {
    let mut court = Court::new();
    let trial = Trial::drawn(&mut court);
    let job = trial.job;
    court.world.do_panel_open(&job);
    let own = court.world.panel_join(&job, &court.primary);
    court.world.send(own).refused(Error::SeatPrimaryRefused);
    let first = court.auditors[0];
    court.world.do_panel_join(&job, &first);
    // 9.25 SOL are left, and as many tenths are tickets.
    for ticket in 0..92 {
        let again = court.world.panel_join_with(&job, &first, ticket);
        court.world.send(again).refused(Error::SeatProviderSeated);
    }
    // Alone and equal, it settles the job.
    agree(&mut court, &job, &[first]);
    assert_eq!(trial.ends(&court, &[first]), ends(195, 55, [150], 0));

    let job = court.dissented();
    court.world.do_panel_open(&job);
    let own = court.world.panel_join(&job, &court.primary);
    court.world.send(own).refused(Error::SeatPrimaryRefused);
    let both = court.world.panel_join(&job, &court.auditors[0]);
    court.world.send(both).refused(Error::SeatProviderSeated);
}

/// One free stake stands behind the bonds of several panels only as far as it goes.
#[test]
fn one_stake_bonds_no_more_seats_than_it_covers() {
    let mut court = court_of(MarketParams {
        panel_open_secs: 3_600,
        ..MarketParams::LOCAL
    });
    let auditor = court.auditors[0];
    let world = &mut court.world;
    world.do_stake_unbond(&auditor, 10 * SOL - 2 * BOND);
    let jobs = [(); 3].map(|()| Trial::drawn(&mut court).job);
    for job in &jobs {
        court.world.do_panel_open(job);
    }
    let world = &mut court.world;
    for job in &jobs[..2] {
        world.do_panel_join(job, &auditor);
    }
    // Its tickets went into the bonds, so even without one the stake would be asked for.
    assert_eq!(world.provider(&auditor.account).free_stake().unwrap().0, 0);
    let call = world.panel_join(&jobs[2], &auditor);
    world.send(call).refused(Error::SeatTicketInvalid);
    world.do_stake_unbond(&court.auditors[1], 10 * SOL - BOND + 1);
    let call = world.panel_join(&jobs[2], &court.auditors[1]);
    world.send(call).refused(Error::ProviderStakeInsufficient);
}
