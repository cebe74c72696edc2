//! A worker that took jobs of every kind, as its journal and its account tell of it.

use assay_protocol::{
    Address, BasisPoints, Digest, JobData, JobStatus, Lamports, PanelData, UnixSeconds,
    amount::{late_slash, release_slash, split_price},
    job::JOB_PANEL_1,
    panel::{PanelStatus, SeatState},
};
use bytemuck::Zeroable;

use super::*;
use crate::{
    core::{Action, AuditStep, Body, Evidence, Report, SavedResult, SavedSeat, Step, brought},
    store::{KnownCost, Member, Quote, SentTransaction, TransactionEnd},
};

const ME: Address = Address::new_from_array([100; 32]);
pub const DAY: i64 = 86_400;
/// 2026-11-27 00:00 UTC.
const FRIDAY: i64 = 1_795_737_600;

/// A worker's journal, and beside it what the chain did to stake, earnings and balance.
pub struct World {
    folder: tempfile::TempDir,
    pub store: Store,
    pub changed: i64,
    sent: u8,
    pub now: i64,
    /// What a run of its own jobs is measured to use.
    pub energy_mj: Option<u64>,
}

pub fn job(number: u8) -> Address {
    Address::new_from_array([number; 32])
}

fn terms() -> JobData {
    let mut job = JobData::zeroed();
    (job.version, job.fee_bps) = (1, 200);
    (job.ceiling, job.price, job.collateral, job.audit_fee) =
        (1_000_000, 900_000, 20_000_000, 1_000_000);
    job.requester = Address::new_from_array([30; 32]);
    job.model = Address::new_from_array([31; 32]);
    job
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("journal.sqlite")).unwrap();
        Self {
            folder,
            store,
            changed: 0,
            sent: 0,
            now: FRIDAY,
            energy_mj: None,
        }
    }

    pub fn report(&self, number: u8, report: Report) {
        let now = UnixSeconds(self.now);
        self.store
            .report(&job(number), 0, &terms(), report, now)
            .unwrap();
    }

    /// A transaction that got into a block; it costs its fee whether it succeeds or not.
    pub fn transact(&mut self, number: u8, action: Action, landed: bool, rent: i64) {
        self.sent += 1;
        let signature = [self.sent; 64];
        let sent = SentTransaction {
            signature,
            members: vec![Member {
                job: job(number),
                attempt: 0,
                action,
            }],
            bytes: vec![self.sent],
            last_valid_block_height: 1,
            quote: Quote {
                fee: 5_100,
                priority_fee: 100,
            },
        };
        let end = if landed {
            TransactionEnd::Landed
        } else {
            TransactionEnd::Refused {
                error: "JobNotOpen".into(),
            }
        };
        self.store
            .save_transaction(&sent, UnixSeconds(self.now))
            .unwrap();
        self.store.end_transaction(&signature, &end).unwrap();
        let cost = KnownCost::Recorded {
            fee: 5_050,
            compute_units: Some(1_000),
            rent,
        };
        self.store.record_cost(&signature, &cost).unwrap();
        self.changed -= 5_050 + rent;
    }

    pub fn claim(&mut self, number: u8) {
        self.transact(number, Action::Job(Step::Claim), true, 0);
        let price = Lamports(900_000);
        self.report(number, Report::Claimed { price });
    }

    pub fn commit(&mut self, number: u8) {
        let result = SavedResult {
            attempt: 0,
            generation: 1,
            salt: [number; 32],
            worker_secret: [2; 32],
            root: Digest([3; 32]),
            hints_digest: Digest([4; 32]),
            commitment: Digest([5; 32]),
            runtime_class: [0; 32],
        };
        let body = Body {
            outputs: vec![1; 100],
            outputs_json: "[]".into(),
            compute_ms: 1_500,
            energy_mj: self.energy_mj,
            ..Body::default()
        };
        let now = UnixSeconds(self.now);
        self.store
            .save_result(&job(number), &result, &body, now)
            .unwrap();
        self.transact(number, Action::Job(Step::Commit), true, 0);
        self.report(number, Report::Committed);
    }

    pub fn settle(&mut self, number: u8) {
        self.claim(number);
        self.commit(number);
        self.transact(number, Action::Job(Step::Finalize), true, 0);
        let split = split_price(Lamports(900_000), BasisPoints(200)).unwrap();
        self.changed += i64::try_from(split.earned.0).unwrap();
    }

    /// A seat of ours on a job's panel, whose rent we lent; the verdict pays it, and somebody else
    /// closes the panel.
    pub fn audit(&mut self, number: u8) {
        let mut account = terms();
        (account.status, account.level) = (JobStatus::Settled as u8, 1);
        (account.flags, account.panel_size) = (JOB_PANEL_1, 1);
        account.provider = Address::new_from_array([9; 32]);
        account.root = [7; 32];
        let mut panel = PanelData::zeroed();
        (panel.status, panel.level, panel.size) = (PanelStatus::Resolved as u8, 1, 1);
        panel.bond = 5_000_000;
        panel.seats[0].provider = ME;
        panel.seats[0].state = SeatState::Revealed as u8;
        panel.seats[0].digest = [7; 32];
        let evidence = Evidence {
            job: Box::new(account),
            panels: [Some(Box::new(panel)), None],
            ended: true,
        };
        let rent = 5_000_000;
        self.transact(number, Action::Audit(AuditStep::Open), true, rent);
        self.transact(number, Action::Audit(AuditStep::Join), true, 0);
        let seat = SavedSeat {
            level: 1,
            attempt: 0,
            generation: 1,
            salt: [1; 32],
            root: Digest([7; 32]),
            commitment: Digest([8; 32]),
        };
        let body = Body {
            compute_ms: 700,
            ..Body::default()
        };
        let now = UnixSeconds(self.now);
        self.store
            .save_seat(&job(number), &seat, &body, now)
            .unwrap();
        let parts = brought(&evidence, &ME).unwrap();
        self.store
            .book_audit(&job(number), &evidence, &parts, now)
            .unwrap();
        // A crash before the evidence is kept repeats both.
        self.store
            .book_audit(&job(number), &evidence, &parts, now)
            .unwrap();
        self.store.keep_audit(&job(number), &evidence, now).unwrap();
        self.changed += rent + 1_000_000;
    }

    pub fn earnings(&self, flags: &args::Earnings) -> Earnings {
        let config = Config {
            data_dir: self.folder.path().to_owned(),
            ..Config::default()
        };
        read(&config, flags).unwrap()
    }
}

