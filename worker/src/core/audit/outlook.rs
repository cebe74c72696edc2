//! What an audit has brought us, or may bring: every verdict that is still possible, by the
//! protocol's own rule, from the accounts that were kept.

use assay_protocol::{
    Address, JobData, JobStatus, Lamports, PanelData, UnixSeconds,
    limits::MAX_SEATS,
    panel::{BOND_FEES, PanelStatus, Phase, SeatData, SeatState, UNAVAILABLE},
    verdict::{self, Case, NO_SEATS, Origin, Outcomes, Resolution, SeatOutcome, Stakes, Verdict},
};

use super::{brought::parts, command::Evidence};

/// One way in which an audit ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// What would have to happen.
    pub if_what: &'static str,
    pub verdict: Verdict,
    pub status: JobStatus,
    /// What it brings or costs us, in lamports, bonds counted as ours.
    pub ours: i64,
}

/// What becomes of seats that have not shown their root.
#[derive(Clone, Copy)]
enum Rest {
    Equal,
    Different,
    Silent,
}

/// What a seat will do, as long as its phase lasts at that moment.
type Guess<'a> = (&'a dyn Fn(&SeatData) -> Rest, UnixSeconds);

/// How our seat and the primary behave in a scenario.
struct Scenario {
    if_what: &'static str,
    level1: Rest,
    /// Of our own seat, where it is on level 1 and has not shown its root.
    own: Rest,
    level2: Rest,
    /// Whether the primary reveals.
    primary: bool,
}

const LEVEL1: [Scenario; 7] = [
    Scenario {
        if_what: "every auditor finds the primary's root",
        level1: Rest::Equal,
        own: Rest::Equal,
        level2: Rest::Equal,
        primary: true,
    },
    Scenario {
        if_what: "every auditor differs, and the second panel agrees with them",
        level1: Rest::Different,
        own: Rest::Different,
        level2: Rest::Different,
        primary: true,
    },
    Scenario {
        if_what: "every auditor differs, and the second panel agrees with the primary",
        level1: Rest::Different,
        own: Rest::Different,
        level2: Rest::Equal,
        primary: true,
    },
    Scenario {
        if_what: "auditors differ, and too few sit on the second panel",
        level1: Rest::Different,
        own: Rest::Different,
        level2: Rest::Silent,
        primary: true,
    },
    Scenario {
        if_what: "our seat differs alone, and the second panel agrees with the primary",
        level1: Rest::Equal,
        own: Rest::Different,
        level2: Rest::Equal,
        primary: true,
    },
    Scenario {
        if_what: "our seat stays silent, the others find the primary's root",
        level1: Rest::Equal,
        own: Rest::Silent,
        level2: Rest::Equal,
        primary: true,
    },
    Scenario {
        if_what: "the primary does not reveal",
        level1: Rest::Equal,
        own: Rest::Equal,
        level2: Rest::Silent,
        primary: false,
    },
];

const LEVEL2: [Scenario; 4] = [
    Scenario {
        if_what: "the second panel agrees with the primary",
        level1: Rest::Silent,
        own: Rest::Silent,
        level2: Rest::Equal,
        primary: true,
    },
    Scenario {
        if_what: "the second panel disagrees with the primary",
        level1: Rest::Silent,
        own: Rest::Silent,
        level2: Rest::Different,
        primary: true,
    },
    Scenario {
        if_what: "too few reveal on the second panel",
        level1: Rest::Silent,
        own: Rest::Silent,
        level2: Rest::Silent,
        primary: true,
    },
    Scenario {
        if_what: "the primary does not reveal",
        level1: Rest::Silent,
        own: Rest::Silent,
        level2: Rest::Equal,
        primary: false,
    },
];

/// Every end that is still possible now; each verdict on us once.
pub fn outlooks(evidence: &Evidence, me: &Address, now: UnixSeconds) -> Vec<Outlook> {
    let job = &evidence.job;
    let scenarios: &[Scenario] = if job.level == 1 { &LEVEL1 } else { &LEVEL2 };
    let mut found: Vec<Outlook> = Vec::new();
    for scenario in scenarios {
        // A root that is known cannot be withheld any more.
        if !scenario.primary && job.is_revealed() {
            continue;
        }
        let Some(outlook) = play(evidence, me, scenario, now) else {
            continue;
        };
        let same = |known: &Outlook| {
            (known.verdict, known.status, known.ours)
                == (outlook.verdict, outlook.status, outlook.ours)
        };
        if !found.iter().any(same) {
            found.push(outlook);
        }
    }
    found
}

/// How an ended audit came out for us.
pub fn outcome(evidence: &Evidence, me: &Address) -> Option<Outlook> {
    let job = &evidence.job;
    if !job.status().ok()?.is_terminal() || job.level == 0 {
        return None;
    }
    let resolution = resolution(evidence)?;
    Some(Outlook {
        if_what: "what happened",
        verdict: resolution.verdict,
        status: resolution.status,
        ours: ours(evidence, me, &resolution)?,
    })
}

/// Whether a job's panel of this level, if it had one, was read after the verdict.
pub(super) fn is_final(job: &JobData, level: u8, panel: Option<&PanelData>) -> bool {
    let resolved = |panel: &PanelData| panel.status == PanelStatus::Resolved as u8;
    !job.has_panel(level) || panel.is_some_and(resolved)
}

