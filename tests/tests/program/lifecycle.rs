//! One job from its creation to its closing, with every lamport.

use assay_client::{address, instruction::PanelJoin, protocol::JobStatus};
use assay_tests::{Call, Court, Provider, ROOT, SOL, World};

#[test]
fn job_settled_pays_each_party_once() {
    let mut world = World::new();
    let provider = world.do_provider();
    let model = world.do_model_register();
    let job = world.do_job_create(&model);
    let before = world.balance(&job.requester);
    world.pass(30);
    world.do_job_claim(&job, &provider);
    assert_eq!(
        world.job(&job.account).price,
        55 * SOL / 1_000,
        "half of the ramp from 0.01 to 0.1"
    );
    world.do_job_commit(&job, &provider);
    world.do_job_finalize(&job, &provider);
    assert_eq!(world.status(&job), JobStatus::Settled);
    assert_eq!(world.balance(&job.requester), before + 45 * SOL / 1_000);
    let paid = world.provider(&provider.account);
    let fee = 55 * SOL / 1_000 / 50;
    assert_eq!(
        (paid.earnings, paid.fees_due),
        (55 * SOL / 1_000 - fee, fee)
    );
    assert_eq!(
        (paid.stake, paid.reserved, paid.jobs_settled),
        (10 * SOL, 0, 1)
    );

    world.do_earnings_withdraw(&provider, provider.payer);
    assert_eq!(world.treasury().collected, fee);
    let rent = world.balance(&job.account);
    world.pass_open_slot(&job);
    world.do_job_close(&job);
    assert!(!world.exists(&job.account));
    assert_eq!(
        world.balance(&job.requester),
        before + 45 * SOL / 1_000 + rent
    );
}

/// An audit in as few transactions as its phases allow: each of them fits a packet, and the sums come out.
#[test]
fn audited_job_ends_in_a_handful_of_transactions() {
    let mut court = Court::new();
    let job = court.drawn();
    let wallet = court.world.balance(&job.requester);
    let bench = court.bench(&job, 2);
    let world = &mut court.world;
    world.pass_slots(9);
    let panel = address::panel(&job.account, 1);
    let join = |auditor: &Provider| {
        Call::from(PanelJoin {
            operator: auditor.operator,
            provider: auditor.account,
            job: job.account,
            level: 1,
            other_panel: None,
            evicted: None,
            ticket: 0,
        })
    };
    let opening = [world.panel_open(&job), join(&bench[0]), join(&bench[1])];
    world.send(opening).accepted();
    world.pass(11);
    let commits = [0, 1].map(|seat| world.panel_commit(&job, &bench[seat], ROOT));
    world.send(commits).accepted();
    let mut ending: Vec<Call> = bench
        .iter()
        .map(|auditor| world.panel_reveal(&job, auditor, ROOT))
        .collect();
    ending.extend([world.job_reveal(&job), world.panel_resolve(&job)]);
    world.send(ending).accepted();
    assert_eq!(world.status(&job), JobStatus::Settled);
    let mut settling: Vec<Call> = bench
        .iter()
        .map(|auditor| world.seat_settle(&job, 1, auditor))
        .collect();
    settling.push(world.panel_close(&job, 1));
    world.pass_open_slot(&job);
    settling.push(world.job_close(&job));
    world.send(settling).accepted();
    assert!(!world.exists(&job.account) && !world.exists(&panel));
    let fee = 15 * SOL / 100;
    for auditor in &bench {
        let held = world.provider(&auditor.account);
        assert_eq!((held.stake, held.earnings), (10 * SOL, fee));
    }
    // E - P - 2a and the rent.
    let back = 400 * SOL / 1_000 - 55 * SOL / 1_000 - 2 * fee + world.rent(752);
    assert_eq!(world.balance(&job.requester), wallet + back);
}
