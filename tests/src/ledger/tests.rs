//! The ledger notices what it is there for: real transactions, tampered with afterwards.

use assay_client::{
    account::{Layout, decode, encode},
    program::INCINERATOR,
    protocol::{Address, JobData, JobStatus, ProviderData, UnixSeconds},
};
use bytemuck::Zeroable;
use solana_account::Account;
use solana_instruction::Instruction;

use crate::{Batch, Job, Model, Provider, SOL, World, ledger::Deed};

mod panel;
mod session;

/// A wallet that is no party to anything.
const STRANGER: Address = Address::new_from_array([0xee; 32]);

/// A transaction as it really happened, with its accounts open to tampering.
struct Record {
    world: World,
    instructions: Vec<Instruction>,
    payer: Address,
    before: Vec<(Address, Account)>,
    after: Vec<(Address, Account)>,
    fee: u64,
    logs: Vec<String>,
    /// Seconds by which it pretends to have happened earlier.
    early: i64,
}

impl Record {
    fn of(world: &World, batch: impl Batch) -> Self {
        let (payer, instructions) = (world.fee_payer, batch.instructions());
        let metas = instructions
            .iter()
            .flat_map(|instruction| &instruction.accounts);
        let mut addresses = vec![payer, INCINERATOR, STRANGER];
        for meta in metas {
            if !addresses.contains(&meta.pubkey) {
                addresses.push(meta.pubkey);
            }
        }
        let read = |world: &World| -> Vec<(Address, Account)> {
            let account = |at: &Address| (*at, world.account(at).unwrap_or_default());
            addresses.iter().map(account).collect()
        };
        let mut later = world.clone();
        let outcome = later.send(instructions.clone()).accepted();
        Self {
            before: read(world),
            after: read(&later),
            world: world.clone(),
            instructions,
            payer,
            fee: outcome.fee,
            logs: outcome.logs,
            early: 0,
        }
    }

    fn account(&mut self, at: Address) -> &mut Account {
        let found = self.after.iter_mut().find(|(address, _)| *address == at);
        &mut found.unwrap().1
    }

    fn stranger(&mut self) -> &mut Account {
        self.account(STRANGER)
    }

    /// Changes a decoded account after the transaction.
    fn edit<T: Layout>(&mut self, at: Address, edit: impl FnOnce(&mut T)) -> &mut Self {
        let account = self.account(at);
        let mut data: T = decode(&account.data).unwrap();
        edit(&mut data);
        account.data = encode(&data);
        self
    }

    /// Moves lamports from one account to another after the transaction.
    fn shift(&mut self, from: Address, to: Address, lamports: u64) -> &mut Self {
        self.account(from).lamports -= lamports;
        self.account(to).lamports += lamports;
        self
    }

    fn enter(&self, accepted: bool) -> Result<(), String> {
        let world = &self.world;
        let deed = Deed {
            instructions: &self.instructions,
            payer: self.payer,
            fee: self.fee,
            accepted,
            before: &self.before,
            after: &self.after,
            slot: world.slot(),
            now: UnixSeconds(world.now().0 - self.early),
            slot_hashes: &world.slot_hashes().0,
            logs: &self.logs,
        };
        let entered = world
            .ledger()
            .clone()
            .enter(&deed, |bytes| world.rent(bytes));
        entered.map_err(|violation| violation.to_string())
    }

    #[track_caller]
    fn violates(&self, invariant: u8) {
        let found = self.enter(true).unwrap_err();
        let expected = format!("invariant {invariant} violated");
        assert!(
            found.starts_with(&expected),
            "expected {expected}, found {found}"
        );
    }
}

struct Stage {
    world: World,
    provider: Provider,
    model: Model,
}

impl Stage {
    fn new() -> Self {
        let mut world = World::new();
        Self {
            provider: world.do_provider(),
            model: world.do_model_register(),
            world,
        }
    }

    fn claim(&mut self) -> (Record, Job) {
        let job = self.world.do_job_create(&self.model);
        let call = self.world.job_claim(&job, &self.provider);
        (Record::of(&self.world, call), job)
    }

