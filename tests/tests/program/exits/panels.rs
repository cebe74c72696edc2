//! Auditing and Appealing: whoever stops acting, and whenever, cranks that anyone may send end the job, and everybody
//! takes out what is left to it.

use assay_client::{
    program::INCINERATOR,
    protocol::{Error, JobStatus, UnixSeconds, market::PAUSE_ALL, panel::Phase},
};
use assay_tests::{Court, Job, OTHER_ROOT, Provider, ROOT, SOL, World};

/// Ends the job with cranks alone, each as soon as it is allowed.
fn crank(world: &mut World, job: &Job) {
    while !world.status(job).is_terminal() {
        match world.live_panel(job, world.job(&job.account).level) {
            None => {
                let deadline = world.job(&job.account).panel_open_deadline();
                world.pass_deadline(deadline.expect("the clock is small"));
            }
            Some(panel) => {
                let (panel, revealed) =
                    (world.panel(&panel), world.job(&job.account).is_revealed());
                let deadline = match panel.phase(world.now(), revealed) {
                    Phase::Join => panel.join_deadline,
                    Phase::Commit => panel.commit_deadline,
                    Phase::Reveal => panel.reveal_deadline,
                    Phase::Over => {
                        world.do_panel_resolve(job);
                        continue;
                    }
                };
                world
                    .send(world.panel_resolve(job))
                    .refused(Error::PanelNotOver);
                world.pass_deadline(UnixSeconds(deadline));
                continue;
            }
        }
        world.do_panel_resolve(job);
    }
    world.do_panels_closed(job);
    world.pass_open_slot(job);
    world.do_job_close(job);
    assert!(!world.exists(&job.account));
}

/// The provider takes out all it has and goes.
fn leaves(world: &mut World, provider: &Provider) -> u64 {
    let held = world.provider(&provider.account);
    assert_eq!((held.reserved, held.live_jobs, held.live_seats), (0, 0, 0));
    let destination = world.wallet();
    let before = world.balance(&destination);
    if held.earnings > 0 {
        world.do_earnings_withdraw(provider, destination);
    }
    if held.stake > 0 {
        world.do_stake_unbond(provider, held.stake);
        world.pass(held.unbond_secs + 1);
        world.do_stake_withdraw(provider, destination);
    }
    world.do_provider_deregister(provider);
    assert!(!world.exists(&provider.account));
    world.balance(&destination) - before
}

/// Cranks the job to its end; then everybody is gone, and what came in went to somebody.
fn everybody_leaves(mut court: Court, job: &Job, wallet_before: u64) -> World {
    let burned = court.world.balance(&INCINERATOR);
    crank(&mut court.world, job);
    let world = &mut court.world;
    let mut out = world.balance(&INCINERATOR) - burned + world.balance(&job.requester);
    let fees = world.provider(&court.primary.account).fees_due;
    for provider in court.auditors.iter().chain([&court.primary]) {
        out += leaves(world, provider);
    }
    let stakes = 8 * 10 * SOL + 100 * SOL;
    assert_eq!(out + fees, wallet_before + stakes);
    court.world
}

/// How far a panel comes before everybody falls silent.
#[derive(Clone, Copy, Debug)]
enum Silent {
    Unopened,
    Unjoined,
    Uncommitted,
    HalfCommitted,
    Unrevealed,
    HalfRevealed,
    WithoutPrimary,
}

const SILENT: [Silent; 7] = [
    Silent::Unopened,
    Silent::Unjoined,
    Silent::Uncommitted,
    Silent::HalfCommitted,
    Silent::Unrevealed,
    Silent::HalfRevealed,
    Silent::WithoutPrimary,
];

/// Plays the convened panel until everybody falls silent.
fn play(court: &mut Court, job: &Job, silent: Silent) {
    let seats = match silent {
        Silent::Unopened => return,
        Silent::Unjoined => 0,
        _ => 2,
    };
    let bench = if seats == 0 {
        court.world.do_panel_open(job);
        Vec::new()
    } else {
        court.seated(job, seats)
    };
    let committed = match silent {
        Silent::Unopened | Silent::Unjoined | Silent::Uncommitted => 0,
        Silent::HalfCommitted => 1,
        _ => 2,
    };
    let revealed = match silent {
        Silent::HalfRevealed => 1,
        Silent::WithoutPrimary => 2,
        _ => 0,
    };
    for auditor in bench.iter().take(committed) {
        court.world.do_panel_commit(job, auditor, OTHER_ROOT);
    }
    for auditor in bench.iter().take(revealed) {
        court.world.do_panel_reveal(job, auditor, OTHER_ROOT);
    }
}

