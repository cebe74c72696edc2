//! Audits: the draw, the dispute, panels opened with the right slot, reveals and the moment of the
//! verdict, each to the second.

use super::*;
use crate::{
    args::JobRevealArgs,
    commitment::{Opening as Sealed, Role, draw_seed, is_drawn},
    digest::Digest,
    panel::{Candidate, PanelData, PanelOpening, PanelStatus, UNAVAILABLE},
    verdict::{Origin, Resolution, Verdict},
};

mod reveal;

const SLOT: u64 = 10_000;
const TARGET: u64 = SLOT + 8;
const FEE: u64 = 1_000;
const JOB: u8 = 8;
const SALT: [u8; 32] = [11; 32];
const ROOT: [u8; 32] = [12; 32];

/// Committed by provider 3 at second 30; the challenge window ends at 110.
fn committed() -> JobData {
    let mut job = job_of(&JobTerms {
        audit_bps: 10_000,
        panel_size: 2,
        audit_fee: FEE,
        collateral: 20 * FEE,
        ..terms()
    });
    job.panel_open_secs = 50;
    job.panel_join_secs = 10;
    job.panel_commit_secs = 5;
    job.panel_reveal_secs = 20;
    job.claim(key(3), 77, at(20)).unwrap();
    let args = JobCommitArgs {
        commitment: sealed(Role::Primary, 3, 77, &ROOT).0,
        ..commitment()
    };
    job.commit(&args, at(30)).unwrap();
    job
}

fn sealed(role: Role, provider: u8, generation: u64, root: &[u8; 32]) -> Digest {
    Sealed {
        program_id: &key(9),
        job: &key(JOB),
        attempt: 0,
        role,
        provider: &key(provider),
        generation,
        salt: &SALT,
        root: &Digest(*root),
        hints_digest: &Digest([7; 32]),
        runtime_class: &[0; 32],
    }
    .commitment()
}

fn audited() -> JobData {
    let mut job = committed();
    assert_eq!(
        job.finalize(&key(JOB), &reveal(1), SLOT, at(31)),
        Ok(Finalized::Audited)
    );
    job
}

fn disputed() -> JobData {
    let mut job = committed();
    job.dispute(SLOT, at(40)).unwrap();
    job
}

/// Opens the convened panel at this second: join to +10, commit to +75, reveal to +95.
fn open(job: &mut JobData, secs: i64) -> PanelData {
    job.open_panel(job.target_slot, None, at(secs)).unwrap();
    let mut panel = PanelData::zeroed();
    let opening = PanelOpening {
        job: key(JOB),
        rent_payer: key(1),
        bump: 255,
        seed: Digest([1; 32]),
        now: at(secs),
    };
    panel.open(&opening, job).unwrap();
    panel
}

fn seat(panel: &mut PanelData, provider: u8, secs: i64) {
    let candidate = Candidate {
        provider: key(provider),
        generation: 1,
        score: u64::from(provider),
    };
    panel.join(&candidate, at(secs)).unwrap();
}

fn resolve1(job: &mut JobData, panel: Option<&mut PanelData>, secs: i64) -> Result<Resolution> {
    let panels = JobPanels {
        level1: panel,
        level2: None,
    };
    job.resolve(panels, SLOT + 900, at(secs))
}

fn resolve2(job: &mut JobData, panel: Option<&mut PanelData>, secs: i64) -> Result<Resolution> {
    let panels = JobPanels {
        level1: None,
        level2: panel,
    };
    job.resolve(panels, SLOT + 900, at(secs))
}

#[test]
fn drawn_job_convenes_level_1_and_moves_no_money() {
    let before = committed();
    let job = audited();
    assert_eq!(job.status(), Ok(JobStatus::Auditing));
    assert_eq!(
        (job.level, job.target_slot, job.convened_at),
        (1, TARGET, at(31).0)
    );
    assert_eq!(job.money(), before.money());
    assert_eq!(job.ended_at, 0);
    assert_eq!(job.flags, JOB_ACKNOWLEDGED);
    assert_eq!((job.origin(), job.seats_convened()), (Origin::Draw, 2));
}

