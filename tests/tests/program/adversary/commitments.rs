//! Somebody else's commitment, one's own old one, or one that comes late.

use assay_client::{
    PROGRAM_ID, address,
    instruction::{JobReveal, PanelCommit, PanelReveal},
    protocol::{
        Digest, Error, JobStatus, UnixSeconds,
        args::{JobRevealArgs, PanelCommitArgs, PanelRevealArgs},
        commitment::{Opening, Role},
        verdict::SeatOutcome,
    },
};
use assay_tests::{Call, Court, Job, OTHER_ROOT, Provider, ROOT, SOL, World, panel::salt};

use super::{Trial, ends};

use SeatOutcome::{Committed, Different, Equal};

/// An auditor's commitment that is not its own convened seat's.
fn commit(world: &World, job: &Job, auditor: &Provider, commitment: [u8; 32]) -> Call {
    let args = PanelCommitArgs {
        commitment,
        seat: world.seat(job, auditor),
    };
    PanelCommit {
        operator: auditor.operator,
        provider: auditor.account,
        panel: world.panel_of(job),
        args,
    }
    .into()
}

/// A lazy auditor copies what a diligent one, or the primary, committed to: the commitment names its author, so the
/// author's opening opens nothing at the copier's seat, and the copier's bond is gone.
#[test]
fn copied_commitment_opens_nothing() {
    for of_primary in [false, true] {
        let mut court = Court::new();
        let trial = Trial::drawn(&mut court);
        let job = trial.job;
        let bench = court.seated(&job, 2);
        let (honest, copier) = (bench[0], bench[1]);
        let world = &mut court.world;
        world.do_panel_commit(&job, &honest, ROOT);
        let copied = if of_primary {
            world.job(&job.account).commitment
        } else {
            world.auditor_commitment(&job, &honest, ROOT)
        };
        let call = commit(world, &job, &copier, copied);
        world.send(call).accepted();
        world.do_panel_reveal(&job, &honest, ROOT);
        world.do_job_reveal(&job);
        for author in [honest.account, court.primary.account, copier.account] {
            let args = PanelRevealArgs {
                salt: salt(&author),
                root: ROOT,
                seat: world.seat(&job, &copier),
            };
            let panel = world.panel_of(&job);
            let reveal = PanelReveal {
                job: job.account,
                panel,
                args,
            };
            world.send(reveal).refused(Error::OpeningMismatch);
        }
        let deadline = world.panel(&world.panel_of(&job)).reveal_deadline;
        world.pass_deadline(UnixSeconds(deadline));
        world.do_panel_resolve(&job);
        assert_eq!(
            trial.ends(&court, &bench),
            ends(195, 55, [150, -750], 750),
            "of the primary: {of_primary}"
        );
    }
}

/// A provider that lets another compute and copies its commitment to the same input: the job is part of it too.
#[test]
fn primary_with_another_primarys_commitment_is_faulted() {
    let mut court = Court::new();
    let thief = court.primary;
    let author = court.auditors[7];
    let world = &mut court.world;
    let original = world.do_committed_job(&court.model, &author);
    let job = world.new_job(&court.model);
    let job = job.with_terms(|terms| *terms = World::audited_terms(&job.secret));
    world.do_job_create_as(&job);
    world.pass(30);
    world.do_job_claim(&job, &thief);
    let mut call = world.job_commit(&job, &thief);
    let (own, copied) = (
        world.commit_args(&job).commitment,
        world.job(&original.account).commitment,
    );
    let at = call
        .instruction
        .data
        .windows(32)
        .position(|part| part == own)
        .expect("the commitment is among the arguments");
    call.instruction.data[at..at + 32].copy_from_slice(&copied);
    world.send(call).accepted();
    let trial = Trial::of(&court, job);
    court.world.do_job_finalize(&job, &thief);
    let bench = court.played_by_auditors(&job);
    let world = &mut court.world;
    for known in [author.account, thief.account] {
        let args = JobRevealArgs {
            salt: salt(&known),
            root: ROOT,
        };
        let panel = world.panel_of(&job);
        let reveal = JobReveal {
            job: job.account,
            panel,
            args,
        };
        world.send(reveal).refused(Error::OpeningMismatch);
    }
    let deadline = world.panel(&world.panel_of(&job)).reveal_deadline;
    world.pass_deadline(UnixSeconds(deadline));
    world.do_panel_resolve(&job);
    assert_eq!(
        trial.ends(&court, &bench),
        ends(400, -4_000, [150, 150], 3_700)
    );
}

