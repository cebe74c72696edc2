//! The same table reached by the real moves: jobs drawn or disputed, panels joined, committed and
//! revealed with real commitments, resolved and settled seat by seat.

use assay_protocol::{
    Address, Digest, Error, JobData, JobStatus, Lamports, ModelData, PanelData, ProviderData,
    UnixSeconds,
    args::{JobCommitArgs, JobFinalizeArgs, JobRevealArgs},
    commitment::{Role, secret_hash},
    job::{Finalized, JobPanels, Opening},
    market::MarketParams,
    panel::{Candidate, PanelOpening, PanelStatus, Phase, UNAVAILABLE},
    provider::Registration,
    terms::JobTerms,
    verdict::{
        NO_SEATS, Origin, Outcomes, Resolution,
        SeatOutcome::{self, Committed, Different, Empty, Equal, Joined, Unavailable},
    },
};
use bytemuck::Zeroable;

use super::{all_kinds, case, check, lamports, oracle::Money, reachable};

const MONEY: Money = Money {
    ceiling: 997,
    price: 13,
    fee: 1_009,
    collateral: 99_991,
    size: 2,
};
const PROGRAM: u8 = 200;
const JOB: u8 = 201;
const PRIMARY: u8 = 202;
const SALT: [u8; 32] = [31; 32];
const ROOT: [u8; 32] = [32; 32];
const OTHER_ROOT: [u8; 32] = [33; 32];
const SECRET: [u8; 32] = [34; 32];

fn key(byte: u8) -> Address {
    Address::new_from_array([byte; 32])
}

fn commitment(role: Role, provider: u8, root: &[u8; 32]) -> [u8; 32] {
    assay_protocol::commitment::Opening {
        program_id: &key(PROGRAM),
        job: &key(JOB),
        attempt: 0,
        role,
        provider: &key(provider),
        generation: 1,
        salt: &SALT,
        root: &Digest(*root),
        hints_digest: &Digest([7; 32]),
        runtime_class: &[0; 32],
    }
    .commitment()
    .0
}

/// One job and its panels, at a moment.
#[derive(Clone)]
struct Walk {
    job: JobData,
    panels: [Option<PanelData>; 2],
    now: i64,
}

impl Walk {
    /// Committed by the primary; the challenge window is open.
    fn start(size: u8) -> Self {
        let terms = JobTerms {
            ceiling: lamports(MONEY.ceiling).0,
            floor: lamports(MONEY.price).0,
            collateral: lamports(MONEY.collateral).0,
            audit_fee: lamports(MONEY.fee).0,
            ramp_secs: 40,
            claim_secs: 100,
            compute_secs: 60,
            challenge_secs: 80,
            audit_bps: 1,
            panel_size: size,
            ..JobTerms::zeroed()
        };
        let at = Opening {
            requester: key(1),
            model: key(2),
            open_slot: 1,
            index: 0,
            bump: 255,
            now: UnixSeconds(0),
        };
        let mut job = JobData::zeroed();
        job.open(&at, &terms, &MarketParams::LOCAL, &ModelData::zeroed());
        job.escrow = terms.escrow().unwrap().0;
        job.claim(key(PRIMARY), 1, UnixSeconds(0)).unwrap();
        let args = JobCommitArgs {
            commitment: commitment(Role::Primary, PRIMARY, &ROOT),
            worker_secret_hash: secret_hash(&SECRET).0,
            hints_digest: [7; 32],
            attempt: 0,
        };
        job.commit(&args, UnixSeconds(1)).unwrap();
        Self {
            job,
            panels: [None, None],
            now: 1,
        }
    }

    fn drawn(size: u8) -> Self {
        let mut walk = Self::start(size);
        walk.now = 82;
        let args = JobFinalizeArgs {
            worker_secret: SECRET,
            requester_secret: [0; 32],
            acknowledged: 0,
        };
        let finalized = walk.job.finalize(&key(JOB), &args, 500, walk.time());
        assert_eq!(finalized, Ok(Finalized::Audited));
        walk
    }

    fn disputed(size: u8) -> Self {
        let mut walk = Self::start(size);
        let bond = walk.job.dispute(500, walk.time()).unwrap();
        assert_eq!(bond, lamports(5 * MONEY.fee));
        walk
    }

