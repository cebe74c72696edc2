//! Sessions of the wallet that are on chain and not in the ledger.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use assay_chain::{Error, Found};
use assay_client::{
    address, filter,
    protocol::{Address, SessionData},
};
use assay_gateway::reconcile::{Known, follow};

use crate::{context::Context, plain::plain};

/// A session without a key at hand.
pub type Lost = Found<SessionData>;

/// Said before such sessions are closed, and where they are listed.
pub const MEANING: &str = "a session that is unknown to this ledger is another ledger's, or its ledger was lost. No \
                           voucher can be signed for it here: the close request pays nothing, the provider has the \
                           grace time to settle the vouchers that it holds, and what it leaves comes back with the \
                           close. Whoever still uses it has to do without it then";

/// What the chain has of the wallet beside the ledger. Sessions that the ledger takes for ended, and that are still
/// there, are corrected in `known`. What the node shows and cannot be right is told and left out.
pub async fn look(context: &Context, wallet: &Address, known: &mut [Known]) -> Vec<Lost> {
    let mine = [filter::session_requester(wallet)];
    match context.cluster.list_each(&mine).await {
        Ok(listed) => {
            let (lost, wrong) = sort(listed, wallet, known);
            for why in wrong {
                context.say(format_args!("left out: {}", plain(&why)));
            }
            lost
        }
        Err(error) => {
            context.say(format_args!(
                "sessions that this ledger does not know could not be looked for: {}",
                plain(&error.to_string())
            ));
            Vec::new()
        }
    }
}

fn sort(
    listed: Vec<Result<Lost, Error>>,
    wallet: &Address,
    known: &mut [Known],
) -> (Vec<Lost>, Vec<String>) {
    // A node may name an account twice.
    let mut lost = BTreeMap::new();
    let mut wrong = Vec::new();
    for found in listed {
        let checked = found.map_err(anyhow::Error::from);
        match checked.and_then(|found| check(found, wallet)) {
            Ok(found) => {
                let row = known.iter_mut().find(|it| it.row.address == found.address);
                match row {
                    Some(known) if known.chain.is_none() => {
                        known.row =
                            follow(known.row.clone(), Some(&found.data), found.data.open_slot);
                        known.chain = Some(found.data);
                    }
                    Some(_) => {}
                    None => {
                        lost.insert(found.address, found);
                    }
                }
            }
            Err(error) => wrong.push(format!("{error:#}")),
        }
    }
    (lost.into_values().collect(), wrong)
}

/// Passes on a session of this wallet, at the address that its own data lead to; a node can show anything.
///
/// # Errors
/// When it is another's, or the data belong elsewhere.
pub fn check(found: Lost, wallet: &Address) -> Result<Lost> {
    let Found { address, data } = &found;
    if data.requester != *wallet {
        bail!(
            "the session {address} is paid by {}, not by this wallet {wallet}, which cannot ask for its close",
            data.requester
        );
    }
    let derived = address::session(&data.requester, &data.provider, data.open_slot, data.index);
    if derived != *address {
        bail!(
            "the node shows a session at {address} whose data belong to {derived}; it cannot be right, ask another \
             with --url"
        );
    }
    Ok(found)
}

#[cfg(test)]
pub mod tests;
