//! What a spoiled account may be without harm, shown where `bypass/cells.txt` says so.

use assay_client::protocol::{Address, JobStatus};
use assay_tests::{Court, ROOT, SOL, World};
use solana_account::Account;

/// Gives a wallet's account to another program, as multisigs and escrows hold theirs.
fn give_away(world: &mut World, wallet: Address) {
    let owner = world.key();
    let lamports = world.balance(&wallet);
    world.put_account(
        wallet,
        Account {
            lamports,
            owner,
            data: vec![1; 64],
            ..Account::default()
        },
    );
}

/// Who somebody is follows from the signature; who owns the account behind the key does not matter.
#[test]
fn party_whose_account_another_program_owns_acts_as_ever() {
    let mut world = World::new();
    let (provider, model) = (world.do_provider(), world.do_model_register());
    let jobs = [(); 4].map(|()| world.do_job_create(&model));
    let [settled, cancelled, released, again] = jobs;
    let next = world.wallet();
    let requesters = jobs.map(|job| job.requester);
    let parties = [
        provider.authority,
        provider.operator,
        model.author,
        world.authority,
        next,
    ];
    for party in parties.into_iter().chain(requesters) {
        give_away(&mut world, party);
    }

    world.do_job_claim(&settled, &provider);
    world.do_job_commit(&settled, &provider);
    world.do_job_finalize(&settled, &provider);
    world.do_job_cancel(&cancelled);
    world.do_job_claim(&released, &provider);
    world.do_job_release(&released, &provider);
    world.do_job_cancel(&again);

    let stake = world.provider(&provider.account).stake;
    world.do_provider_update(&provider, provider.args());
    world.do_stake_unbond(&provider, stake);
    world.do_model_retire(&model);
    world.pass(world.market().params.unbond_secs + 1);
    world.do_stake_withdraw(&provider, provider.payer);
    world.do_earnings_withdraw(&provider, provider.payer);
    world.do_provider_deregister(&provider);
    world.do_model_close(&model);

    world.do_market_pause(1);
    world.do_market_update(world.market().params);
    world.do_treasury_withdraw(provider.payer, 1);
    world.do_authority_propose(next);
    world.do_authority_accept(next);
}

#[test]
fn new_party_whose_account_another_program_owns_is_registered() {
    let mut world = World::new();
    let (provider, model) = (world.new_provider(), world.new_model());
    give_away(&mut world, provider.authority);
    give_away(&mut world, model.author);
    world.send(world.provider_register(&provider)).accepted();
    world.send(world.model_register(&model)).accepted();
}

#[test]
fn upgrade_authority_whose_account_another_program_owns_initialises_the_market() {
    let mut world = World::without_market();
    let payer = world.wallet();
    let authority = world.authority;
    give_away(&mut world, authority);
    let init = world.market_init(assay_client::protocol::market::MarketParams::LOCAL);
    world.send(init.put("payer", payer)).accepted();
}

/// Lamports can reach an account whoever owns it, so its owner cannot hold up an exit.
#[test]
fn payee_whose_account_another_program_owns_is_paid() {
    let mut world = World::new();
    let (provider, model) = (world.do_provider(), world.do_model_register());
    let jobs = [(); 3].map(|()| world.do_job_create(&model));
    let [settled, expired, released] = jobs;
    let destination = world.wallet();
    for payee in [provider.payer, model.payer, destination] {
        give_away(&mut world, payee);
    }
    for job in jobs {
        give_away(&mut world, job.requester);
    }
    let before = jobs.map(|job| world.balance(&job.requester));

    world.do_job_claim(&settled, &provider);
    world.do_job_commit(&settled, &provider);
    world.do_job_finalize(&settled, &provider);
    world.do_job_claim(&released, &provider);
    world.do_job_release(&released, &provider);
    world.pass(1_000);
    world.do_job_expire(&expired);
    world.do_job_expire(&released);
    for (job, before) in jobs.into_iter().zip(before) {
        assert_eq!(world.job(&job.account).refund_due, 0);
        world.do_job_close(&job);
        assert!(world.balance(&job.requester) > before);
    }

    let stake = world.provider(&provider.account).stake;
    world.do_stake_unbond(&provider, stake);
    world.do_model_retire(&model);
    world.pass(world.market().params.unbond_secs + 1);
    world.do_stake_withdraw(&provider, destination);
    world.do_earnings_withdraw(&provider, destination);
    world.do_treasury_withdraw(destination, 1);
    world.do_provider_deregister(&provider);
    world.do_model_close(&model);
}