    fn time(&self) -> UnixSeconds {
        UnixSeconds(self.now)
    }

    fn role(&self) -> Role {
        if self.job.level == 1 {
            Role::PanelLevel1
        } else {
            Role::PanelLevel2
        }
    }

    /// An auditor's key, another one for each seat and level.
    fn auditor(&self, seat: u8) -> u8 {
        self.job.level * 10 + seat
    }

    /// Lets the convened panel do all this, and the primary reveal if it can and shall.
    fn sit(&mut self, outcomes: &Outcomes, primary_reveals: bool) {
        let (target, at) = (self.job.target_slot, self.time());
        self.job.open_panel(target, None, at).unwrap();
        let mut panel = PanelData::zeroed();
        let opening = PanelOpening {
            job: key(JOB),
            rent_payer: key(1),
            bump: 255,
            seed: Digest([1; 32]),
            now: at,
        };
        panel.open(&opening, &self.job).unwrap();
        for (seat, outcome) in (0_u8..).zip(outcomes) {
            if *outcome != Empty {
                let candidate = Candidate {
                    provider: key(self.auditor(seat)),
                    generation: 1,
                    score: u64::from(seat),
                };
                panel.join(&candidate, at).unwrap();
            }
        }
        self.now = panel.join_deadline + 1;
        for (seat, outcome) in (0_u8..).zip(outcomes) {
            if *outcome >= Committed {
                let auditor = self.auditor(seat);
                let digest = commitment(self.role(), auditor, &root(*outcome));
                panel
                    .commit(seat, (&key(auditor), 1), &digest, self.time())
                    .unwrap();
            }
        }
        if panel.phase(self.time(), self.job.is_revealed()) == Phase::Commit {
            self.now = panel.commit_deadline + 1;
        }
        self.reveal(&mut panel, outcomes, primary_reveals);
        if panel.phase(self.time(), self.job.is_revealed()) != Phase::Over {
            self.now = panel.reveal_deadline + 1;
        }
        let level = usize::from(self.job.level - 1);
        self.panels[level] = Some(panel);
    }

    fn reveal(&mut self, panel: &mut PanelData, outcomes: &Outcomes, primary_reveals: bool) {
        let parties = (&key(PROGRAM), &key(JOB));
        if panel.committed > 0 && primary_reveals && !self.job.is_revealed() {
            let args = JobRevealArgs {
                salt: SALT,
                root: ROOT,
            };
            self.job.reveal(parties, panel, &args, self.time()).unwrap();
        }
        for (seat, outcome) in (0_u8..).zip(outcomes) {
            if *outcome >= Equal {
                let opened = (&SALT, &root(*outcome));
                panel
                    .reveal(seat, parties, &self.job, opened, self.time())
                    .unwrap();
            }
        }
    }

    fn resolve(&mut self) -> Resolution {
        let [level1, level2] = &mut self.panels;
        let panels = JobPanels {
            level1: level1.as_mut(),
            level2: level2.as_mut(),
        };
        let moment = UnixSeconds(self.now);
        self.job.resolve(panels, 900, moment).unwrap()
    }

    /// What the panels did, as the verdict must have seen it: compared with a root that was never
    /// revealed, nothing is equal.
    fn seen(&self, outcomes: &Outcomes) -> Outcomes {
        let hidden = !self.job.is_revealed();
        outcomes.map(|seat| {
            if hidden && seat == Equal {
                Different
            } else {
                seat
            }
        })
    }
}

fn root(outcome: SeatOutcome) -> [u8; 32] {
    match outcome {
        Equal => ROOT,
        Unavailable => UNAVAILABLE,
        Empty | Joined | Committed | Different => OTHER_ROOT,
    }
}

