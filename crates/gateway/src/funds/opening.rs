//! Opening, topping up and closing: the instructions, and what is written down before they are sent.

use assay_client::{
    address,
    instruction::{SessionCloseRequest, SessionOpen, SessionTopUp, session::proof},
    protocol::{
        Address, SessionData, Voucher,
        args::SessionOpenArgs,
        limits::{MAX_GRACE_SECS, MIN_GRACE_SECS},
    },
};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{
    providers::Provider,
    store::{SessionRow, State},
};

/// A session's terms.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    pub cluster: [u8; 32],
    /// Pays.
    pub requester: Address,
    /// Lamports.
    pub deposit: u64,
    pub grace_secs: u32,
    /// A recent slot.
    pub slot: u64,
    /// Unix seconds.
    pub now: i64,
}

/// The system gives no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes for a session key: {0}")]
pub struct NoRandomness(#[from] getrandom::Error);

/// A session with a fresh key: what to write down before the instruction is sent, and the instruction.
///
/// # Errors
/// When the system gives no random bytes.
pub fn open(provider: &Provider, terms: &Terms) -> Result<(SessionRow, Instruction), NoRandomness> {
    let mut key = [0; 32];
    getrandom::fill(&mut key)?;
    // Two sessions of one slot must not meet at one address.
    let mut start = [0; 4];
    getrandom::fill(&mut start)?;
    let found = address::cheap_session(
        &terms.requester,
        &provider.account,
        terms.slot,
        u32::from_le_bytes(start),
    );
    let grace_secs = terms.grace_secs.clamp(MIN_GRACE_SECS, MAX_GRACE_SECS);
    let open = SessionOpen {
        requester: terms.requester,
        provider: provider.account,
        args: SessionOpenArgs {
            session_key: Keypair::new_from_array(key).pubkey(),
            deposit: terms.deposit,
            open_slot: terms.slot,
            index: found.index,
            grace_secs,
        },
    };
    let row = SessionRow {
        address: found.address,
        cluster: terms.cluster,
        requester: terms.requester,
        provider: provider.account,
        generation: provider.generation,
        operator: provider.operator,
        endpoint: provider.endpoint.clone(),
        key,
        open_slot: terms.slot,
        index: found.index,
        grace_secs,
        deposit: terms.deposit,
        settled: 0,
        paid: 0,
        state: State::Opening,
        reason: String::new(),
        created_at: terms.now,
        doubt: None,
        worth: None,
    };
    Ok((row, open.instruction()))
}

/// Adds to a session's deposit.
pub fn top_up(requester: Address, session: Address, amount: u64) -> Instruction {
    SessionTopUp {
        requester,
        session,
        amount,
    }
    .instruction()
}

/// Asks for a session's close, and pays before what its receipts add up to, `owed` lamports, and nobody has settled: all
/// of it that the deposit covers. Returns how many lamports that is, with what was settled earlier.
pub fn close_request(row: &SessionRow, chain: &SessionData, owed: u64) -> (u64, Vec<Instruction>) {
    let due = owed.min(chain.deposit);
    let mut instructions = Vec::with_capacity(3);
    if due > chain.settled {
        let key = Keypair::new_from_array(row.key);
        let voucher = Voucher {
            session: row.address,
            cumulative: due,
            expires_at: i64::MAX,
        };
        let signature = key.sign_message(&voucher.to_bytes());
        instructions.push(proof(&voucher, &key.pubkey(), signature.as_array()));
        let settle = assay_client::instruction::SessionSettle {
            provider: row.provider,
            session: row.address,
        };
        instructions.push(settle.instruction());
    }
    let request = SessionCloseRequest {
        requester: row.requester,
        session: row.address,
    };
    instructions.push(request.instruction());
    (due, instructions)
}

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable as _;

    use super::*;
    use crate::store::tests;

    #[test]
    fn close_pays_what_the_deposit_covers_of_what_is_owed() {
        let row = tests::row(1);
        let mut chain = SessionData::zeroed();
        chain.deposit = 150;
        for (owed, due) in [(100, 100), (150, 150), (200, 150)] {
            let (paid, instructions) = close_request(&row, &chain, owed);
            assert_eq!((paid, instructions.len()), (due, 3));
            let voucher = Voucher {
                session: row.address,
                cumulative: due,
                expires_at: i64::MAX,
            };
            let proof = &instructions[0].data;
            let bytes = voucher.to_bytes();
            assert!(proof.windows(bytes.len()).any(|part| part == bytes));
        }
        chain.settled = 150;
        let (paid, instructions) = close_request(&row, &chain, 200);
        assert_eq!((paid, instructions.len()), (150, 1));
    }
}
