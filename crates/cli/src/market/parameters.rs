//! The market's parameters by name: shown, set, and checked with words.

use std::str::FromStr;

use anyhow::{Result, anyhow, bail};
use assay_client::protocol::{
    limits::{MAX_FEE_BPS, MAX_TERM_LAMPORTS, MAX_UNBOND_SECS, MAX_WINDOW_SECS},
    market::MarketParams,
};

use crate::amount::{Amount, Span, bytes, exact, percent};

/// What a parameter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Lamports,
    Seconds,
    Bytes,
    BasisPoints,
}

/// One parameter.
pub struct Parameter {
    pub name: &'static str,
    unit: Unit,
    pub get: fn(&MarketParams) -> u64,
    set: fn(&mut MarketParams, u64) -> bool,
}

macro_rules! parameters {
    ($($name:ident: $unit:ident,)*) => {
        /// Every parameter, in the order in which they are shown.
        pub const PARAMETERS: &[Parameter] = &[$(Parameter {
            name: stringify!($name),
            unit: Unit::$unit,
            get: |params| u64::from(params.$name),
            set: |params, value| value.try_into().map(|value| params.$name = value).is_ok(),
        },)*];
    };
}

parameters! {
    fee_bps: BasisPoints,
    min_stake: Lamports,
    ticket_stake: Lamports,
    max_ceiling: Lamports,
    deterrence_bps: BasisPoints,
    stake_age_secs: Seconds,
    unbond_secs: Seconds,
    min_claim_secs: Seconds,
    max_claim_secs: Seconds,
    min_compute_secs: Seconds,
    max_compute_secs: Seconds,
    min_challenge_secs: Seconds,
    max_challenge_secs: Seconds,
    panel_open_secs: Seconds,
    panel_join_secs: Seconds,
    panel_commit_secs: Seconds,
    panel_reveal_secs: Seconds,
    max_input_bytes: Bytes,
    max_output_bytes: Bytes,
}

impl Parameter {
    /// The value for people.
    pub fn show(&self, params: &MarketParams) -> String {
        let value = (self.get)(params);
        match self.unit {
            Unit::Lamports => exact(value),
            Unit::Seconds => Span(u32::try_from(value).unwrap_or(u32::MAX)).to_string(),
            Unit::Bytes => bytes(value),
            Unit::BasisPoints => match u16::try_from(value) {
                Ok(bps) => percent(bps),
                Err(_) => format!("{} %", value / 100),
            },
        }
    }
}

/// `NAME=VALUE` of a parameter; amounts and times as elsewhere, or plain numbers of the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    position: usize,
    value: u64,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
        let known = || {
            PARAMETERS
                .iter()
                .map(|parameter| parameter.name)
                .collect::<Vec<_>>()
                .join(", ")
        };
        let position = PARAMETERS
            .iter()
            .position(|parameter| parameter.name == name)
            .ok_or_else(|| format!("there is no parameter {name:?}; there are {}", known()))?;
        let unit = PARAMETERS.get(position).map(|parameter| parameter.unit);
        let value = match unit {
            Some(Unit::Lamports) => value.parse::<Amount>()?.0,
            Some(Unit::Seconds) => u64::from(value.parse::<Span>()?.0),
            Some(Unit::Bytes | Unit::BasisPoints) | None => value
                .parse()
                .map_err(|_| format!("{value:?} is no whole number"))?,
        };
        Ok(Self { position, value })
    }
}

/// Sets values and checks the result.
pub fn apply(params: &mut MarketParams, settings: &[Setting]) -> Result<()> {
    for setting in settings {
        let parameter = PARAMETERS
            .get(setting.position)
            .ok_or_else(|| anyhow!("no such parameter"))?;
        if !(parameter.set)(params, setting.value) {
            bail!("{} is too large for {}", setting.value, parameter.name);
        }
    }
    if params.check().is_err() {
        bail!("{}", complaint(params));
    }
    Ok(())
}

