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

/// A decimal number in millionths: "0.30" is 300000. None for anything else, and for more than fits.
pub fn millionths(text: &str) -> Option<u64> {
    let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && part.is_empty()) || !digits(whole) || !digits(part) || part.len() > 6 {
        return None;
    }
    let number = |text: &str| match text {
        "" => Some(0),
        text => text.parse::<u64>().ok(),
    };
    number(whole)?
        .checked_mul(1_000_000)?
        .checked_add(number(&format!("{part:0<6}"))?)
}

/// Millionths as the shortest decimal number.
pub fn decimal(millionths: u64) -> String {
    let (whole, part) = (millionths / 1_000_000, millionths % 1_000_000);
    if part == 0 {
        return whole.to_string();
    }
    let text = format!("{whole}.{part:06}");
    text.trim_end_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_numbers_are_read_without_rounding() {
        for (text, value) in [
            ("0.30", 300_000),
            ("150", 150_000_000),
            (".5", 500_000),
            ("7.", 7_000_000),
            (" 0.000001 ", 1),
        ] {
            assert_eq!(millionths(text), Some(value), "{text}");
        }
        for text in [
            "",
            ".",
            "-1",
            "1e3",
            "0.0000001",
            "1,5",
            "99999999999999999999",
        ] {
            assert_eq!(millionths(text), None, "{text}");
        }
        assert_eq!(decimal(300_000), "0.3");
        assert_eq!(decimal(150_000_000), "150");
        assert_eq!(sol(1_500_000_000), "1.500000000 SOL");
        assert_eq!(signed_sol(-1), "-0.000000001 SOL");
    }
}
