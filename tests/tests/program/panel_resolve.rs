//! panel_resolve: when a panel may speak, and about what. What it says is in `verdicts`.

use assay_client::{
    address,
    protocol::{
        Error, JobStatus, UnixSeconds,
        verdict::{SeatOutcome, Verdict},
    },
};
use assay_tests::{Court, ROOT, World};

use SeatOutcome::{Committed, Different, Equal, Joined};

/// Refused at this moment, accepted one second later.
#[track_caller]
fn opens_after(world: &mut World, job: &assay_tests::Job, deadline: i64) {
    world.pass_to(UnixSeconds(deadline));
    world
        .send(world.panel_resolve(job))
        .refused(Error::PanelNotOver);
    world.pass(1);
    world.clone().send(world.panel_resolve(job)).accepted();
}

#[test]
fn panel_resolve_without_a_panel_waits_for_the_time_to_open_it() {
    for bring in [Court::drawn, Court::disputed, Court::dissented] {
        let mut court = Court::new();
        let job = bring(&mut court);
        let deadline = court.world.job(&job.account).panel_open_deadline();
        opens_after(&mut court.world, &job, deadline.unwrap().0);
    }
}

#[test]
fn panel_resolve_of_an_empty_panel_waits_for_the_join_window() {
    let mut court = Court::new();
    let job = court.drawn();
    let panel = court.world.do_panel_open(&job);
    let deadline = court.world.panel(&panel).join_deadline;
    opens_after(&mut court.world, &job, deadline);
}

#[test]
fn panel_resolve_waits_for_every_commitment_or_the_commit_deadline() {
    let mut court = Court::new();
    let job = court.drawn();
    let bench = court.seated(&job, 2);
    let panel = court.world.panel(&court.world.panel_of(&job));
    let mut silent = court.clone();
    opens_after(&mut silent.world, &job, panel.commit_deadline);
    // One of two committed: the commit deadline only starts the reveals.
    court.world.do_panel_commit(&job, &bench[0], ROOT);
    let world = &mut court.world;
    world.pass_to(UnixSeconds(panel.commit_deadline + 1));
    world
        .send(world.panel_resolve(&job))
        .refused(Error::PanelNotOver);
}

#[test]
fn panel_resolve_waits_for_every_reveal_or_the_reveal_deadline() {
    let mut court = Court::new();
    let job = court.drawn();
    let bench = court.seated(&job, 2);
    for auditor in &bench {
        court.world.do_panel_commit(&job, auditor, ROOT);
    }
    let panel = court.world.panel(&court.world.panel_of(&job));
    let mut nobody = court.clone();
    opens_after(&mut nobody.world, &job, panel.reveal_deadline);

    // Everybody but the primary, then everybody but one auditor, then everybody.
    let world = &mut court.world;
    world.do_panel_reveal(&job, &bench[0], ROOT);
    let mut without_auditor = world.clone();
    without_auditor.do_job_reveal(&job);
    opens_after(&mut without_auditor, &job, panel.reveal_deadline);
    world.do_panel_reveal(&job, &bench[1], ROOT);
    let mut without_primary = world.clone();
    opens_after(&mut without_primary, &job, panel.reveal_deadline);
    world.do_job_reveal(&job);
    world.do_panel_resolve(&job);
    assert_eq!(world.status(&job), JobStatus::Settled);
}

#[test]
fn panel_resolve_of_a_job_that_waits_for_no_panel_fails() {
    let mut court = Court::new();
    let committed = court.committed(|_| {});
    let (settled, _) = court.confirmed();
    for job in [committed, settled] {
        let call = court.world.panel_resolve(&job);
        court.world.send(call).refused(Error::JobNotConvened);
    }
}

#[test]
fn panel_resolve_at_a_level_twice_fails() {
    let mut court = Court::new();
    let job = court.drawn();
    court.played(&job, &[Equal, Different], true);
    let call = court.world.panel_resolve(&job);
    court
        .world
        .send([call.clone(), call])
        .refused(Error::PanelNotOver);
    court.world.do_panel_resolve(&job);
    let call = court.world.panel_resolve(&job);
    court.world.send(call).refused(Error::PanelNotOver);
}

#[test]
fn panel_resolve_with_other_parties_fails() {
    let mut court = Court::new();
    let job = court.drawn();
    court.played(&job, &[Equal, Equal], true);
    let (world, other) = (&mut court.world, court.auditors[5]);
    let call = world.panel_resolve(&job);
    world
        .send(call.clone().put("provider", other.account))
        .refused(Error::JobProviderMismatch);
    world
        .send(call.put("requester", other.authority))
        .refused(Error::JobRequesterMismatch);
}