    fn finalize(&mut self) -> (Record, Job) {
        let job = self.world.do_committed_job(&self.model, &self.provider);
        let call = self.world.job_finalize(&job, &self.provider);
        (Record::of(&self.world, call), job)
    }

    fn late(&mut self) -> (Record, Job) {
        let job = self.world.do_claimed_job(&self.model, &self.provider);
        self.world.pass(1_000);
        let call = self.world.job_expire(&job);
        (Record::of(&self.world, call), job)
    }
}

#[test]
fn true_records_pass() {
    let mut stage = Stage::new();
    for (record, _) in [stage.claim(), stage.finalize(), stage.late()] {
        record.enter(true).unwrap();
    }
}

#[test]
fn lamports_out_of_nowhere_are_noticed() {
    let (mut record, _) = Stage::new().claim();
    record.stranger().lamports += 1;
    record.violates(1);
}

#[test]
fn a_fee_that_was_not_paid_is_noticed() {
    let (mut record, _) = Stage::new().claim();
    record.fee += 1;
    record.violates(1);
}

#[test]
fn money_fields_without_lamports_are_noticed() {
    let mut stage = Stage::new();
    let (mut record, job) = stage.claim();
    record.edit(job.account, |job: &mut JobData| job.escrow += 1);
    record.violates(1);
    let (mut record, _) = stage.finalize();
    record.edit(stage.provider.account, |data: &mut ProviderData| {
        data.earnings += 1
    });
    record.violates(1);
}

#[test]
fn lamports_taken_from_an_account_are_noticed() {
    let mut stage = Stage::new();
    let (mut record, job) = stage.claim();
    record.shift(job.account, STRANGER, 1);
    record.violates(1);
}

#[test]
fn lamports_that_no_field_counts_are_noticed() {
    let mut stage = Stage::new();
    let (mut record, job) = stage.finalize();
    record.shift(job.requester, job.account, 1);
    record.violates(1);
}

#[test]
fn wrong_reservations_are_noticed() {
    let mut stage = Stage::new();
    let provider = stage.provider.account;
    let (mut record, _) = stage.claim();
    record.edit(provider, |data: &mut ProviderData| data.reserved -= 1);
    record.violates(7);
    let (mut record, _) = stage.claim();
    record.edit(provider, |data: &mut ProviderData| data.live_jobs += 1);
    record.violates(2);
    let (mut record, _) = stage.claim();
    record.edit(provider, |data: &mut ProviderData| data.live_seats = 1);
    record.violates(2);
}

#[test]
fn unlisted_transitions_are_noticed() {
    let mut stage = Stage::new();
    for status in [JobStatus::Settled, JobStatus::Faulted, JobStatus::Committed] {
        let (mut record, job) = stage.claim();
        record.edit(job.account, |job: &mut JobData| job.status = status as u8);
        record.violates(3);
    }
    let (mut record, job) = stage.claim();
    record.edit(job.account, |job: &mut JobData| job.status = 11);
    record.violates(3);
}

#[test]
fn changes_without_a_sequence_number_are_noticed() {
    let mut stage = Stage::new();
    let (mut record, job) = stage.claim();
    record.edit(job.account, |job: &mut JobData| job.sequence -= 1);
    record.violates(3);
}

#[test]
fn changed_terms_are_noticed() {
    let mut stage = Stage::new();
    let changes: [fn(&mut JobData); 4] = [
        |job| job.ceiling += 1,
        |job| job.requester = Address::new_from_array([9; 32]),
        |job| job.fee_bps += 1,
        |job| job.challenge_secs -= 1,
    ];
    for change in changes {
        let (mut record, job) = stage.claim();
        record.edit(job.account, change);
        record.violates(3);
    }
}

#[test]
fn a_wrong_price_or_attempt_is_noticed() {
    let mut stage = Stage::new();
    let (mut record, job) = stage.claim();
    record.edit(job.account, |job: &mut JobData| job.price += 1);
    record.violates(3);
    let (mut record, job) = stage.late();
    record.edit(job.account, |job: &mut JobData| job.attempt -= 1);
    record.violates(3);
}

