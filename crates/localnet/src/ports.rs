//! Where the two servers of the chain listen.
//!
//! Solana's clients derive the websocket port from the HTTP one by adding 1 when they are given only one URL, so the
//! chain keeps to that.

use std::net::{Ipv4Addr, TcpListener};

use crate::LocalnetError;

/// The ports of one chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    pub rpc: u16,
    pub ws: u16,
}

/// A free pair is found at the first try unless thousands of ports are taken.
const TRIES: u32 = 64;

/// Takes the ports asked for, or any two neighbours that are free.
pub(crate) fn choose(rpc: Option<u16>, ws: Option<u16>) -> Result<Ports, LocalnetError> {
    let Some(rpc) = rpc.filter(|port| *port != 0) else {
        return any_pair(ws);
    };
    let ws = match ws.filter(|port| *port != 0) {
        Some(ws) => ws,
        None => next(rpc)?,
    };
    check(rpc, "HTTP")?;
    check(ws, "websocket")?;
    Ok(Ports { rpc, ws })
}

fn any_pair(ws: Option<u16>) -> Result<Ports, LocalnetError> {
    for _ in 0..TRIES {
        let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let Ok(rpc_listener) = free(0) else { continue };
        let Ok(address) = rpc_listener.local_addr() else {
            continue;
        };
        let rpc = address.port();
        if let Some(ws) = ws.filter(|port| *port != 0) {
            check(ws, "websocket")?;
            return Ok(Ports { rpc, ws });
        }
        let Ok(ws) = next(rpc) else { continue };
        if free(ws).is_ok() {
            return Ok(Ports { rpc, ws });
        }
    }
    Err(LocalnetError::NoFreePorts { tries: TRIES })
}

fn next(port: u16) -> Result<u16, LocalnetError> {
    port.checked_add(1)
        .ok_or(LocalnetError::PortTooHigh { port })
}

/// The servers bind with address reuse, so two chains could share a port without noticing; this bind does not.
fn check(port: u16, server: &'static str) -> Result<(), LocalnetError> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
        Err(source) => Err(LocalnetError::PortTaken {
            port,
            server,
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_not_given_are_neighbours() {
        let ports = choose(None, None).unwrap();
        assert_eq!(ports.ws, ports.rpc + 1);
    }

    #[test]
    fn port_in_use_is_refused_by_number() {
        let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let taken = holder.local_addr().unwrap().port();
        let error = choose(Some(taken), None).unwrap_err();
        assert!(matches!(error, LocalnetError::PortTaken { port, .. } if port == taken));
        assert!(error.to_string().contains("choose another port"));
    }

    #[test]
    fn port_without_neighbour_is_refused() {
        let error = choose(Some(u16::MAX), None).unwrap_err();
        assert!(matches!(error, LocalnetError::PortTooHigh { port: 65535 }));
    }
}