#[test]
fn draw_decides_at_its_exact_rate() {
    let seed = draw_seed(&key(JOB), 0, &WORKER_SECRET, &REQUESTER_SECRET);
    let lowest = (0..=10_000).find(|rate| is_drawn(&seed, *rate)).unwrap();
    assert!((2..9_999).contains(&lowest), "the case needs both sides");
    for (rate, drawn) in [(lowest, true), (lowest - 1, false), (10_000, true)] {
        let mut job = committed();
        job.audit_bps = rate;
        let finalized = job.finalize(&key(JOB), &reveal(1), SLOT, at(31)).unwrap();
        assert_eq!(finalized == Finalized::Audited, drawn, "{rate}");
        assert_eq!(job.status() == Ok(JobStatus::Auditing), drawn, "{rate}");
    }
}

#[test]
fn withheld_acknowledgement_is_always_audited() {
    for rate in [1, 5_000, 10_000] {
        let mut job = committed();
        job.audit_bps = rate;
        assert_eq!(
            job.finalize(&key(JOB), &reveal(0), SLOT, at(110)),
            Err(Error::JobChallengeWindowOpen)
        );
        assert_eq!(
            job.finalize(&key(JOB), &reveal(0), SLOT, at(111)),
            Ok(Finalized::Audited)
        );
        assert_eq!(job.flags & JOB_ACKNOWLEDGED, 0);
    }
}

#[test]
fn dispute_takes_a_bond_in_the_challenge_window_and_once() {
    let mut job = committed();
    assert_eq!(job.dispute(SLOT, at(110)), Ok(Lamports(5 * FEE)));
    assert_eq!(job.status(), Ok(JobStatus::Appealing));
    assert_eq!((job.level, job.dispute_bond), (2, 5 * FEE));
    assert_eq!((job.origin(), job.seats_convened()), (Origin::Dispute, 5));
    assert_eq!(job.dispute(SLOT, at(110)), Err(Error::JobNotCommitted));
    assert_eq!(
        committed().dispute(SLOT, at(111)),
        Err(Error::JobChallengeWindowPassed)
    );
    assert_eq!(audited().dispute(SLOT, at(31)), Err(Error::JobNotCommitted));
    assert_eq!(
        super::committed().dispute(SLOT, at(31)),
        Err(Error::JobUnaudited)
    );
}

#[test]
fn dispute_shuts_finalize_out() {
    assert_eq!(
        disputed().finalize(&key(JOB), &reveal(1), SLOT, at(41)),
        Err(Error::JobNotCommitted)
    );
}

#[test]
fn panel_opens_with_the_first_slot_at_or_after_its_target() {
    for (slot, older, allowed) in [
        (TARGET, Some(TARGET - 1), true),
        (TARGET, None, true),
        (TARGET + 1, Some(TARGET - 1), true),
        (TARGET + 3, Some(TARGET - 2), true),
        (TARGET + 1, Some(TARGET), false),
        (TARGET + 1, None, false),
        (TARGET - 1, Some(TARGET - 2), false),
    ] {
        let expected = if allowed {
            Ok(())
        } else {
            Err(Error::PanelSlotHashMismatch)
        };
        assert_eq!(
            audited().open_panel(slot, older, at(40)),
            expected,
            "{slot}"
        );
    }
}

#[test]
fn panel_opens_once_and_in_time() {
    let mut job = audited();
    assert_eq!({ job }.open_panel(TARGET, None, at(81)), Ok(()));
    assert_eq!(
        { job }.open_panel(TARGET, None, at(82)),
        Err(Error::PanelOpenDeadlinePassed)
    );
    open(&mut job, 40);
    assert!(job.has_panel(1) && !job.has_panel(2));
    assert_eq!(job.live_panels, 1);
    assert_eq!(
        job.open_panel(TARGET, None, at(41)),
        Err(Error::PanelAlreadyOpen)
    );
    assert_eq!(
        committed().open_panel(TARGET, None, at(40)),
        Err(Error::JobNotConvened)
    );
}