/// Whoever signs for it may pay a rent, and gets that rent back.
#[test]
fn any_signing_wallet_may_pay_the_rent() {
    let mut world = World::new();
    let sponsor = world.wallet();
    let before = world.balance(&sponsor);
    let mut provider = world.new_provider();
    provider.payer = sponsor;
    world.send(world.provider_register(&provider)).accepted();
    let mut model = world.new_model();
    model.payer = sponsor;
    world.send(world.model_register(&model)).accepted();
    assert!(world.balance(&sponsor) < before);
    world.do_provider_deregister(&provider);
    world.do_model_retire(&model);
    world.pass(world.market().params.unbond_secs + 1);
    world.do_model_close(&model);
    assert_eq!(world.balance(&sponsor), before);
}

#[test]
fn requester_may_name_any_active_model() {
    let mut world = World::new();
    let models = [(); 2].map(|()| world.do_model_register());
    for model in &models {
        let job = world.do_job_create(model);
        let data = world.job(&job.account);
        assert_eq!(
            (data.model, data.model_digest),
            (model.account, model.digest.0)
        );
    }
}

#[test]
fn operator_may_claim_any_open_job() {
    let mut world = World::new();
    let (provider, model) = (world.do_provider(), world.do_model_register());
    let jobs = [(); 2].map(|()| world.do_job_create(&model));
    for job in &jobs {
        world.do_job_claim(job, &provider);
        assert_eq!(world.status(job), JobStatus::Claimed);
    }
    assert_eq!(world.provider(&provider.account).reserved, 2 * SOL);
}

/// Operators of auditors, a disputing requester and everybody who is paid by a verdict, whoever owns their accounts.
#[test]
fn parties_of_an_audit_whose_accounts_another_program_owns_act_and_are_paid() {
    let mut court = Court::new();
    let (disputed, confirmed) = (court.disputed(), court.drawn());
    let opener = court.world.wallet();
    let parties = court.auditors.iter().map(|auditor| auditor.operator);
    let parties: Vec<Address> = parties.chain([confirmed.requester, opener]).collect();
    let (bench, world) = (court.bench(&confirmed, 2), &mut court.world);
    world.pass_slots(20);
    let open = world.panel_open(&confirmed).put("payer", opener);
    world.send(open).accepted();
    for party in parties {
        give_away(world, party);
    }
    let before = [confirmed.requester, opener].map(|payee| world.balance(&payee));
    for auditor in &bench {
        world.do_panel_join(&confirmed, auditor);
    }
    world.pass(11);
    for auditor in &bench {
        world.do_panel_commit(&confirmed, auditor, ROOT);
    }
    for auditor in &bench {
        world.do_panel_reveal(&confirmed, auditor, ROOT);
    }
    world.do_job_reveal(&confirmed);
    world.do_panel_resolve(&confirmed);
    world.do_panels_closed(&confirmed);
    assert_eq!(world.job(&confirmed.account).refund_due, 0);
    for (payee, before) in [confirmed.requester, opener].into_iter().zip(before) {
        assert!(world.balance(&payee) > before);
    }

    give_away(world, disputed.requester);
    let before = world.balance(&disputed.requester);
    world.do_panel_resolve(&disputed);
    assert!(world.balance(&disputed.requester) > before);
}

/// Whoever signs for it may open a panel and gets the rent back.
#[test]
fn any_signing_wallet_may_open_a_panel() {
    let mut court = Court::new();
    let job = court.drawn();
    let sponsor = court.world.wallet();
    let before = court.world.balance(&sponsor);
    court.world.pass_slots(20);
    let open = court.world.panel_open(&job).put("payer", sponsor);
    court.world.send(open).accepted();
    let panel = court.world.panel(&court.world.panel_of(&job));
    assert_eq!((panel.rent_payer, panel.joined), (sponsor, 0));
    assert!(court.world.balance(&sponsor) < before);
    court.world.pass(11);
    court.world.do_panel_resolve(&job);
    court.world.do_panels_closed(&job);
    assert_eq!(court.world.balance(&sponsor), before);
}

/// Who asks for a session's end, who ends it and who is paid by that, whoever owns their accounts.
#[test]
fn parties_of_a_session_whose_accounts_another_program_owns_act_and_are_paid() {
    let mut world = World::new();
    let provider = world.do_provider();
    let sessions = [(); 2].map(|()| world.do_session_open(&provider));
    for session in &sessions {
        give_away(&mut world, session.requester);
    }
    for party in [provider.authority, provider.operator] {
        give_away(&mut world, party);
    }
    let before = sessions.map(|session| world.balance(&session.requester));
    for session in &sessions {
        world.do_session_close_request(session);
    }
    world.pass_session_slot(&sessions[1]);
    let by_authority = world
        .session_close(&sessions[0], &provider)
        .put("closer", provider.authority);
    world.send(by_authority).accepted();
    world.do_session_close(&sessions[1], &provider);
    for (session, before) in sessions.iter().zip(before) {
        assert!(world.balance(&session.requester) > before + SOL);
    }
}
