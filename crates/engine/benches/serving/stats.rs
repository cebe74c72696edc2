//! Quantiles, and ratios of them.

use std::time::Duration;

pub fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// The smallest time that at least so many in a thousand kept within.
pub fn quantile(times: &[Duration], per_mille: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len().saturating_mul(per_mille)).div_ceil(1_000);
    sorted
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

pub fn quantile_micros(times: &[Duration], per_mille: usize) -> f64 {
    micros(quantile(times, per_mille))
}

/// The middle of some figures; of an even number, the mean of the two in the middle.
pub fn middle(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    let upper = sorted.get(half).copied().unwrap_or(f64::NAN);
    if sorted.len() % 2 == 1 {
        return upper;
    }
    let lower = half.checked_sub(1).and_then(|at| sorted.get(at));
    lower.map_or(f64::NAN, |lower| f64::midpoint(*lower, upper))
}

/// `1.07 (1.05 to 1.09)`: the middle of what the rounds gave, and how far they lie apart.
pub fn spread(figures: &[f64]) -> String {
    let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let most = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{:.2} ({least:.2} to {most:.2})", middle(figures))
}
