//! Lamports in words.

/// Lamports as SOL, without rounding.
pub fn sol(lamports: u64) -> String {
    let (whole, part) = (lamports / 1_000_000_000, lamports % 1_000_000_000);
    format!("{whole}.{part:09} SOL")
}

/// The same with a sign.
pub fn signed_sol(lamports: i64) -> String {
    let sign = match lamports {
        ..0 => "-",
        0 => "",
        1.. => "+",
    };
    format!("{sign}{}", sol(lamports.unsigned_abs()))
}