#[test]
fn panel_resolve_needs_exactly_the_panels_that_exist() {
    let mut court = Court::new();
    let other = court.dissented();
    court.world.do_panel_open(&other);
    let strange = [1, 2].map(|level| address::panel(&other.account, level));
    let job = court.dissented();
    court.played(&job, &[Equal, Equal, Equal], true);
    let world = &mut court.world;
    let call = world.panel_resolve(&job);
    for (name, strange) in [("panel1", strange[0]), ("panel2", strange[1])] {
        world
            .send(call.clone().absent(name))
            .refused(Error::PanelMissing);
        world
            .send(call.clone().put(name, strange))
            .refused(Error::PanelJobMismatch);
    }
    let (one, two) = (call.account("panel1"), call.account("panel2"));
    world
        .send(call.put("panel1", two).put("panel2", one))
        .refused(Error::PanelJobMismatch);

    // A dispute has no first panel, and before a panel is opened there is none.
    let disputed = court.disputed();
    let world = &mut court.world;
    let deadline = world.job(&disputed.account).panel_open_deadline().unwrap();
    world.pass_deadline(deadline);
    let call = world.panel_resolve(&disputed);
    for (name, strange) in [("panel1", strange[0]), ("panel2", strange[1])] {
        let mut given = call.clone();
        let place = given
            .spec
            .accounts
            .iter()
            .position(|each| each.name == name);
        given.instruction.accounts[place.unwrap()].is_writable = true;
        world
            .send(given.put(name, strange))
            .refused(Error::PanelUnexpected);
    }
    world.do_panel_resolve(&disputed);
}

/// No money moves when level 1 disagrees or is silent, and its auditors' bonds stay.
#[test]
fn panel_resolve_of_a_dissent_or_a_silence_moves_no_money() {
    for (outcomes, verdict) in [
        ([Equal, Different], Verdict::Dissent),
        ([Different, Different], Verdict::Dissent),
        ([Joined, Different], Verdict::Dissent),
        ([Joined, Joined], Verdict::Silence),
        ([Joined, Committed], Verdict::Silence),
    ] {
        let mut court = Court::new();
        let job = court.drawn();
        let revealed = outcomes != [Joined, Joined];
        let bench = court.played(&job, &outcomes, revealed);
        let world = &mut court.world;
        let panel = world.panel_of(&job);
        let accounts = [job.account, job.requester, panel, court.primary.account];
        let accounts: Vec<_> = accounts
            .into_iter()
            .chain(bench.iter().map(|b| b.account))
            .collect();
        let balances = |world: &World| -> Vec<u64> {
            accounts
                .iter()
                .map(|account| world.balance(account))
                .collect()
        };
        let before = balances(world);
        world.do_panel_resolve(&job);
        assert_eq!(balances(world), before);
        let data = world.job(&job.account);
        assert_eq!(data.status(), Ok(JobStatus::Appealing));
        assert_eq!((data.level, data.verdict), (2, verdict as u8));
        assert_eq!(
            (data.target_slot, data.convened_at),
            (world.slot() + 8, world.now().0)
        );
        let primary = world.provider(&court.primary.account);
        assert_eq!(primary.reserved, job.args.terms.collateral);
    }
}

/// The verdict's parties need not be there: whoever sends it pays its fee alone.
#[test]
fn panel_resolve_is_anybodys() {
    let mut court = Court::new();
    let job = court.drawn();
    court.played(&job, &[Equal, Equal], true);
    let stranger = court.world.wallet();
    let before = court.world.balance(&stranger);
    let call = court.world.panel_resolve(&job);
    let outcome = court.world.send_from(stranger, call).accepted();
    assert_eq!(court.world.balance(&stranger), before - outcome.fee);
}

/// A refund that the requester's wallet cannot take stays in the job; nobody is held up by it.
#[test]
fn panel_resolve_keeps_a_refund_that_the_wallet_cannot_take() {
    let mut court = Court::new();
    let mut job = court.world.new_job(&court.model);
    // E - P - 2a must be below a wallet's rent minimum.
    job = job.with_terms(|terms| {
        *terms = World::audited_terms(&job.secret);
        terms.floor = terms.ceiling - 1_000;
    });
    court.world.do_job_create_as(&job);
    court.world.do_job_claim(&job, &court.primary);
    court.world.do_job_commit(&job, &court.primary);
    court.world.do_job_finalize(&job, &court.primary);
    court.played(&job, &[Equal, Equal], true);
    court.world.fund(job.requester, 0);
    court.world.do_panel_resolve(&job);
    let world = &mut court.world;
    assert_eq!(
        (
            world.job(&job.account).refund_due,
            world.balance(&job.requester)
        ),
        (1_000, 0)
    );
    world.do_panels_closed(&job);
    world.pass_open_slot(&job);
    let rent = world.rent(752);
    world.do_job_close(&job);
    assert_eq!(world.balance(&job.requester), rent + 1_000);
}

#[test]
fn panel_resolve_counts_the_primarys_fault_once() {
    let mut court = Court::new();
    let job = court.dissented();
    court.judged(&job, &[Different, Different, Different], true);
    let primary = court.world.provider(&court.primary.account);
    assert_eq!(
        (
            primary.jobs_faulted,
            primary.jobs_settled,
            primary.live_jobs
        ),
        (1, 0, 0)
    );
    assert_eq!(primary.total_slashed, job.args.terms.collateral);
}
