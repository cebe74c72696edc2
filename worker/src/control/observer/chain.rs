//! How the RPC endpoints and websockets stand.

use crate::{
    chain::{EndpointHealth, EndpointState, Health, watcher::StreamHealth},
    control::snapshot::{ChainHealth, Endpoint},
};

pub(super) fn seen(health: &Health, reachable: bool) -> ChainHealth {
    let slots = health.endpoints.iter().map(|endpoint| endpoint.slot);
    let slots = slots.chain(health.websockets.iter().map(|socket| socket.slot));
    let newest = slots.flatten().max();
    let healthy = |endpoint: &EndpointHealth| endpoint.state == EndpointState::Healthy;
    let first = health.endpoints.iter().position(healthy);
    let endpoints = health.endpoints.iter().enumerate();
    let endpoints = endpoints.map(|(position, one)| endpoint(one, newest, Some(position) == first));
    let websockets = health.websockets.iter().map(|one| websocket(one, newest));
    ChainHealth {
        reachable,
        slot: newest,
        endpoints: endpoints.collect(),
        websockets: websockets.collect(),
    }
}

fn endpoint(endpoint: &EndpointHealth, newest: Option<u64>, in_use: bool) -> Endpoint {
    Endpoint {
        host: endpoint.name.clone(),
        state: name(endpoint.state).to_owned(),
        in_use,
        latency_ms: endpoint.latency_ms,
        behind: behind(newest, endpoint.slot),
        problem: endpoint.last_error.clone(),
    }
}

fn websocket(websocket: &StreamHealth, newest: Option<u64>) -> Endpoint {
    let state = if websocket.alive { "alive" } else { "silent" };
    Endpoint {
        host: websocket.name.clone(),
        state: state.to_owned(),
        in_use: websocket.alive,
        latency_ms: None,
        behind: behind(newest, websocket.slot),
        problem: websocket.last_error.clone(),
    }
}

fn behind(newest: Option<u64>, slot: Option<u64>) -> Option<u64> {
    Some(newest?.saturating_sub(slot?))
}

fn name(state: EndpointState) -> &'static str {
    match state {
        EndpointState::Healthy => "healthy",
        EndpointState::Slow => "slow",
        EndpointState::Behind => "behind",
        EndpointState::Unchecked => "unchecked",
        EndpointState::Limited => "limited",
        EndpointState::Failing => "failing",
        EndpointState::Foreign => "foreign",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_healthy_endpoint_is_in_use_and_lags_are_from_the_newest() {
        let endpoint = |state, slot| EndpointHealth {
            name: "host".into(),
            state,
            latency_ms: None,
            slot,
            failures: 0,
            rests_ms: None,
            last_error: None,
        };
        let health = Health {
            endpoints: vec![
                endpoint(EndpointState::Failing, None),
                endpoint(EndpointState::Healthy, Some(90)),
                endpoint(EndpointState::Healthy, Some(100)),
            ],
            websockets: vec![StreamHealth {
                name: "host".into(),
                alive: false,
                slot: Some(101),
                opened: 1,
                last_error: None,
            }],
            ..Health::default()
        };
        let seen = seen(&health, true);
        let in_use: Vec<bool> = seen.endpoints.iter().map(|one| one.in_use).collect();
        assert_eq!(in_use, [false, true, false]);
        let behind: Vec<Option<u64>> = seen.endpoints.iter().map(|one| one.behind).collect();
        assert_eq!(behind, [None, Some(11), Some(1)]);
        assert_eq!(seen.slot, Some(101));
        let states = [&seen.endpoints[0].state, &seen.websockets[0].state];
        assert_eq!(states, ["failing", "silent"]);
    }
}