#[test]
fn retarget_needs_the_hash_to_be_gone() {
    let mut job = audited();
    assert_eq!(
        job.retarget_panel(TARGET, SLOT + 600, at(40)),
        Err(Error::PanelSlotHashRetained)
    );
    assert_eq!(
        { job }.retarget_panel(TARGET + 1, SLOT + 600, at(82)),
        Err(Error::PanelOpenDeadlinePassed)
    );
    assert_eq!(job.retarget_panel(TARGET + 1, SLOT + 600, at(81)), Ok(()));
    assert_eq!(job.target_slot, SLOT + 608);
    open(&mut job, 45);
    assert_eq!(
        job.retarget_panel(u64::MAX, SLOT + 700, at(46)),
        Err(Error::PanelAlreadyOpen)
    );
}

#[test]
fn unopened_panel_counts_as_nobody() {
    let mut job = audited();
    assert_eq!(resolve1(&mut job, None, 81), Err(Error::PanelNotOver));
    let resolution = resolve1(&mut job, None, 82).unwrap();
    assert_eq!(resolution.verdict, Verdict::Unattended);
    assert_eq!(job.status(), Ok(JobStatus::Settled));
    assert_eq!((job.escrow, job.ended_at), (0, at(82).0));

    let mut job = disputed();
    assert_eq!(resolve2(&mut job, None, 90), Err(Error::PanelNotOver));
    let resolution = resolve2(&mut job, None, 91).unwrap();
    assert_eq!(resolution.verdict, Verdict::Undecided);
    assert_eq!(
        (job.status(), job.dispute_bond),
        (Ok(JobStatus::Settled), 0)
    );
}

/// Nobody came: the verdict follows the join window, nothing waits for the others.
#[test]
fn empty_panel_is_over_after_its_join_window() {
    let mut job = audited();
    let mut panel = open(&mut job, 40);
    assert_eq!(
        resolve1(&mut job, Some(&mut panel), 50),
        Err(Error::PanelNotOver)
    );
    let resolution = resolve1(&mut job, Some(&mut panel), 51).unwrap();
    assert_eq!(resolution.verdict, Verdict::Unattended);
    assert_eq!(panel.status(), Ok(PanelStatus::Resolved));
}

#[test]
fn silent_panel_goes_to_level_2_and_resolves_once() {
    let mut job = audited();
    let mut panel = open(&mut job, 40);
    seat(&mut panel, 4, 50);
    assert_eq!(
        resolve1(&mut job, Some(&mut panel), 115),
        Err(Error::PanelNotOver)
    );
    let resolution = resolve1(&mut job, Some(&mut panel), 116).unwrap();
    assert_eq!(resolution.verdict, Verdict::Silence);
    assert_eq!(job.status(), Ok(JobStatus::Appealing));
    assert_eq!(job.origin(), Origin::Silence);
    assert_eq!(
        (job.level, job.target_slot, job.convened_at),
        (2, SLOT + 908, at(116).0)
    );
    assert_eq!(panel.status(), Ok(PanelStatus::Appealed));
    assert_eq!(job.seats_convened(), 5);
    // Level 2 stays unopened: the silence settles for the primary.
    let panels = JobPanels {
        level1: Some(&mut panel),
        level2: None,
    };
    let resolution = job.resolve(panels, SLOT, at(167)).unwrap();
    assert_eq!(resolution.verdict, Verdict::Undecided);
    assert_eq!(panel.status(), Ok(PanelStatus::Resolved));
    assert_eq!(
        resolve1(&mut job, Some(&mut panel), 200),
        Err(Error::JobNotConvened)
    );
}
