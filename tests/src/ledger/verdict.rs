//! The protocol's table of verdicts, read once more: who gets what when a panel has spoken.

use assay_client::protocol::{JobData, JobStatus, PanelData};

/// What a seat did, seen from the primary's root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Did {
    Nothing,
    Silent,
    Equal,
    Dissent,
    Unavailable,
}

/// What happens, in lamports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    pub status: JobStatus,
    pub refund: i128,
    pub paid: i128,
    pub bonus: i128,
    pub slash: i128,
    pub burned: i128,
    /// By level, by seat.
    pub payouts: [[i128; 5]; 2],
}

/// One panel as it was before the verdict.
#[derive(Clone, Copy, Debug)]
struct Bench {
    did: [Did; 5],
    joined: i128,
    committed: i128,
}

impl Bench {
    fn of(panel: Option<&PanelData>, job: &JobData) -> Self {
        // Sentinels lie beyond the exponents of grids.
        let hinted = job
            .output_profile
            .iter()
            .any(|entry| entry.unsigned_abs() <= 64);
        let mut bench = Self {
            did: [Did::Nothing; 5],
            joined: 0,
            committed: 0,
        };
        let Some(panel) = panel else { return bench };
        for (did, seat) in bench.did.iter_mut().zip(&panel.seats) {
            bench.joined += i128::from(seat.state >= 1);
            bench.committed += i128::from(seat.state >= 2);
            *did = match seat.state {
                0 => Did::Nothing,
                3 if seat.digest == [0xff; 32] && hinted => Did::Unavailable,
                3 if seat.digest == job.root => Did::Equal,
                3 => Did::Dissent,
                _ => Did::Silent,
            };
        }
        bench
    }

    fn count(&self, what: Did) -> i128 {
        i128::try_from(self.did.iter().filter(|did| **did == what).count()).expect("five seats")
    }

    fn against(&self) -> i128 {
        self.count(Did::Dissent) + self.count(Did::Unavailable)
    }

    fn revealed(&self) -> i128 {
        self.count(Did::Equal) + self.against()
    }

    /// Bonds lost to a primary that was right; who said that hints were missing loses `excused` only.
    fn lost(&self, bond: i128, excused: i128) -> i128 {
        (self.count(Did::Silent) + self.count(Did::Dissent)) * bond
            + self.count(Did::Unavailable) * excused
    }

    /// Pays equal, dissenting and unavailable seats.
    fn pay(&self, [equal, dissent, unavailable]: [i128; 3]) -> [i128; 5] {
        self.did.map(|did| match did {
            Did::Nothing | Did::Silent => 0,
            Did::Equal => equal,
            Did::Dissent => dissent,
            Did::Unavailable => unavailable,
        })
    }
}

/// The row of the table that applies; `job` and its panels as they were before.
pub fn judge(job: &JobData, panels: [Option<&PanelData>; 2]) -> Judgement {
    let [first, second] = panels.map(|panel| Bench::of(panel, job));
    let mut judgement = if job.level == 1 {
        level1(job, &first)
    } else {
        level2(job, &first, &second)
    };
    if judgement.status != JobStatus::Appealing {
        let bonds = 5 * i128::from(job.audit_fee) * (first.joined + second.joined);
        let came_in = i128::from(job.escrow) + i128::from(job.dispute_bond) + bonds;
        let payouts: i128 = judgement.payouts.iter().flatten().sum();
        judgement.burned = came_in + judgement.slash
            - judgement.refund
            - judgement.paid
            - judgement.bonus
            - payouts;
    }
    judgement
}

fn nothing(status: JobStatus) -> Judgement {
    Judgement {
        status,
        refund: 0,
        paid: 0,
        bonus: 0,
        slash: 0,
        burned: 0,
        payouts: [[0; 5]; 2],
    }
}

/// "E - P" and "Pay".
fn settled(job: &JobData) -> Judgement {
    Judgement {
        refund: i128::from(job.escrow) - i128::from(job.price),
        paid: i128::from(job.price),
        ..nothing(JobStatus::Settled)
    }
}

/// "E + D" and "-C".
fn faulted(job: &JobData, payouts: [[i128; 5]; 2]) -> Judgement {
    Judgement {
        refund: i128::from(job.escrow) + i128::from(job.dispute_bond),
        slash: i128::from(job.collateral),
        payouts,
        ..nothing(JobStatus::Faulted)
    }
}

fn level1(job: &JobData, bench: &Bench) -> Judgement {
    let fee = i128::from(job.audit_fee);
    let silent_primary = job.root == [0; 32];
    if bench.joined == 0 {
        return settled(job);
    }
    if silent_primary && bench.committed > 0 {
        return faulted(job, [bench.pay([6 * fee; 3]), [0; 5]]);
    }
    if bench.revealed() == 0 || bench.against() > 0 {
        return nothing(JobStatus::Appealing);
    }
    let mut row = settled(job);
    row.refund -= bench.count(Did::Equal) * fee;
    row.payouts[0] = bench.pay([6 * fee, 0, 0]);
    row
}

fn level2(job: &JobData, first: &Bench, second: &Bench) -> Judgement {
    let fee = i128::from(job.audit_fee);
    let silent_primary = job.root == [0; 32];
    let (equal, against) = (second.count(Did::Equal), second.against());
    if silent_primary && second.committed > 0 {
        return faulted(
            job,
            [first.pay([0, 7 * fee, 7 * fee]), second.pay([6 * fee; 3])],
        );
    }
    if equal + against >= 3 && against > equal {
        let payouts = [
            first.pay([0, 7 * fee, 7 * fee]),
            second.pay([0, 6 * fee, 6 * fee]),
        ];
        return faulted(job, payouts);
    }
    if equal + against >= 3 && equal > against {
        return upheld(job, first, second);
    }
    undecided(job, first, second)
}

fn upheld(job: &JobData, first: &Bench, second: &Bench) -> Judgement {
    let (fee, equal) = (i128::from(job.audit_fee), second.count(Did::Equal));
    let mut row = settled(job);
    let mut each = fee;
    if job.dispute_bond > 0 {
        row.bonus = i128::from(job.dispute_bond) - equal * fee;
    } else if first.revealed() > 0 {
        let lost = first.lost(5 * fee, 2 * fee) + second.lost(5 * fee, fee);
        let taken = (equal * fee - lost).clamp(0, row.paid);
        row.paid -= taken;
        row.refund -= first.count(Did::Equal) * fee;
        each = fee.min((lost + taken) / equal);
    }
    row.payouts = [
        first.pay([6 * fee, 0, 3 * fee]),
        second.pay([5 * fee + each, 0, 4 * fee]),
    ];
    row
}

fn undecided(job: &JobData, first: &Bench, second: &Bench) -> Judgement {
    let (fee, revealed) = (i128::from(job.audit_fee), second.revealed());
    let mut row = settled(job);
    let mut each = fee;
    if job.dispute_bond > 0 {
        row.refund += i128::from(job.dispute_bond) - revealed * fee;
    } else if first.revealed() > 0 {
        if revealed > 0 {
            each = fee.min(i128::from(job.panel_size) * fee / revealed);
        }
        row = Judgement {
            refund: i128::from(job.escrow) - revealed * each,
            ..nothing(JobStatus::Unresolved)
        };
        row.payouts[0] = first.pay([5 * fee; 3]);
    }
    row.payouts[1] = second.pay([5 * fee + each; 3]);
    row
}
