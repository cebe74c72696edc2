//! The provider's account against the configuration, its stake, and the operator's money.

use assay_client::{
    budget::Budget,
    protocol::{Lamports, MarketData, ProviderData, Seconds, UnixSeconds, market, text},
};
use solana_signer::Signer;

use super::{Patient, report::Report};
use crate::{
    chain::{Chain, Clock, RpcChain, inspect::LandingError},
    command::amount::sol,
};

/// Transactions of a job when nothing goes wrong.
const TRANSACTIONS: u64 = 3;
/// Units that the dearest of them is allowed.
const UNITS: u64 = 3_000;
/// Jobs that the operator should be able to pay for.
const FEW_JOBS: u64 = 100;

pub async fn check(
    report: &mut Report,
    patient: &Patient,
    clock: Option<Clock>,
    class: Option<[u8; 32]>,
    send: bool,
) {
    let Some(chain) = patient.chain.as_ref().filter(|_| clock.is_some()) else {
        for name in ["market", "account", "stake", "fees", "landing"] {
            report.skipped(name, "the chain does not answer");
        }
        return;
    };
    let market = market(report, chain).await;
    let account = account(report, patient, chain).await;
    if let (Some(account), Some(class)) = (&account, class) {
        registered_class(report, account, class);
    }
    match (&account, &market) {
        (Some(account), Some(market)) => stake(report, account, market, clock),
        _ => report.skipped("stake", "the account or the market is not there"),
    }
    fees(report, patient, chain, account.as_ref()).await;
    landing(report, patient, chain, send).await;
}

async fn market(report: &mut Report, chain: &RpcChain) -> Option<MarketData> {
    let name = "market";
    match chain.market().await {
        Ok(Some(market)) => {
            let paused = market.flags & market::PAUSE_JOBS != 0;
            let share = market.params.fee_bps;
            let finding = format!("takes {share} basis points of a price");
            if paused {
                report.notice(
                    name,
                    format!("{finding}; paused: no new jobs"),
                    "wait for its authority",
                );
            } else {
                report.good(name, finding);
            }
            Some(market)
        }
        Ok(None) => {
            report.broken(
                name,
                "this chain has no market",
                "check that chain.rpc is of the network that you mean",
            );
            None
        }
        Err(error) => {
            report.failed(name, &error);
            None
        }
    }
}

async fn account(report: &mut Report, patient: &Patient, chain: &RpcChain) -> Option<ProviderData> {
    let name = "account";
    let Some(address) = patient.provider() else {
        report.skipped(name, "`authority` is no address");
        return None;
    };
    let account = match chain.provider(&address).await {
        Ok(Some(account)) => account,
        Ok(None) => {
            let operator = patient
                .operator
                .as_ref()
                .map_or_else(|| "<OPERATOR>".to_owned(), |key| key.pubkey().to_string());
            report.broken(
                name,
                format!(
                    "the authority {} has registered no provider",
                    patient.config.authority
                ),
                format!(
                    "assay provider register --operator {operator} --endpoint {}",
                    patient.config.api.public_url
                ),
            );
            return None;
        }
        Err(error) => {
            report.failed(name, &error);
            return None;
        }
    };
    report.good(name, format!("provider {address}"));
    if let Some(key) = &patient.operator {
        if account.operator == key.pubkey() {
            report.good("operator", "the key here is the one registered");
        } else {
            report.broken(
                "operator",
                format!(
                    "registered is {}, the key here is of {}",
                    account.operator,
                    key.pubkey()
                ),
                format!("assay provider update --operator {}", key.pubkey()),
            );
        }
    }
    let registered = text::read(&account.endpoint, account.endpoint_len);
    let configured = &patient.config.api.public_url;
    if registered.trim_end_matches('/') == configured.trim_end_matches('/') {
        report.good("endpoint", registered);
    } else {
        report.broken(
            "endpoint",
            format!("registered is {registered:?}, and api.public_url is {configured:?}"),
            format!("correct api.public_url, or: assay provider update --endpoint {configured}"),
        );
    }
    Some(account)
}

