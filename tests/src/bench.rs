//! What every instruction and a whole job cost, measured on the real program.
//!
//! Keys and indexes are fixed and chosen so that every derived address has bump 255: the program looks for a bump from
//! 255 downwards when it creates an account, so any other key costs more by chance and would hide a change.

mod audit;
mod batch;
pub mod budget;
mod job;
mod others;
mod session;

use std::{collections::BTreeMap, fs, path::PathBuf};

use assay_client::{
    PROGRAM_ID,
    account::Layout,
    instruction,
    protocol::{
        Address, Digest, JobData, MarketData, ModelData, PanelData, ProviderData, SessionData,
        TreasuryData, seeds,
    },
};
use serde_json::{Map, Value, json};

use crate::{Batch, Model, Outcome, Provider, World, chain};

pub use audit::AuditCost;
pub use batch::BatchCost;
pub use job::JobCost;

/// What one instruction, alone in its transaction, costs at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    pub compute_units: u64,
    /// With signatures, without instructions for the compute budget.
    pub transaction_bytes: u64,
    /// Accounts that the transaction names, program and fee payer included.
    pub accounts: u64,
}

impl Cost {
    fn of(outcome: &Outcome) -> Self {
        Self {
            compute_units: outcome.compute_units,
            transaction_bytes: wide(outcome.bytes),
            accounts: wide(outcome.accounts),
        }
    }

    fn most(self, other: Self) -> Self {
        Self {
            compute_units: self.compute_units.max(other.compute_units),
            transaction_bytes: self.transaction_bytes.max(other.transaction_bytes),
            accounts: self.accounts.max(other.accounts),
        }
    }
}

/// Everything measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bench {
    /// By name; where an instruction has several ways, the dearest of them.
    pub instructions: BTreeMap<&'static str, Cost>,
    pub program_bytes: u64,
    /// By type, discriminator included.
    pub account_bytes: BTreeMap<&'static str, u64>,
    pub job: JobCost,
    /// A level-1 audit by two, beyond the job itself.
    pub audit: AuditCost,
    /// So many finalizes in one transaction.
    pub finalizes: BTreeMap<u64, BatchCost>,
}

impl Bench {
    /// Measures the program that `make program` built.
    pub fn measure() -> Self {
        let mut gauge = Gauge::default();
        others::measure(&mut gauge);
        job::measure(&mut gauge);
        audit::measure(&mut gauge);
        session::measure(&mut gauge);
        let names: Vec<_> = instruction::ALL.iter().map(|spec| spec.name).collect();
        for name in &names {
            assert!(gauge.costs.contains_key(name), "no measurement of {name}");
        }
        Self {
            instructions: gauge.costs,
            program_bytes: fs::metadata(chain::program_file())
                .expect("the program was found")
                .len(),
            account_bytes: account_bytes(),
            job: job::whole(),
            audit: audit::whole(),
            finalizes: batch::finalizes(),
        }
    }

    /// The form of `tests/bench/compute.json`.
    pub fn to_json(&self) -> Value {
        let instructions: Map<String, Value> = self
            .instructions
            .iter()
            .map(|(name, cost)| {
                let value = json!({
                    "compute_units": cost.compute_units,
                    "transaction_bytes": cost.transaction_bytes,
                    "accounts": cost.accounts,
                });
                ((*name).to_owned(), value)
            })
            .collect();
        let finalizes: Map<String, Value> = self
            .finalizes
            .iter()
            .map(|(count, cost)| {
                let value = json!({
                    "transaction_bytes": cost.transaction_bytes,
                    "compute_units": cost.compute_units,
                    "fee_lamports": cost.fee_lamports,
                });
                (count.to_string(), value)
            })
            .collect();
        json!({
            "instructions": instructions,
            "program_bytes": self.program_bytes,
            "account_bytes": self.account_bytes,
            "job": {
                "transactions": self.job.transactions,
                "compute_units": self.job.compute_units,
                "base_fee_lamports": self.job.base_fee_lamports,
                "rent_float_lamports": self.job.rent_float_lamports,
            },
            "audit": {
                "transactions": self.audit.transactions,
                "compute_units": self.audit.compute_units,
            },
            "finalizes": finalizes,
        })
    }
}

/// Where the accepted measurements are kept.
pub fn baseline_file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("bench/compute.json")
}

fn account_bytes() -> BTreeMap<&'static str, u64> {
    fn entry<T: Layout>() -> (&'static str, u64) {
        (T::NAME, wide(T::SIZE))
    }
    BTreeMap::from([
        entry::<MarketData>(),
        entry::<TreasuryData>(),
        entry::<ProviderData>(),
        entry::<ModelData>(),
        entry::<JobData>(),
        entry::<PanelData>(),
        entry::<SessionData>(),
    ])
}

/// Collects the dearest measurement of each instruction.
#[derive(Debug, Default)]
struct Gauge {
    costs: BTreeMap<&'static str, Cost>,
}

impl Gauge {
    /// Sends one instruction from the wallet that would pay for it, and notes its cost.
    #[track_caller]
    fn note(&mut self, world: &mut World, payer: Address, call: impl Into<crate::Call>) {
        let call = call.into();
        let outcome = world.send_from(payer, &call).accepted();
        let entry = self.costs.entry(call.spec.name).or_default();
        *entry = entry.most(Cost::of(&outcome));
    }
}

/// A provider, registered by itself and staked, at an address with bump 255.
fn provider(world: &mut World) -> Provider {
    let authority = key(world, |key| {
        vec![seeds::PROVIDER.to_vec(), key.as_ref().to_vec()]
    });
    let operator = world.wallet();
    Provider::of(authority, operator)
}

/// A model whose author pays for it, at an address with bump 255.
fn model(world: &mut World) -> Model {
    let digest = Digest::of(&[b"a model"]);
    let author = key(world, |key| {
        vec![
            seeds::MODEL.to_vec(),
            key.as_ref().to_vec(),
            digest.0.to_vec(),
        ]
    });
    Model::of(author, digest)
}

/// The next funded wallet for which these seeds give bump 255.
fn key(world: &mut World, seeds: impl Fn(&Address) -> Vec<Vec<u8>>) -> Address {
    loop {
        let key = world.wallet();
        let seeds = seeds(&key);
        let slices: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
        if Address::find_program_address(&slices, &PROGRAM_ID).1 == u8::MAX {
            return key;
        }
    }
}

/// Sends a whole transaction from this wallet.
#[track_caller]
fn sent(world: &mut World, payer: Address, batch: impl Batch) -> Outcome {
    world.send_from(payer, batch).accepted()
}

fn wide(value: usize) -> u64 {
    u64::try_from(value).expect("sizes fit 64 bits")
}
