//! The transition table: every pair, and that time alone ends every job.

use std::collections::BTreeSet;

use assay_protocol::{
    Error, JobStatus,
    JobStatus::{
        Appealing, Auditing, Cancelled, Claimed, Committed, Expired, Faulted, Open, Settled,
        Unresolved,
    },
    status::TRANSITIONS,
};

/// The picture in the specification, row by row.
fn drawn(from: JobStatus) -> &'static [JobStatus] {
    match from {
        Open => &[Claimed, Cancelled, Expired],
        Claimed => &[Open, Committed, Expired],
        Committed => &[Settled, Auditing, Appealing, Faulted],
        Auditing => &[Settled, Faulted, Appealing],
        Appealing => &[Settled, Faulted, Unresolved],
        Settled | Faulted | Cancelled | Expired | Unresolved => &[],
    }
}

#[test]
fn every_pair_is_as_drawn() {
    for from in JobStatus::ALL {
        for to in JobStatus::ALL {
            assert_eq!(
                from.can_become(to),
                drawn(from).contains(&to),
                "{from:?} to {to:?}"
            );
        }
    }
    let unique: BTreeSet<_> = TRANSITIONS.iter().collect();
    assert_eq!(unique.len(), TRANSITIONS.len());
}

#[test]
fn terminal_statuses_are_those_without_a_way_out() {
    for status in JobStatus::ALL {
        assert_eq!(status.is_terminal(), drawn(status).is_empty(), "{status:?}");
    }
}

/// What cranks do once their deadline passed: job_expire, and panel_open and panel_resolve for
/// the two panel levels. Claimed goes back to Open at most twice, hence the attempts.
#[test]
fn cranks_alone_end_every_job() {
    fn ends(status: JobStatus, attempts_left: u8) -> BTreeSet<JobStatus> {
        let next: Vec<(JobStatus, u8)> = match status {
            Open => vec![(Expired, attempts_left)],
            Claimed if attempts_left > 1 => vec![(Open, attempts_left - 1)],
            Claimed => vec![(Expired, 0)],
            Committed => vec![(Faulted, attempts_left)],
            Auditing => [Settled, Faulted, Appealing]
                .map(|to| (to, attempts_left))
                .to_vec(),
            Appealing => [Settled, Faulted, Unresolved]
                .map(|to| (to, attempts_left))
                .to_vec(),
            Settled | Faulted | Cancelled | Expired | Unresolved => {
                return BTreeSet::from([status]);
            }
        };
        assert!(
            next.iter().all(|(to, _)| status.can_become(*to)),
            "a crank breaks the table"
        );
        next.into_iter()
            .flat_map(|(to, left)| ends(to, left))
            .collect()
    }
    for status in JobStatus::ALL {
        for attempts in 1..=3 {
            let ends = ends(status, attempts);
            assert!(
                !ends.is_empty() && ends.iter().all(|end| end.is_terminal()),
                "{status:?}: {ends:?}"
            );
        }
    }
}

#[test]
fn bytes_are_pinned_and_others_refused() {
    let numbers: Vec<_> = JobStatus::ALL
        .iter()
        .map(|status| (*status as u8, status.name()))
        .collect();
    assert_eq!(
        numbers,
        [
            (1, "open"),
            (2, "claimed"),
            (3, "committed"),
            (4, "auditing"),
            (5, "appealing"),
            (6, "settled"),
            (7, "faulted"),
            (8, "cancelled"),
            (9, "expired"),
            (10, "unresolved"),
        ]
    );
    for byte in 0..=u8::MAX {
        let expected = JobStatus::ALL
            .into_iter()
            .find(|status| *status as u8 == byte);
        assert_eq!(
            JobStatus::from_byte(byte),
            expected.ok_or(Error::JobStatusInvalid)
        );
    }
}