/// The verdict that ended an audit, by the protocol's rule. None if a panel was not read after it:
/// what its seats have shown may not be all.
pub fn resolution(evidence: &Evidence) -> Option<Resolution> {
    let job = &evidence.job;
    let [first, second] = &evidence.panels;
    if !(is_final(job, 1, first.as_deref()) && is_final(job, 2, second.as_deref())) {
        return None;
    }
    let shown = |panel: &Option<Box<PanelData>>| outcomes(panel.as_deref(), job, None);
    let case = case(job, job.is_revealed(), shown(first), shown(second));
    verdict::decide(&case).ok()
}

fn play(
    evidence: &Evidence,
    me: &Address,
    scenario: &Scenario,
    now: UnixSeconds,
) -> Option<Outlook> {
    let job = &evidence.job;
    let [first, second] = &evidence.panels;
    let rest = |seat: &SeatData, rest| {
        if seat.provider == *me {
            scenario.own
        } else {
            rest
        }
    };
    let revealed = scenario.primary;
    // Without the primary's root nothing can be compared.
    let level1 = outcomes(
        first.as_deref(),
        job,
        Some((&|seat| rest(seat, scenario.level1), now)),
    );
    if job.level == 1 && level1 == NO_SEATS {
        return None;
    }
    let decided = verdict::decide(&case(job, revealed, level1, NO_SEATS)).ok();
    if job.level == 1 {
        let decided = decided?;
        if decided.status != JobStatus::Appealing {
            return end(evidence, me, scenario, &decided);
        }
    }
    let seats = second.as_deref();
    let level2 = if seats.is_some() && job.level == 2 {
        outcomes(seats, job, Some((&|_| scenario.level2, now)))
    } else {
        // Not convened yet: as if it were full, or empty.
        match scenario.level2 {
            Rest::Equal => [SeatOutcome::Equal; MAX_SEATS],
            Rest::Different => [SeatOutcome::Different; MAX_SEATS],
            Rest::Silent => NO_SEATS,
        }
    };
    let mut appealed = **job;
    appealed.level = 2;
    let decided = verdict::decide(&case(&appealed, revealed, level1, level2)).ok()?;
    end(evidence, me, scenario, &decided)
}

fn end(
    evidence: &Evidence,
    me: &Address,
    scenario: &Scenario,
    resolution: &Resolution,
) -> Option<Outlook> {
    Some(Outlook {
        if_what: scenario.if_what,
        verdict: resolution.verdict,
        status: resolution.status,
        ours: ours(evidence, me, resolution)?,
    })
}

/// What a resolution brings us: as the primary, and with every seat.
fn ours(evidence: &Evidence, me: &Address, resolution: &Resolution) -> Option<i64> {
    let mut sum = 0_i64;
    for part in parts(evidence, me, resolution)? {
        sum = sum.checked_add(part.stake)?.checked_add(part.earnings)?;
    }
    Some(sum)
}

fn case(job: &JobData, primary_revealed: bool, level1: Outcomes, level2: Outcomes) -> Case {
    let fees = |count: u8| {
        Lamports(job.audit_fee)
            .times(count)
            .unwrap_or(Lamports::ZERO)
    };
    // The account's money is gone once the job has ended; its terms tell what it was.
    let disputed = job.level == 2 && !job.has_panel(1);
    let bond = if disputed {
        fees(BOND_FEES)
    } else {
        Lamports::ZERO
    };
    let shown = |seat: &SeatOutcome| *seat >= SeatOutcome::Equal;
    let origin = if job.level == 1 {
        Origin::Draw
    } else if disputed {
        Origin::Dispute
    } else if level1.iter().any(shown) {
        Origin::Dissent
    } else {
        Origin::Silence
    };
    Case {
        stakes: Stakes {
            price: Lamports(job.price),
            escrow: Lamports(job.ceiling.saturating_add(fees(job.panel_size).0)),
            collateral: Lamports(job.collateral),
            audit_fee: Lamports(job.audit_fee),
            dispute_bond: bond,
            panel_size: job.panel_size,
        },
        origin,
        primary_revealed,
        level1,
        level2,
    }
}

/// What each seat did, or, with `rest`, would have done in the end.
fn outcomes(panel: Option<&PanelData>, job: &JobData, rest: Option<Guess<'_>>) -> Outcomes {
    let mut outcomes = NO_SEATS;
    // A seat that has let its phase pass stays silent.
    let last = rest.and_then(|(_, now)| Some(panel?.phase(now, job.is_revealed())));
    let seats = panel.map_or(&[] as &[_], |panel| &panel.seats);
    for (outcome, seat) in outcomes.iter_mut().zip(seats) {
        *outcome = shown(seat, job);
        let open = match outcome {
            SeatOutcome::Joined => last <= Some(Phase::Commit),
            SeatOutcome::Committed => last <= Some(Phase::Reveal),
            SeatOutcome::Empty
            | SeatOutcome::Equal
            | SeatOutcome::Different
            | SeatOutcome::Unavailable => false,
        };
        if let Some((rest, _)) = rest.filter(|_| open) {
            *outcome = match rest(seat) {
                Rest::Equal => SeatOutcome::Equal,
                Rest::Different => SeatOutcome::Different,
                Rest::Silent => *outcome,
            };
        }
    }
    outcomes
}

/// What a seat did. A settled one no longer says it: its root does, or what it was paid.
fn shown(seat: &SeatData, job: &JobData) -> SeatOutcome {
    if seat.state != SeatState::Settled as u8 {
        return seat.outcome(job).unwrap_or(SeatOutcome::Empty);
    }
    if job.is_revealed() && seat.digest == job.root {
        SeatOutcome::Equal
    } else if seat.digest == UNAVAILABLE {
        job.misses_hints()
    } else if seat.payout > 0 {
        SeatOutcome::Different
    } else {
        SeatOutcome::Committed
    }
}