#[test]
fn auditing_ends_by_cranks_whenever_everybody_falls_silent() {
    for silent in SILENT {
        let mut court = Court::new();
        let job = court.drawn();
        let before = court.world.balance(&job.requester) + court.world.balance(&job.account);
        play(&mut court, &job, silent);
        everybody_leaves(court, &job, before);
    }
}

#[test]
fn appealing_after_dissent_ends_by_cranks_whenever_everybody_falls_silent() {
    for silent in SILENT {
        let mut court = Court::new();
        let job = court.dissented();
        let before = court.world.balance(&job.requester) + court.world.balance(&job.account);
        play(&mut court, &job, silent);
        everybody_leaves(court, &job, before);
    }
}

#[test]
fn appealing_after_a_dispute_ends_by_cranks_whenever_everybody_falls_silent() {
    for silent in SILENT {
        let mut court = Court::new();
        let job = court.disputed();
        let before = court.world.balance(&job.requester) + court.world.balance(&job.account);
        play(&mut court, &job, silent);
        everybody_leaves(court, &job, before);
    }
}

/// The provider's own way out of both states: its root is enough against auditors that agree.
#[test]
fn auditing_and_appealing_provider_reveals() {
    for bring in [Court::drawn, Court::disputed] {
        let mut court = Court::new();
        let job = bring(&mut court);
        let before = court.world.balance(&job.requester) + court.world.balance(&job.account);
        let seats = court.world.job(&job.account).seats_convened();
        let bench = court.seated(&job, usize::from(seats));
        for auditor in &bench {
            court.world.do_panel_commit(&job, auditor, ROOT);
        }
        for auditor in &bench {
            court.world.do_panel_reveal(&job, auditor, ROOT);
        }
        court.world.do_job_reveal(&job);
        let primary = court.world.provider(&court.primary.account);
        assert_eq!(primary.total_slashed, 0);
        everybody_leaves(court, &job, before);
    }
}

#[test]
fn pause_blocks_no_audit() {
    let mut court = Court::new();
    let job = court.committed(|_| {});
    court.world.do_market_pause(PAUSE_ALL);
    court.world.do_job_finalize(&job, &court.primary);
    let before = court.world.balance(&job.requester) + court.world.balance(&job.account);
    let bench = court.seated(&job, 2);
    for (auditor, root) in bench.iter().zip([ROOT, OTHER_ROOT]) {
        court.world.do_panel_commit(&job, auditor, root);
    }
    for (auditor, root) in bench.iter().zip([ROOT, OTHER_ROOT]) {
        court.world.do_panel_reveal(&job, auditor, root);
    }
    court.world.do_job_reveal(&job);
    court.world.do_panel_resolve(&job);
    assert_eq!(court.world.status(&job), JobStatus::Appealing);
    play(&mut court, &job, Silent::Unrevealed);
    everybody_leaves(court, &job, before);
}

/// A seat binds its bond and its account, and nothing else of the stake.
#[test]
fn seated_provider_cannot_deregister_but_may_unbond_the_rest() {
    let mut court = Court::new();
    let job = court.drawn();
    let auditor = court.seated(&job, 1)[0];
    let world = &mut court.world;
    let rest = world.provider(&auditor.account).stake;
    world
        .send(world.stake_unbond(&auditor, rest + 1))
        .refused(Error::ProviderStakeInsufficient);
    world.do_stake_unbond(&auditor, rest);
    world.pass(world.provider(&auditor.account).unbond_secs + 1);
    world.do_stake_withdraw(&auditor, auditor.payer);
    world
        .send(world.provider_deregister(&auditor))
        .refused(Error::ProviderHasLiveWork);
    crank(world, &job);
    assert_eq!(leaves(world, &auditor), 0, "the silent seat lost its bond");
}

/// What a closed model or another market would say has no part in a verdict.
#[test]
fn model_closed_and_market_changed_during_an_audit_change_nothing() {
    let mut court = Court::new();
    let job = court.drawn();
    let before = court.world.balance(&job.requester) + court.world.balance(&job.account);
    let mut params = court.world.market().params;
    params.fee_bps = 1_000;
    params.ticket_stake *= 1_000;
    params.panel_open_secs = 1;
    court.world.do_market_update(params);
    court.world.do_model_retire(&court.model);
    court.seated(&job, 2);
    let data = court.world.job(&job.account);
    assert_eq!(data.fee_bps, 200);
    let world = everybody_leaves(court, &job, before);
    assert_eq!(
        world.ledger().ended.get(&(JobStatus::Settled as u8)),
        Some(&1)
    );
}
