use assay_client::{
    protocol::{
        UnixSeconds,
        job::{JOB_PANEL_1, JOB_PANEL_2},
    },
    slot_hashes::SlotHash,
};
use bytemuck::Zeroable as _;

use super::*;

const NOW: i64 = 1_000;
const SLOT: u64 = 500;

/// A job in a status, at a moment from which every deadline lies a minute away.
fn scene(status: JobStatus) -> Scene {
    let job = JobData {
        status: status as u8,
        provider: Address::new_from_array([3; 32]),
        requester: Address::new_from_array([4; 32]),
        open_slot: 10,
        opened_at: NOW,
        claimed_at: NOW,
        committed_at: NOW,
        convened_at: NOW,
        claim_secs: 60,
        compute_secs: 60,
        challenge_secs: 60,
        panel_open_secs: 60,
        panel_size: 2,
        target_slot: 498,
        level: if status == JobStatus::Appealing { 2 } else { 1 },
        ..JobData::zeroed()
    };
    Scene {
        address: Address::new_from_array([1; 32]),
        job,
        panels: [None, None],
        clock: Clock {
            slot: SLOT,
            time: UnixSeconds(NOW),
        },
        slot_hashes: hashes(&[499, 498, 497]),
    }
}

fn hashes(slots: &[u64]) -> SlotHashes {
    let entry = |slot: &u64| SlotHash {
        slot: *slot,
        hash: [1; 32],
    };
    SlotHashes(slots.iter().map(entry).collect())
}

/// A panel that joins until 20 s, commits until 40 s, reveals until 60 s from now.
fn panel(level: u8, status: PanelStatus) -> PanelData {
    PanelData {
        status: status as u8,
        level,
        size: 2,
        rent_payer: Address::new_from_array([6; 32]),
        join_deadline: NOW + 20,
        commit_deadline: NOW + 40,
        reveal_deadline: NOW + 60,
        ..PanelData::zeroed()
    }
}

fn with_panel(mut scene: Scene, panel: PanelData) -> Scene {
    let level = panel.level;
    scene.job.flags |= if level == 1 { JOB_PANEL_1 } else { JOB_PANEL_2 };
    scene.panels[usize::from(level) - 1] = Some(panel);
    scene
}

fn at(mut scene: Scene, now: i64) -> Scene {
    scene.clock.time = UnixSeconds(now);
    scene
}

fn step(scene: &Scene) -> Option<Step> {
    match scene.next().unwrap() {
        Next::Do(step) => Some(step),
        Next::Wait(_) => None,
    }
}

#[test]
fn deadlines_that_passed_expire_the_job() {
    for status in [JobStatus::Open, JobStatus::Claimed] {
        assert_eq!(step(&at(scene(status), NOW + 60)), None, "{status:?}");
        assert_eq!(step(&at(scene(status), NOW + 61)), Some(Step::Expire));
    }
    // A committed job has its challenge window and a day.
    let committed = || scene(JobStatus::Committed);
    assert_eq!(step(&at(committed(), NOW + 61)), None);
    assert_eq!(
        step(&at(committed(), NOW + 60 + 86_401)),
        Some(Step::Expire)
    );
}

#[test]
fn convened_panel_is_opened_with_its_slot() {
    for status in [JobStatus::Auditing, JobStatus::Appealing] {
        assert_eq!(step(&scene(status)), Some(Step::Open { entry: 1 }));
        let mut early = scene(status);
        early.job.target_slot = 505;
        assert_eq!(step(&early), None);
        let mut late = scene(status);
        late.job.target_slot = 400;
        assert_eq!(step(&late), Some(Step::Retarget));
        // Not opened in time: nobody joined.
        assert_eq!(
            step(&at(scene(status), NOW + 60)),
            Some(Step::Open { entry: 1 })
        );
        assert_eq!(step(&at(scene(status), NOW + 61)), Some(Step::Resolve));
    }
}

#[test]
fn open_panel_is_waited_for_and_resolved() {
    let live = |change: fn(&mut PanelData)| {
        let mut panel = panel(1, PanelStatus::Live);
        change(&mut panel);
        with_panel(scene(JobStatus::Auditing), panel)
    };
    let waits = |scene: &Scene| match scene.next().unwrap() {
        Next::Wait(text) => text,
        Next::Do(step) => panic!("{step:?}"),
    };
    assert!(waits(&live(|_| ())).contains("join for another 20s"));
    let joined = live(|panel| panel.joined = 2);
    assert!(waits(&at(joined, NOW + 21)).contains("commit"));
    let committed = live(|panel| (panel.joined, panel.committed) = (2, 2));
    assert!(waits(&at(committed, NOW + 21)).contains("reveal"));
    let silent = live(|panel| (panel.joined, panel.committed) = (2, 1));
    assert_eq!(step(&at(silent, NOW + 61)), Some(Step::Resolve));
    // Nobody joined.
    assert_eq!(step(&at(live(|_| ()), NOW + 21)), Some(Step::Resolve));
}

#[test]
fn panels_that_exist_are_named_to_the_verdict() {
    let resolve = |scene: &Scene| {
        Step::Resolve
            .instruction(scene, Address::default())
            .accounts
            .iter()
            .map(|account| account.pubkey)
            .collect::<Vec<_>>()
    };
    let none = assay_client::PROGRAM_ID;
    let first = with_panel(scene(JobStatus::Auditing), panel(1, PanelStatus::Live));
    let accounts = resolve(&first);
    assert_eq!(accounts[3..5], [address::panel(&first.address, 1), none]);
    let disputed = with_panel(scene(JobStatus::Appealing), panel(2, PanelStatus::Live));
    let accounts = resolve(&disputed);
    assert_eq!(accounts[3..5], [none, address::panel(&disputed.address, 2)]);
}

#[test]
fn ended_job_is_cleared_seat_by_seat() {
    let mut resolved = panel(1, PanelStatus::Resolved);
    resolved.seats[1].state = SeatState::Revealed as u8;
    resolved.seats[1].provider = Address::new_from_array([8; 32]);
    let mut ended = with_panel(scene(JobStatus::Settled), resolved);
    ended.job.live_panels = 1;
    let settle = Step::Settle {
        level: 1,
        seat: 1,
        provider: Address::new_from_array([8; 32]),
    };
    assert_eq!(step(&ended), Some(settle));
    ended.panels[0].as_mut().unwrap().seats[1].state = SeatState::Settled as u8;
    let close = Step::ClosePanel {
        level: 1,
        rent_payer: Address::new_from_array([6; 32]),
    };
    assert_eq!(step(&ended), Some(close));
    ended.panels = [None, None];
    ended.job.live_panels = 0;
    assert_eq!(step(&ended), Some(Step::Close));
    ended.clock.slot = 100;
    assert_eq!(
        step(&ended),
        None,
        "its address must not be used again too soon"
    );
}
