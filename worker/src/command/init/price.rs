//! What a job costs, and what to ask for it. Whole numbers throughout; costs are rounded up.

use assay_client::budget::Budget;
use serde::Serialize;

use crate::command::amount::decimal;

/// Lamports that the chain takes for the one signature of a transaction.
const SIGNATURE: u64 = 5_000;
/// What a job takes when nothing goes wrong, with the compute units of each as measured in
/// tests/bench/compute.json.
const TRANSACTIONS: [(&str, u64); 3] = [("claim", 1_024), ("commit", 1_027), ("finalize", 1_618)];

/// What the arithmetic is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Costs {
    /// Of one run.
    pub run_micros: u64,
    /// Watts, price of a kilowatt hour and price of one SOL, each in millionths; both prices in the
    /// same currency.
    pub watts: u64,
    pub electricity: u64,
    pub sol_price: u64,
    /// Most micro-lamports that the worker offers for a compute unit.
    pub max_unit_price: u64,
    /// Beyond the costs, in percent of them.
    pub margin_percent: u32,
    /// The market's share of a price, in basis points.
    pub market_fee_bps: u16,
}

/// The parts of a price, in lamports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    pub signatures: u64,
    /// At most.
    pub priority_fees: u64,
    pub energy: u64,
    pub margin: u64,
    pub market_share: u64,
    pub price: u64,
}

/// The least price that covers the costs with their margin; none if it does not fit.
pub fn suggest(costs: &Costs) -> Option<Suggestion> {
    let signatures = u64::try_from(TRANSACTIONS.len())
        .ok()?
        .checked_mul(SIGNATURE)?;
    let priority = |units| Budget::simulated(units, costs.max_unit_price).priority_fee();
    let priority_fees = TRANSACTIONS
        .iter()
        .try_fold(0_u64, |sum, (_, units)| sum.checked_add(priority(*units)))?;
    let energy = energy_lamports(costs)?;
    let sum = signatures.checked_add(priority_fees)?.checked_add(energy)?;
    let margin = share(sum, u128::from(costs.margin_percent), 100)?;
    let wanted = sum.checked_add(margin)?;
    // What is left of the price after the market's share must be what is wanted.
    let kept = 10_000_u128.checked_sub(u128::from(costs.market_fee_bps))?;
    let price = share(wanted, 10_000, kept)?;
    Some(Suggestion {
        signatures,
        priority_fees,
        energy,
        margin,
        market_share: price.checked_sub(wanted)?,
        price,
    })
}

/// Seconds times watts are joules; 3.6 million joules are a kilowatt hour, a SOL is a billion
/// lamports.
fn energy_lamports(costs: &Costs) -> Option<u64> {
    let microjoules = u128::from(costs.run_micros)
        .checked_mul(u128::from(costs.watts))?
        .div_ceil(1_000_000);
    let numerator = microjoules
        .checked_mul(u128::from(costs.electricity))?
        .checked_mul(1_000_000_000)?;
    let denominator = 1_000_000_u128
        .checked_mul(3_600_000)?
        .checked_mul(u128::from(costs.sol_price))?;
    if denominator == 0 {
        return None;
    }
    u64::try_from(numerator.div_ceil(denominator)).ok()
}

/// `value * numerator / denominator`, rounded up.
fn share(value: u64, numerator: u128, denominator: u128) -> Option<u64> {
    if denominator == 0 {
        return None;
    }
    u64::try_from(
        u128::from(value)
            .checked_mul(numerator)?
            .div_ceil(denominator),
    )
    .ok()
}

/// The arithmetic, line by line.
pub fn explain(costs: &Costs, suggestion: &Suggestion) -> String {
    let names: Vec<&str> = TRANSACTIONS.iter().map(|(name, _)| *name).collect();
    let seconds = decimal(costs.run_micros);
    let lines = [
        (
            format!(
                "{} transactions ({}) of {SIGNATURE} each",
                names.len(),
                names.join(", ")
            ),
            suggestion.signatures,
        ),
        (
            format!(
                "their priority fees, at most {} micro-lamports a unit",
                costs.max_unit_price
            ),
            suggestion.priority_fees,
        ),
        (
            format!(
                "energy: {seconds} s x {} W, {} a kWh, {} a SOL",
                decimal(costs.watts),
                decimal(costs.electricity),
                decimal(costs.sol_price)
            ),
            suggestion.energy,
        ),
        (
            format!("margin of {} %", costs.margin_percent),
            suggestion.margin,
        ),
        (
            format!(
                "the market's share of {} %",
                decimal(u64::from(costs.market_fee_bps).saturating_mul(10_000))
            ),
            suggestion.market_share,
        ),
        (
            "suggested policy.min_price_lamports".to_owned(),
            suggestion.price,
        ),
    ];
    lines
        .iter()
        .map(|(what, lamports)| format!("  {what:<62} {lamports:>12}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COSTS: Costs = Costs {
        run_micros: 2_000_000,
        watts: 360_000_000,
        electricity: 250_000,
        sol_price: 100_000_000,
        max_unit_price: 0,
        margin_percent: 50,
        market_fee_bps: 200,
    };

    #[test]
    fn price_covers_fees_energy_margin_and_the_market() {
        // 720 J are 0.0002 kWh, which is 0.00005 of the currency: 500 lamports.
        let suggestion = suggest(&COSTS).unwrap();
        assert_eq!((suggestion.signatures, suggestion.energy), (15_000, 500));
        assert_eq!(suggestion.margin, 7_750);
        assert_eq!(suggestion.price, 23_725);
        let parts = [
            suggestion.signatures,
            suggestion.priority_fees,
            suggestion.energy,
            suggestion.margin,
            suggestion.market_share,
        ];
        assert_eq!(parts.iter().sum::<u64>(), suggestion.price);
        // The market takes its share rounded down, so what is left is at least what was wanted.
        let share = suggestion.price * 200 / 10_000;
        assert!(suggestion.price - share >= 23_250);
        let text = explain(&COSTS, &suggestion);
        assert!(
            text.contains("energy: 2 s x 360 W, 0.25 a kWh, 100 a SOL"),
            "{text}"
        );
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
    }

    #[test]
    fn priority_fees_are_counted_at_the_most_that_may_be_offered() {
        let costs = Costs {
            max_unit_price: 100_000,
            ..COSTS
        };
        // Limits of 2126, 2129 and 2779 units.
        assert_eq!(suggest(&costs).unwrap().priority_fees, 213 + 213 + 278);
    }

    #[test]
    fn prices_that_cannot_be_are_none() {
        for costs in [
            Costs {
                sol_price: 0,
                ..COSTS
            },
            Costs {
                market_fee_bps: 10_000,
                ..COSTS
            },
            Costs {
                run_micros: u64::MAX,
                watts: u64::MAX,
                electricity: u64::MAX,
                ..COSTS
            },
        ] {
            assert_eq!(suggest(&costs), None, "{costs:?}");
        }
    }
}