/// Two auditors that commit to the primary's root and reveal it.
trait Auditors {
    fn played_by_auditors(&mut self, job: &Job) -> Vec<Provider>;
}

impl Auditors for Court {
    fn played_by_auditors(&mut self, job: &Job) -> Vec<Provider> {
        let bench = self.seated(job, 2);
        for auditor in &bench {
            self.world.do_panel_commit(job, auditor, ROOT);
        }
        for auditor in &bench {
            self.world.do_panel_reveal(job, auditor, ROOT);
        }
        bench
    }
}

/// Whoever deregisters and returns at the same address is somebody else: a commitment made for the old registration
/// opens nothing, and nothing that the old one left can be claimed.
#[test]
fn commitment_of_an_old_generation_opens_nothing() {
    let mut court = Court::new();
    let returning = court.auditors[0];
    let world = &mut court.world;
    let old = world.provider(&returning.account).generation;
    world.do_stake_unbond(&returning, 10 * SOL);
    world.pass(world.market().params.unbond_secs + 1);
    world.do_stake_withdraw(&returning, returning.authority);
    world.do_provider_deregister(&returning);
    world.send(world.provider_register(&returning)).accepted();
    world.do_stake_deposit(&returning, 10 * SOL);
    world.pass(10);
    assert_ne!(world.provider(&returning.account).generation, old);

    let trial = Trial::drawn(&mut court);
    let job = trial.job;
    let bench = court.seated(&job, 2);
    assert_eq!(bench[0], returning);
    let world = &mut court.world;
    let data = world.job(&job.account);
    let prepared = Opening {
        program_id: &PROGRAM_ID,
        job: &job.account,
        attempt: data.attempt,
        role: Role::PanelLevel1,
        provider: &returning.account,
        generation: old,
        salt: &salt(&returning.account),
        root: &Digest(ROOT),
        hints_digest: &Digest(data.hints_digest),
        runtime_class: &data.runtime_class,
    };
    let call = commit(world, &job, &returning, prepared.commitment().0);
    world.send(call).accepted();
    world.do_panel_commit(&job, &bench[1], ROOT);
    world
        .send(world.panel_reveal(&job, &returning, ROOT))
        .refused(Error::OpeningMismatch);
    world.do_panel_reveal(&job, &bench[1], ROOT);
    world.do_job_reveal(&job);
    let deadline = world.panel(&world.panel_of(&job)).reveal_deadline;
    world.pass_deadline(UnixSeconds(deadline));
    world.do_panel_resolve(&job);
    assert_eq!(trial.ends(&court, &bench), ends(195, 55, [-750, 150], 750));
}