#[test]
fn a_claim_after_its_deadline_is_noticed() {
    let mut stage = Stage::new();
    let (mut record, _) = stage.claim();
    record.world.pass(121);
    record.violates(3);
}

#[test]
fn an_exchanged_commitment_is_noticed() {
    let mut stage = Stage::new();
    let (mut record, job) = stage.finalize();
    record.edit(job.account, |job: &mut JobData| job.commitment = [9; 32]);
    record.violates(6);
}

#[test]
fn a_refund_to_somebody_else_is_noticed() {
    let mut stage = Stage::new();
    let (mut record, job) = stage.finalize();
    record.shift(job.requester, STRANGER, 1);
    record.violates(4);
}

#[test]
fn a_slash_that_is_not_burned_is_noticed() {
    let mut stage = Stage::new();
    let (mut record, job) = stage.late();
    record.shift(INCINERATOR, job.requester, SOL / 20);
    record.violates(4);
}

#[test]
fn a_slash_of_another_size_is_noticed() {
    let mut stage = Stage::new();
    let provider = stage.provider.account;
    let (mut record, _) = stage.late();
    record.edit(provider, |data: &mut ProviderData| {
        data.stake -= 1;
        data.total_slashed += 1;
    });
    record.shift(provider, INCINERATOR, 1);
    record.violates(7);
}

#[test]
fn stake_lowered_by_an_operator_is_noticed() {
    let mut stage = Stage::new();
    let provider = stage.provider.account;
    let (mut record, _) = stage.claim();
    record.edit(provider, |data: &mut ProviderData| data.stake -= 1);
    record.shift(provider, STRANGER, 1);
    record.violates(7);
    let (mut record, _) = stage.claim();
    record.edit(provider, |data: &mut ProviderData| {
        data.operator = Address::zeroed()
    });
    record.violates(7);
}

#[test]
fn an_account_at_another_address_is_noticed() {
    let mut stage = Stage::new();
    let job = stage.world.new_job(&stage.model);
    let call = stage.world.job_create(&job);
    let mut record = Record::of(&stage.world, call);
    record.edit(job.account, |job: &mut JobData| job.index += 1);
    record.violates(6);
}

#[test]
fn an_address_that_lives_twice_is_noticed() {
    let mut stage = Stage::new();
    let job = stage.world.do_settled_job(&stage.model, &stage.provider);
    stage.world.pass_open_slot(&job);
    let create = stage.world.job_create(&job);
    let call = stage.world.job_close(&job);
    let mut record = Record::of(&stage.world, call);
    record.world.send(stage.world.job_close(&job)).accepted();
    std::mem::swap(&mut record.before, &mut record.after);
    // The closed job comes back as it was: played backwards, the close is a creation.
    record.instructions = vec![create.instruction];
    record.fee = 0;
    let payer = record.payer;
    record.account(payer).lamports = record.before[0].1.lamports;
    record.edit(job.account, |job: &mut JobData| job.sequence = 1);
    record.violates(6);
}

#[test]
fn an_early_close_is_noticed() {
    let mut stage = Stage::new();
    let job = stage.world.do_settled_job(&stage.model, &stage.provider);
    let mut later = stage.world.clone();
    later.pass_open_slot(&job);
    let call = later.job_close(&job);
    let mut record = Record::of(&later, call);
    record.world = stage.world.clone();
    record.violates(4);
}

#[test]
fn a_refused_transaction_with_effects_is_noticed() {
    let (record, _) = Stage::new().claim();
    let found = record.enter(false).unwrap_err();
    assert!(
        found.starts_with("invariant 3 violated: a refused transaction changed"),
        "{found}"
    );
}

#[test]
fn a_missing_or_untrue_event_is_noticed() {
    let mut stage = Stage::new();
    let (mut record, _) = stage.claim();
    record.logs.clear();
    record.violates(3);
    let (mut record, _) = stage.claim();
    let (other, _) = stage.claim();
    record.logs = other.logs;
    record.violates(3);
    let (mut record, _) = stage.finalize();
    let twice = record.logs.clone();
    record.logs.extend(twice);
    record.violates(3);
}