/// What changes, a line each.
pub fn differences(before: &MarketParams, after: &MarketParams) -> Vec<String> {
    PARAMETERS
        .iter()
        .filter(|parameter| (parameter.get)(before) != (parameter.get)(after))
        .map(|parameter| {
            format!(
                "  {}: {} -> {}",
                parameter.name,
                parameter.show(before),
                parameter.show(after)
            )
        })
        .collect()
}

/// The rule that parameters violate, in words; the program itself answers with one number for all of them.
fn complaint(params: &MarketParams) -> String {
    let amounts = [
        ("min_stake", params.min_stake),
        ("ticket_stake", params.ticket_stake),
        ("max_ceiling", params.max_ceiling),
    ];
    for (name, value) in amounts {
        if !(1..=MAX_TERM_LAMPORTS).contains(&value) {
            return format!(
                "{name} must lie between 1 lamport and {}",
                Amount(MAX_TERM_LAMPORTS)
            );
        }
    }
    let windows = [
        ("claim", params.min_claim_secs, params.max_claim_secs),
        ("compute", params.min_compute_secs, params.max_compute_secs),
        (
            "challenge",
            params.min_challenge_secs,
            params.max_challenge_secs,
        ),
    ];
    for (name, min, max) in windows {
        if min < 1 || min > max || max > MAX_WINDOW_SECS {
            return format!(
                "1s <= min_{name}_secs <= max_{name}_secs <= {} must hold, found {} and {}",
                Span(MAX_WINDOW_SECS),
                Span(min),
                Span(max)
            );
        }
    }
    if params.fee_bps > MAX_FEE_BPS {
        return format!(
            "fee_bps must be at most {MAX_FEE_BPS} ({})",
            percent(MAX_FEE_BPS)
        );
    }
    if !(10_000..=1_000_000).contains(&params.deterrence_bps) {
        return "deterrence_bps must lie between 10000 and 1000000".to_owned();
    }
    let longest = params.longest_job_secs();
    if params.unbond_secs > MAX_UNBOND_SECS || u64::from(params.unbond_secs) <= longest {
        return format!(
            "unbond_secs must exceed the longest job life ({}) and be at most {}",
            Span(u32::try_from(longest).unwrap_or(u32::MAX)),
            Span(MAX_UNBOND_SECS)
        );
    }
    if params.max_input_bytes < 1 || params.max_output_bytes < 1 {
        return "max_input_bytes and max_output_bytes must be at least 1".to_owned();
    }
    format!(
        "panel times and stake_age_secs must be at most {}, panel times at least 1s",
        Span(MAX_WINDOW_SECS)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> Setting {
        text.parse().unwrap()
    }

    #[test]
    fn settings_take_the_units_of_their_parameter() {
        let mut params = MarketParams::PUBLIC;
        let settings = [
            set("fee_bps=150"),
            set("min_stake=2"),
            set("max_claim_secs=2h"),
        ];
        apply(&mut params, &settings).unwrap();
        assert_eq!(params.fee_bps, 150);
        assert_eq!(params.min_stake, 2_000_000_000);
        assert_eq!(params.max_claim_secs, 7_200);
        assert_eq!(differences(&MarketParams::PUBLIC, &params).len(), 3);
        assert!("fee=1".parse::<Setting>().unwrap_err().contains("fee_bps"));
        assert!("fee_bps=1.5".parse::<Setting>().is_err());
        assert!("fee_bps".parse::<Setting>().is_err());
    }

    #[test]
    fn broken_rules_are_named() {
        for (text, word) in [
            ("fee_bps=1001", "fee_bps"),
            ("fee_bps=70000", "fee_bps"),
            ("min_stake=0", "min_stake"),
            ("unbond_secs=1d", "longest job life"),
            ("min_claim_secs=7h", "claim"),
            ("deterrence_bps=1", "deterrence_bps"),
            ("panel_join_secs=0", "panel"),
            ("max_input_bytes=0", "max_input_bytes"),
        ] {
            let refused = apply(&mut MarketParams::PUBLIC.clone(), &[set(text)]).unwrap_err();
            assert!(refused.to_string().contains(word), "{text}: {refused}");
        }
    }
}