/// Level 1 and level 2 are different roles: neither an opening nor a late reveal carries over, in either direction.
#[test]
fn reveal_for_another_level_opens_nothing() {
    let mut court = Court::new();
    let trial = Trial::drawn(&mut court);
    let job = trial.job;
    let first = court.judged(&job, &[Different, Committed], true);
    assert_eq!(court.world.status(&job), JobStatus::Appealing);
    let panel1 = address::panel(&job.account, 1);

    // Too late for the first panel, whose second auditor now knows what to say.
    let reveal = |panel, seat, auditor: &Provider| PanelReveal {
        job: job.account,
        panel,
        args: PanelRevealArgs {
            salt: salt(&auditor.account),
            root: ROOT,
            seat,
        },
    };
    let late = reveal(panel1, 1, &first[1]);
    court.world.send(late).refused(Error::PanelJobMismatch);

    // A commitment in the first panel's role opens nothing on the second.
    let second = court.seated(&job, 3);
    let world = &mut court.world;
    let data = world.job(&job.account);
    for auditor in &second {
        let wrong = Opening {
            program_id: &PROGRAM_ID,
            job: &job.account,
            attempt: data.attempt,
            role: Role::PanelLevel1,
            provider: &auditor.account,
            generation: world.provider(&auditor.account).generation,
            salt: &salt(&auditor.account),
            root: &Digest(ROOT),
            hints_digest: &Digest(data.hints_digest),
            runtime_class: &data.runtime_class,
        };
        let call = commit(world, &job, auditor, wrong.commitment().0);
        world.send(call).accepted();
    }
    for (seat, auditor) in (0..).zip(&second) {
        let call = reveal(world.panel_of(&job), seat, auditor);
        world.send(call).refused(Error::OpeningMismatch);
        let call = reveal(panel1, seat, auditor);
        world.send(call).refused(Error::PanelJobMismatch);
    }
    let deadline = world.panel(&world.panel_of(&job)).reveal_deadline;
    world.pass_deadline(UnixSeconds(deadline));
    world.do_panel_resolve(&job);
    // Nobody is heard on level 2: unresolved, and who kept silent has lost its bond.
    let bench = [first, second].concat();
    assert_eq!(
        trial.ends(&court, &bench),
        ends(400, 0, [0, -750, -750, -750, -750], 3_000)
    );
}

/// Once the first root is known nobody commits any more, however much of the commit window is left; and nobody
/// commits while seats can still change hands.
#[test]
fn late_commit_after_the_first_reveal_is_refused() {
    let mut court = Court::new();
    let trial = Trial::drawn(&mut court);
    let job = trial.job;
    let panel = court.world.do_panel_open(&job);
    let bench = court.bench(&job, 2);
    for auditor in &bench {
        court.world.do_panel_join(&job, auditor);
        let early = court.world.panel_commit(&job, auditor, ROOT);
        court.world.send(early).refused(Error::PanelNotCommitting);
    }
    let world = &mut court.world;
    let data = world.panel(&panel);
    world.pass_deadline(UnixSeconds(data.join_deadline));
    world.do_panel_commit(&job, &bench[0], ROOT);
    world
        .send(world.panel_reveal(&job, &bench[0], ROOT))
        .refused(Error::PanelNotRevealing);
    world
        .send(world.job_reveal(&job))
        .refused(Error::PanelNotRevealing);
    world.pass_deadline(UnixSeconds(data.commit_deadline));
    let late = world.panel_commit(&job, &bench[1], ROOT);
    world.send(late.clone()).refused(Error::PanelNotCommitting);
    world.do_panel_reveal(&job, &bench[0], ROOT);
    world.do_job_reveal(&job);
    world.send(late).refused(Error::PanelNotCommitting);
    let deadline = world.panel(&panel).reveal_deadline;
    assert!(world.now().0 <= deadline, "the panel is over early");
    world.do_panel_resolve(&job);
    assert_eq!(trial.ends(&court, &bench), ends(195, 55, [150, -750], 750));
}

/// Whoever has committed cannot change its mind when it sees the others.
#[test]
fn second_commitment_and_another_root_are_refused() {
    let mut court = Court::new();
    let trial = Trial::drawn(&mut court);
    let job = trial.job;
    let bench = court.seated(&job, 2);
    let world = &mut court.world;
    world.do_panel_commit(&job, &bench[0], OTHER_ROOT);
    let again = world.panel_commit(&job, &bench[0], ROOT);
    world.send(again).refused(Error::SeatNotJoined);
    world.do_panel_commit(&job, &bench[1], ROOT);
    world.do_panel_reveal(&job, &bench[1], ROOT);
    world.do_job_reveal(&job);
    let other = world.panel_reveal(&job, &bench[0], ROOT);
    world.send(other).refused(Error::OpeningMismatch);
    world.do_panel_reveal(&job, &bench[0], OTHER_ROOT);
    world.do_panel_resolve(&job);
    let second = court.judged(&job, &[Equal; 3], true);
    let all = [bench, second].concat();
    assert_eq!(
        trial.ends(&court, &all),
        ends(195, 55, [-750, 150, 150, 150, 150], 300)
    );
}
