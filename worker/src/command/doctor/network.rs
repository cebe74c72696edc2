//! RPC endpoints, the chain's clock, the websocket.

use assay_client::delivery::MAX_SKEW_SECS;

use super::{Patient, report::Report};
use crate::{
    chain::{Clock, EndpointHealth, EndpointState, inspect},
    wall_clock,
};

/// Slots that endpoints may lie apart before it is said.
const APART: u64 = 20;
/// Seconds between the chain's clock and this machine's, from which on it is said.
const SKEW: u64 = 60;

/// The chain's clock, if anybody tells it.
pub async fn check(report: &mut Report, patient: &Patient) -> Option<Clock> {
    let Some(chain) = &patient.chain else {
        report.broken(
            "rpc",
            "chain.rpc names no endpoint that can be asked",
            "set chain.rpc to the url of an RPC endpoint",
        );
        return None;
    };
    // Two rounds: the first says who is there, the second gives slots and times to compare.
    chain.check().await;
    let clock = chain.clock().await;
    chain.check().await;
    let health = chain.health();
    let newest = health.endpoints.iter().filter_map(|one| one.slot).max();
    for endpoint in &health.endpoints {
        one_endpoint(report, endpoint, newest);
    }
    if let Some(genesis) = &health.genesis {
        report.good("chain", format!("genesis {genesis}"));
    }
    let clock = match clock {
        Ok(clock) => {
            skew(report, clock);
            Some(clock)
        }
        Err(error) => {
            report.broken(
                "chain clock",
                error.to_string(),
                "check chain.rpc, the network and the provider's limits",
            );
            None
        }
    };
    websocket(report, patient).await;
    clock
}

fn one_endpoint(report: &mut Report, endpoint: &EndpointHealth, newest: Option<u64>) {
    let name = "rpc";
    let latency = endpoint
        .latency_ms
        .map_or_else(String::new, |latency| format!(", {latency} ms"));
    let lag = newest
        .zip(endpoint.slot)
        .map(|(newest, slot)| newest.saturating_sub(slot));
    let slots = lag.map_or_else(String::new, |lag| {
        format!(", {lag} slots behind the newest")
    });
    let host = &endpoint.name;
    let said = endpoint.last_error.as_deref().unwrap_or("no reason given");
    match endpoint.state {
        EndpointState::Healthy if lag.is_none_or(|lag| lag <= APART) => {
            report.good(name, format!("{host}{latency}{slots}"));
        }
        EndpointState::Healthy | EndpointState::Behind => report.notice(
            name,
            format!("{host}{latency}{slots}"),
            "put a better one first in chain.rpc",
        ),
        EndpointState::Slow => report.notice(
            name,
            format!("{host} is slow{latency}{slots}"),
            "put one that is nearer first in chain.rpc",
        ),
        EndpointState::Limited => report.notice(
            name,
            format!("{host} wants to be asked less: {said}"),
            "lower chain.requests_per_second, or take a plan with more",
        ),
        EndpointState::Foreign => report.broken(
            name,
            format!("{host} serves another chain, or one without the program: {said}"),
            "take it out of chain.rpc",
        ),
        EndpointState::Failing | EndpointState::Unchecked => report.broken(
            name,
            format!("{host} does not answer: {said}"),
            "check the url and the key in it, the network, and whether the node runs",
        ),
    }
}

fn skew(report: &mut Report, clock: Clock) {
    let name = "clock";
    let difference = wall_clock().saturating_sub(clock.time.0);
    let finding = match difference {
        0 => "this machine's and the chain's agree".to_owned(),
        1.. => format!("this machine is {difference} s ahead of the chain"),
        ..0 => format!(
            "this machine is {} s behind the chain",
            difference.unsigned_abs()
        ),
    };
    let fix =
        "timedatectl set-ntp true; if this machine's time is right, the RPC endpoint is stuck";
    match difference.unsigned_abs() {
        apart if apart > MAX_SKEW_SECS.unsigned_abs() => report.broken(
            name,
            format!("{finding}: requests signed by requesters are refused as stale"),
            fix,
        ),
        apart if apart > SKEW => report.notice(name, finding, fix),
        _ => report.good(name, finding),
    }
}

async fn websocket(report: &mut Report, patient: &Patient) {
    let name = "websocket";
    let urls = patient.config.chain.websocket.urls();
    if urls.is_empty() {
        report.notice(
            name,
            format!(
                "none: new jobs are seen up to {} ms late, and more requests are made",
                patient.config.chain.poll_ms
            ),
            "set chain.websocket",
        );
    }
    for url in urls {
        match inspect::first_slot(&url, patient.patience).await {
            Ok(slot) => report.good(
                name,
                format!("{} is alive: told of slot {slot}", host(&url)),
            ),
            Err(reason) => report.notice(
                name,
                format!("{}: {reason}; jobs are seen by polling alone", host(&url)),
                "check chain.websocket: often the RPC endpoint's url with wss://",
            ),
        }
    }
}

/// Paths and queries hold keys.
fn host(url: &str) -> String {
    let url = url::Url::parse(url).ok();
    let authority = url.as_ref().map(|url| url.authority().to_owned());
    authority.map_or_else(String::new, |name| {
        name.rsplit('@').next().unwrap_or_default().to_owned()
    })
}
