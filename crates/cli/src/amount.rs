//! Lamports, lengths of time and moments, as people write and read them.

use std::{fmt, str::FromStr};

use chrono::DateTime;

/// Lamports in one SOL.
const SOL: u64 = 1_000_000_000;
const DECIMALS: usize = 9;

/// An amount of lamports, written as SOL unless it says `lamports`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount(pub u64);

impl FromStr for Amount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lower = text.trim().to_ascii_lowercase().replace('_', "");
        if let Some(number) = lower
            .strip_suffix("lamports")
            .or(lower.strip_suffix("lamport"))
        {
            return number
                .trim()
                .parse()
                .map(Self)
                .map_err(|_| format!("{text:?} is no whole number of lamports"));
        }
        let number = lower.strip_suffix("sol").unwrap_or(&lower).trim();
        sol(number).map(Self).ok_or_else(|| {
            format!(
                "{text:?} is no amount; write SOL with up to 9 decimals (0.001) or 1000lamports"
            )
        })
    }
}

fn sol(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && part.is_empty())
        || !digits(whole)
        || !digits(part)
        || part.len() > DECIMALS
    {
        return None;
    }
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let part: u64 = format!("{part:0<DECIMALS$}").parse().ok()?;
    whole.checked_mul(SOL)?.checked_add(part)
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:0DECIMALS$}", grouped(self.0 / SOL), self.0 % SOL);
        let text = text.trim_end_matches('0').trim_end_matches('.');
        f.pad(&format!("{text} SOL"))
    }
}

/// A number with a comma at every thousand.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// SOL and the same in lamports.
pub fn exact(lamports: u64) -> String {
    format!("{} ({} lamports)", Amount(lamports), grouped(lamports))
}

/// A length of time in seconds, written 30s, 5m, 2h or 1d.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub u32);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("{text:?} is no length of time; write 30s, 5m, 2h or 1d");
        let text = text.trim();
        let (number, unit) = match text.strip_suffix(['s', 'm', 'h', 'd']) {
            Some(number) => (number, text.chars().last()),
            None => (text, None),
        };
        let factor = match unit {
            None | Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3_600,
            Some(_) => 86_400,
        };
        let number: u32 = number.parse().map_err(|_| wrong())?;
        number.checked_mul(factor).map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0;
        let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
        let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
        let parts: Vec<String> = [(days, 'd'), (hours, 'h'), (minutes, 'm'), (rest, 's')]
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, unit)| format!("{number}{unit}"))
            .collect();
        let text = if parts.is_empty() {
            "0s".to_owned()
        } else {
            parts.join(" ")
        };
        f.pad(&text)
    }
}

/// A chance in basis points, written 5%, 0.5% or 100%.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(pub u16);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong =
            || format!("{text:?} is no chance; write 5%, 0.5% or 100%, with at most two decimals");
        // A bare 5 could mean five percent, or always, or a ten-thousandth.
        let number = text.trim().strip_suffix('%').ok_or_else(wrong)?.trim();
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && part.is_empty())
            || !digits(whole)
            || !digits(part)
            || part.len() > 2
        {
            return Err(wrong());
        }
        let bps = format!("{whole}{part:0<2}").parse::<u16>();
        bps.ok()
            .filter(|bps| *bps <= 10_000)
            .map(Self)
            .ok_or_else(wrong)
    }
}

/// How long from `now` until `then`; nothing if it is over.
pub fn until(then: i64, now: i64) -> Span {
    Span(u32::try_from(then.saturating_sub(now).max(0)).unwrap_or(u32::MAX))
}

/// A moment in UTC; "-" for none.
pub fn moment(unix_seconds: i64) -> String {
    if unix_seconds == 0 {
        return "-".to_owned();
    }
    DateTime::from_timestamp(unix_seconds, 0).map_or_else(
        || format!("unix second {unix_seconds}"),
        |time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

/// Basis points as a percentage.
pub fn percent(bps: u16) -> String {
    let text = format!("{}.{:02}", bps / 100, bps % 100);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A number of bytes.
pub fn bytes(count: u64) -> String {
    for (unit, size) in [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if count >= size {
            let tenths = count.saturating_mul(10) / size;
            return format!("{}.{} {unit}", tenths / 10, tenths % 10).replace(".0 ", " ");
        }
    }
    format!("{count} B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_as_sol_or_lamports() {
        let read = |text: &str| text.parse::<Amount>().map(|amount| amount.0);
        assert_eq!(read("1"), Ok(1_000_000_000));
        assert_eq!(read("0.001"), Ok(1_000_000));
        assert_eq!(read(".5 SOL"), Ok(500_000_000));
        assert_eq!(read("0.000000001sol"), Ok(1));
        assert_eq!(read("5_000lamports"), Ok(5_000));
        assert_eq!(read("1lamport"), Ok(1));
        for wrong in [
            "",
            ".",
            "-1",
            "1.0000000001",
            "1e9",
            "1.5lamports",
            "99999999999999",
            "1,5",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn amounts_show_without_trailing_zeros() {
        assert_eq!(Amount(0).to_string(), "0 SOL");
        assert_eq!(Amount(1).to_string(), "0.000000001 SOL");
        assert_eq!(Amount(1_500_000_000).to_string(), "1.5 SOL");
        assert_eq!(Amount(1_234_000_000_000).to_string(), "1,234 SOL");
        assert_eq!(exact(2_000_000), "0.002 SOL (2,000,000 lamports)");
    }

    #[test]
    fn spans_read_back_as_they_show() {
        let read = |text: &str| text.parse::<Span>().map(|span| span.0);
        assert_eq!(
            (read("90"), read("90s"), read("5m")),
            (Ok(90), Ok(90), Ok(300))
        );
        assert_eq!((read("2h"), read("1d")), (Ok(7_200), Ok(86_400)));
        for wrong in ["", "s", "5 min", "-1s", "1.5h", "99999999d"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Span(90_061).to_string(), "1d 1h 1m 1s");
        assert_eq!(Span(0).to_string(), "0s");
        assert_eq!(until(10, 20), Span(0));
    }

    #[test]
    fn chances_need_their_percent_sign() {
        let read = |text: &str| text.parse::<Rate>().map(|rate| rate.0).ok();
        assert_eq!(
            (read("5%"), read("0.5 %"), read("100%")),
            (Some(500), Some(50), Some(10_000))
        );
        assert_eq!(
            (read("0%"), read(".01%"), read("33.33%")),
            (Some(0), Some(1), Some(3_333))
        );
        for wrong in [
            "5", "", "%", ".%", "-1%", "100.01%", "0.001%", "1e1%", "five%",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn moments_rates_and_sizes_show_for_people() {
        assert_eq!(moment(1_700_000_000), "2023-11-14 22:13:20 UTC");
        assert_eq!(moment(0), "-");
        assert_eq!(
            (percent(200), percent(5), percent(1_000)),
            ("2 %".into(), "0.05 %".into(), "10 %".into())
        );
        assert_eq!(
            (bytes(27_104), bytes(1 << 20), bytes(5)),
            ("26.4 KiB".into(), "1 MiB".into(), "5 B".into())
        );
    }
}