/// Jobs of every end, over three days.
pub fn busy() -> World {
    let mut world = World::new();
    world.settle(1);
    world.report(
        1,
        Report::Settled {
            price: Lamports(900_000),
            earned: Lamports(882_000),
        },
    );
    // Another provider was quicker; the fee is paid all the same.
    world.transact(2, Action::Job(Step::Claim), false, 0);
    world.now += DAY;
    // Given back in time.
    world.claim(3);
    world.transact(3, Action::Job(Step::Release), true, 0);
    world.report(3, Report::Lost);
    let (collateral, ceiling) = (Lamports(20_000_000), Lamports(1_000_000));
    world.changed -= i64::try_from(release_slash(collateral, ceiling).0).unwrap();
    // Too late.
    world.claim(4);
    world.report(4, Report::Lost);
    world.changed -= i64::try_from(late_slash(collateral, ceiling).0).unwrap();
    // Never finalized.
    world.claim(5);
    world.commit(5);
    world.report(5, Report::Faulted);
    world.changed -= 20_000_000;
    world.now += DAY;
    // Paid, and closed by its requester before the worker read it again.
    world.settle(6);
    world
        .store
        .report_gone(&job(6), 0, UnixSeconds(world.now))
        .unwrap();
    world.audit(7);
    // Under way.
    world.claim(8);
    world
}
