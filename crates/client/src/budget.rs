//! What a transaction may use, and what it offers for it.

use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_instruction::Instruction;

/// Bytes of accounts that any of the program's transactions loads at most: the program's code (below 300 KB, and room
/// for an upgrade), the accounts and 64 bytes for each. The default of 64 MiB would cost 16,384 units of block space.
pub const LOADED_ACCOUNTS_BYTES: u32 = 1 << 20;

/// Bytes of a transaction that the network carries at most.
pub const PACKET_BYTES: usize = 1_232;

/// What the chain takes for a signature, by its rules of today.
pub const LAMPORTS_PER_SIGNATURE: u64 = 5_000;

/// Most compute units that a transaction can ask for.
pub const MAX_COMPUTE_UNITS: u32 = 1_400_000;

/// Limit for a transaction that used `simulated` units: a tenth more and a little, because bump searches and
/// balances may differ when it lands.
pub const fn compute_limit(simulated: u64) -> u32 {
    let limit = simulated
        .saturating_add(simulated / 10)
        .saturating_add(1_000);
    if limit >= MAX_COMPUTE_UNITS as u64 {
        return MAX_COMPUTE_UNITS;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "below the maximum, which fits u32"
    )]
    let limit = limit as u32;
    limit
}

/// What a transaction asks of the compute budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub compute_units: u32,
    pub loaded_accounts_bytes: u32,
    /// Priority fee in micro-lamports a compute unit; 0 for none.
    pub unit_price: u64,
}

impl Budget {
    /// For simulating: everything allowed, and the same instructions as in the final transaction, so that they are
    /// counted.
    pub const fn generous(unit_price: u64) -> Self {
        Self {
            compute_units: MAX_COMPUTE_UNITS,
            loaded_accounts_bytes: LOADED_ACCOUNTS_BYTES,
            unit_price,
        }
    }

    /// For sending what was simulated to use this many units.
    pub const fn simulated(units: u64, unit_price: u64) -> Self {
        Self {
            compute_units: compute_limit(units),
            loaded_accounts_bytes: LOADED_ACCOUNTS_BYTES,
            unit_price,
        }
    }

    /// The instructions that go first in the transaction.
    pub fn instructions(&self) -> Vec<Instruction> {
        let mut instructions = vec![
            ComputeBudgetInstruction::set_compute_unit_limit(self.compute_units),
            ComputeBudgetInstruction::set_loaded_accounts_data_size_limit(
                self.loaded_accounts_bytes,
            ),
        ];
        if self.unit_price > 0 {
            instructions.push(ComputeBudgetInstruction::set_compute_unit_price(
                self.unit_price,
            ));
        }
        instructions
    }

    /// Lamports of the priority fee, rounded up as the chain does.
    pub fn priority_fee(&self) -> u64 {
        let micro = u128::from(self.compute_units).saturating_mul(u128::from(self.unit_price));
        u64::try_from(micro.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compute_limit_leaves_room_and_never_exceeds_the_maximum() {
        assert_eq!(compute_limit(0), 1_000);
        assert_eq!(compute_limit(5_000), 6_500);
        assert_eq!(compute_limit(u64::MAX), MAX_COMPUTE_UNITS);
    }

    #[test]
    fn priority_fee_is_rounded_up() {
        let budget = Budget {
            compute_units: 1_500,
            unit_price: 1_000,
            ..Budget::generous(0)
        };
        assert_eq!(budget.priority_fee(), 2);
        assert_eq!(budget.instructions().len(), 3);
        assert_eq!(Budget::generous(0).instructions().len(), 2);
    }
}
