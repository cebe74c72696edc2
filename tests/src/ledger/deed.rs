//! One transaction as the ledger sees it.

use std::fmt;

use assay_client::{
    PROGRAM_ID, account, discriminator,
    instruction::{self, InstructionSpec},
    program::INCINERATOR,
    protocol::{Address, JobData, ProviderData, UnixSeconds},
    slot_hashes::SlotHash,
};
use solana_account::Account;
use solana_instruction::Instruction;
use solana_sdk_ids::{compute_budget, ed25519_program};

/// A transaction with every account it names, before and after, in the same order.
#[derive(Clone, Copy)]
pub struct Deed<'a> {
    pub instructions: &'a [Instruction],
    pub payer: Address,
    pub fee: u64,
    pub accepted: bool,
    pub before: &'a [(Address, Account)],
    pub after: &'a [(Address, Account)],
    pub slot: u64,
    pub now: UnixSeconds,
    /// Newest first, as the transaction saw them.
    pub slot_hashes: &'a [SlotHash],
    pub logs: &'a [String],
}

/// A broken invariant, numbered as in the protocol's list.
#[derive(Debug)]
pub struct Violation {
    invariant: u8,
    detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "invariant {} violated: {}",
            self.invariant, self.detail
        )
    }
}

pub(super) fn ensure(
    holds: bool,
    invariant: u8,
    detail: impl FnOnce() -> String,
) -> Result<(), Violation> {
    if holds {
        Ok(())
    } else {
        Err(Violation {
            invariant,
            detail: detail(),
        })
    }
}

/// An instruction of the program within a transaction.
#[derive(Clone, Copy)]
pub(super) struct Act<'a> {
    pub spec: &'static InstructionSpec,
    instruction: &'a Instruction,
}

impl<'a> Act<'a> {
    /// None where it is no instruction of the program.
    pub fn of(instruction: &'a Instruction) -> Option<Self> {
        let spec = instruction::ALL.iter().find(|spec| {
            instruction.program_id == PROGRAM_ID
                && instruction
                    .data
                    .starts_with(&discriminator::instruction(spec.name))
        })?;
        Some(Self { spec, instruction })
    }

    /// The account at this name, if the instruction has one of that name.
    pub fn account(&self, name: &str) -> Option<Address> {
        let position = self
            .spec
            .accounts
            .iter()
            .position(|account| account.name == name)?;
        self.instruction
            .accounts
            .get(position)
            .map(|meta| meta.pubkey)
    }

    /// The last argument of job_finalize: behind two secrets of 32 bytes.
    pub fn is_acknowledged(&self) -> bool {
        self.instruction
            .data
            .get(8 + 64)
            .is_some_and(|byte| *byte != 0)
    }

    /// The first argument, of instructions that take one amount.
    pub fn amount(&self) -> u64 {
        let bytes = self.argument(0, 8).try_into();
        bytes.map_or(0, u64::from_le_bytes)
    }

    /// The first argument, of instructions that take one u32.
    pub fn small_argument(&self) -> u32 {
        let bytes = self.argument(0, 4).try_into();
        bytes.map_or(0, u32::from_le_bytes)
    }

    /// Bytes of the arguments; none where they are cut.
    pub fn argument(&self, from: usize, length: usize) -> &[u8] {
        let data = self.instruction.data.get(8 + from..8 + from + length);
        data.unwrap_or_default()
    }
}

impl Deed<'_> {
    /// The program's instructions in the transaction.
    pub(super) fn acts(&self) -> impl Iterator<Item = Act<'_>> {
        self.instructions.iter().filter_map(Act::of)
    }

    /// The name of the program's instruction where the transaction has exactly one.
    pub(super) fn only_instruction(&self) -> Option<&'static str> {
        let mut acts = self.acts();
        let first = acts.next()?;
        acts.next().is_none().then_some(first.spec.name)
    }

    /// The job at this address before the transaction.
    pub(super) fn job(&self, address: &Address) -> Option<JobData> {
        let found = self.before.iter().find(|(each, _)| each == address);
        found.and_then(|(_, account)| account::decode(&account.data).ok())
    }

    /// The provider at this address before the transaction.
    pub(super) fn provider(&self, address: &Address) -> Option<ProviderData> {
        let found = self.before.iter().find(|(each, _)| each == address);
        found.and_then(|(_, account)| account::decode(&account.data).ok())
    }

    /// Whether a panel speaks among other instructions: then only sums are known, no single step.
    pub(super) fn is_mixed_verdict(&self) -> bool {
        self.only_instruction().is_none() && self.acts().any(|act| act.spec.name == "panel_resolve")
    }

    /// Whether nobody but the program moved lamports.
    pub(super) fn is_pure(&self) -> bool {
        self.instructions.iter().all(|instruction| {
            [PROGRAM_ID, compute_budget::ID, ed25519_program::ID].contains(&instruction.program_id)
        })
    }

    pub(super) fn gain(&self, address: &Address) -> i128 {
        let find = |accounts: &[(Address, Account)]| {
            let found = accounts.iter().find(|(each, _)| each == address);
            i128::from(found.map_or(0, |(_, account)| account.lamports))
        };
        find(self.after) - find(self.before)
    }

    /// Lamports that reached the incinerator.
    pub(super) fn burned(&self) -> u64 {
        u64::try_from(self.gain(&INCINERATOR)).unwrap_or_default()
    }

    /// Invariant 1: lamports neither appear nor vanish, but for the fee.
    pub(super) fn conserves(&self) -> Result<(), Violation> {
        let sum = |accounts: &[(Address, Account)]| {
            accounts
                .iter()
                .map(|(_, account)| u128::from(account.lamports))
                .sum::<u128>()
        };
        let (before, after) = (sum(self.before), sum(self.after));
        ensure(before == after + u128::from(self.fee), 1, || {
            format!(
                "{before} lamports became {after}, with a fee of {}",
                self.fee
            )
        })
    }

    /// A refused transaction takes its fee and nothing else.
    pub(super) fn changes_nothing(&self) -> Result<(), Violation> {
        for ((address, before), (_, after)) in self.before.iter().zip(self.after) {
            let mut expected = before.clone();
            if *address == self.payer {
                expected.lamports -= self.fee;
            }
            let same = expected.lamports == after.lamports
                && expected.data == after.data
                && expected.owner == after.owner;
            ensure(same, 3, || {
                format!("a refused transaction changed {address}")
            })?;
        }
        Ok(())
    }
}