/// Settles every seat, last one first, into its provider's account, and closes the panel.
fn settle(panel: &mut PanelData, payouts: &[Lamports; 5]) {
    let fixed: u64 = payouts.iter().map(|payout| payout.0).sum();
    assert_eq!(panel.status(), Ok(PanelStatus::Resolved));
    assert_eq!(panel.bonds, fixed);
    for position in (0_u8..5).rev() {
        let seat = panel.seats[usize::from(position)];
        let held = (&seat.provider, seat.generation);
        if seat.provider == Address::default() {
            assert_eq!(
                panel.settle_seat(position, held),
                Err(Error::SeatProviderMismatch)
            );
            continue;
        }
        let mut auditor = seated();
        let settled = panel.settle_seat(position, held).unwrap();
        let before = auditor.money().unwrap();
        let (returned, earned) = auditor.settle_seat(&settled).unwrap();
        let after = auditor.money().unwrap();
        assert_eq!(returned.plus(earned), Ok(payouts[usize::from(position)]));
        assert_eq!(before.plus(settled.payout), Ok(after));
        assert_eq!(auditor.live_seats, 0);
        assert_eq!(panel.settle_seat(position, held), Err(Error::SeatSettled));
    }
    assert_eq!((panel.bonds, panel.require_closable()), (0, Ok(())));
}

/// A provider that has just taken a seat.
fn seated() -> ProviderData {
    let at = Registration {
        authority: key(1),
        rent_payer: key(1),
        bump: 255,
        generation: 1,
        now: UnixSeconds(0),
    };
    let mut provider = ProviderData::new(&at, &MarketParams::LOCAL);
    let stake = lamports(1 << 40);
    provider
        .deposit(stake, &MarketParams::LOCAL, UnixSeconds(0))
        .unwrap();
    provider.take_seat(lamports(MONEY.bond())).unwrap();
    provider
}

/// The end of a walk: the table's row, every seat paid, nothing left in the job.
fn finish(mut walk: Walk, origin: Origin, level1: &Outcomes, level2: &Outcomes) {
    let resolution = walk.resolve();
    let money = Money {
        size: walk.job.panel_size,
        ..MONEY
    };
    let seen = [walk.seen(level1), walk.seen(level2)];
    let revealed = walk.job.is_revealed();
    let case = case(&money, origin, revealed, seen[0], seen[1]);
    assert!(reachable(&case), "{case:?}");
    check(&money, &case, &resolution);
    assert_eq!(walk.job.status(), Ok(resolution.status));
    assert_eq!(walk.job.verdict, resolution.verdict as u8);
    if resolution.status == JobStatus::Appealing {
        return;
    }
    assert_eq!(walk.job.money(), Ok(Lamports::ZERO));
    let payouts = [&resolution.level1, &resolution.level2];
    for (panel, payouts) in walk.panels.iter_mut().flatten().zip(
        // A dispute has no level-1 panel.
        if origin == Origin::Dispute {
            &payouts[1..]
        } else {
            &payouts[..]
        },
    ) {
        settle(panel, payouts);
    }
}

#[test]
fn every_level_1_panel_walked_ends_as_the_table_says() {
    for size in [2_u8, 3] {
        for outcomes in all_kinds(u32::from(size)) {
            for reveals in [false, true] {
                let mut walk = Walk::drawn(size);
                walk.sit(&outcomes, reveals);
                finish(walk, Origin::Draw, &outcomes, &NO_SEATS);
            }
        }
    }
}

#[test]
fn every_appeal_walked_ends_as_the_table_says() {
    let mut walked = 0_u32;
    for outcomes in all_kinds(2) {
        for reveals in [false, true] {
            let mut walk = Walk::drawn(2);
            walk.sit(&outcomes, reveals);
            let resolution = walk.resolve();
            if resolution.status != JobStatus::Appealing {
                continue;
            }
            let origin = walk.job.origin();
            for level2 in all_kinds(5) {
                for reveals in [false, true] {
                    let mut walk = walk.clone();
                    walk.sit(&level2, reveals);
                    finish(walk, origin, &outcomes, &level2);
                    walked += 1;
                }
            }
        }
    }
    assert!(walked > 9_000, "{walked}");
}

#[test]
fn every_dispute_walked_ends_as_the_table_says() {
    for size in [2_u8, 3] {
        for level2 in all_kinds(5) {
            for reveals in [false, true] {
                let mut walk = Walk::disputed(size);
                walk.sit(&level2, reveals);
                finish(walk, Origin::Dispute, &NO_SEATS, &level2);
            }
        }
    }
}