fn registered_class(report: &mut Report, account: &ProviderData, class: [u8; 32]) {
    let name = "class";
    if account.runtime_class == class {
        report.good(name, "registered as this machine computes");
    } else {
        report.notice(
            name,
            format!(
                "registered is {}, this machine computes as {}: exact results may differ from those of its class",
                hex::encode(account.runtime_class),
                hex::encode(class)
            ),
            format!("assay provider update --runtime-class {}", hex::encode(class)),
        );
    }
}

fn stake(report: &mut Report, account: &ProviderData, market: &MarketData, clock: Option<Clock>) {
    let name = "stake";
    let params = &market.params;
    let free = account.free_stake().unwrap_or(Lamports::ZERO);
    let tickets = account
        .tickets(Lamports(params.ticket_stake))
        .unwrap_or_default();
    let finding = format!(
        "{}, {} free; {tickets} tickets for seats",
        sol(account.stake),
        sol(free.0)
    );
    let least = Lamports(params.min_stake);
    if account.stake < least.0 {
        report.broken(
            name,
            format!("{finding}; the market asks for {}", sol(least.0)),
            format!(
                "assay stake deposit {}",
                sol(least.0 - account.stake).trim_end_matches(" SOL")
            ),
        );
    } else if free == Lamports::ZERO {
        report.notice(
            name,
            format!("{finding}: no job with collateral can be claimed"),
            "wait for jobs under way, or: assay stake deposit <SOL>",
        );
    } else {
        report.good(name, finding);
    }
    let aged = UnixSeconds(account.aged_at).after(Seconds(params.stake_age_secs));
    if let (Ok(aged), Some(clock)) = (aged, clock)
        && clock.time < aged
    {
        report.notice(
            "stake's age",
            format!(
                "seats are open to it in {} s",
                aged.0.saturating_sub(clock.time.0)
            ),
            "wait; every deposit starts the time anew",
        );
    }
}

async fn fees(
    report: &mut Report,
    patient: &Patient,
    chain: &RpcChain,
    account: Option<&ProviderData>,
) {
    let name = "fees";
    let operator = patient.operator.as_ref().map(Signer::pubkey);
    let Some(operator) = operator.or(account.map(|account| account.operator)) else {
        report.skipped(name, "no operator is known");
        return;
    };
    let lamports = match chain.balance(&operator).await {
        Ok(lamports) => lamports,
        Err(error) => {
            report.failed(name, &error);
            return;
        }
    };
    let priority = Budget::simulated(UNITS, patient.config.chain.max_unit_price).priority_fee();
    let job = TRANSACTIONS.saturating_mul(priority.saturating_add(5_000));
    let jobs = lamports / job;
    let finding = format!(
        "{} on {operator}: {jobs} jobs of at most {job} lamports each",
        sol(lamports)
    );
    let fix = "assay provider fund 0.05";
    if jobs == 0 {
        report.broken(name, finding, fix);
    } else if jobs < FEW_JOBS {
        report.notice(name, finding, fix);
    } else {
        report.good(name, finding);
    }
}

async fn landing(report: &mut Report, patient: &Patient, chain: &RpcChain, send: bool) {
    let name = "landing";
    let Some(operator) = &patient.operator else {
        report.skipped(name, "there is no operator key to sign with");
        return;
    };
    let patience = patient.patience.saturating_mul(3);
    match chain.land(operator, send, patience).await {
        Ok(landing) => {
            let finding = match landing.landed_in {
                Some(took) => format!(
                    "a transfer of nothing landed in {} ms, for {} lamports",
                    took.as_millis(),
                    landing.fee
                ),
                None => format!(
                    "a transfer of nothing would land, with {} units (--send tries it)",
                    landing.units
                ),
            };
            report.good(name, finding);
        }
        Err(error @ LandingError::Late(_)) => report.broken(
            name,
            error.to_string(),
            "try another RPC endpoint first in chain.rpc, and a higher chain.max_unit_price",
        ),
        Err(error @ LandingError::Refused(_)) => report.broken(
            name,
            error.to_string(),
            "assay provider fund 0.05, if the operator has nothing to pay with",
        ),
        Err(error @ (LandingError::Chain(_) | LandingError::Sign(_))) => {
            report.broken(name, error.to_string(), "check chain.rpc and the key");
        }
    }
}
