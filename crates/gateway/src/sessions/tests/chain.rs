//! A chain in memory: the program's own rules on accounts, without a virtual machine.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use assay_client::{
    address, discriminator,
    protocol::{
        Address, Lamports, ProviderData, SessionData, args::SessionOpenArgs,
        session::SessionOpening, text,
    },
};
use bytemuck::Zeroable;
use futures_util::future::BoxFuture;
use solana_instruction::Instruction;
use solana_signature::Signature;
use tokio::sync::Notify;

use crate::chain::{Chain, ChainError, Fate, Sent};

pub const WALLET: Address = Address::new_from_array([42; 32]);

#[derive(Default)]
pub struct MemoryChain {
    pub providers: Mutex<Vec<(Address, ProviderData)>>,
    pub sessions: Mutex<BTreeMap<Address, SessionData>>,
    pub slot: AtomicU32,
    /// How often the list of providers was asked for.
    pub lists: AtomicU32,
    pub unreachable: AtomicBool,
    /// The next transaction is lost, and its sender does not learn of it.
    pub lose: AtomicBool,
    /// Told of each question that was not answered for that.
    pub refused: Notify,
    /// The next transaction lands, and its sender does not learn of it.
    pub forget: AtomicBool,
    /// The next transaction lands, and its sender is told that it cannot any more.
    pub expire: AtomicBool,
    /// The next transaction lands, and its sender learns of it only then.
    pub late: Mutex<Option<Arc<Notify>>>,
    /// Told of each transaction that has landed.
    pub landed: Notify,
    pub submitted: Mutex<Vec<&'static str>>,
    /// Of transactions that landed.
    signatures: Mutex<BTreeSet<Signature>>,
}

impl MemoryChain {
    pub fn register(&self, operator: Address, endpoint: &str) -> Address {
        let mut providers = self.providers.lock().unwrap();
        let account = Address::new_from_array([100 + u8::try_from(providers.len()).unwrap(); 32]);
        let mut data = ProviderData::zeroed();
        data.operator = operator;
        data.generation = 5;
        (data.endpoint, data.endpoint_len) = text::write(endpoint).ok().unwrap();
        providers.push((account, data));
        account
    }

    pub fn set_operator(&self, account: &Address, operator: Address) {
        let mut providers = self.providers.lock().unwrap();
        let found = providers.iter_mut().find(|(found, _)| found == account);
        found.unwrap().1.operator = operator;
    }

    pub fn count(&self, purpose: &str) -> usize {
        let submitted = self.submitted.lock().unwrap();
        submitted.iter().filter(|found| **found == purpose).count()
    }

    fn answer(&self) -> Result<(), ChainError> {
        if self.unreachable.load(Ordering::SeqCst) {
            self.refused.notify_one();
            return Err(ChainError::Unreachable {
                url: "http://chain.test".to_owned(),
                text: "connection refused".to_owned(),
            });
        }
        Ok(())
    }

    fn execute(&self, instruction: &Instruction) {
        let accounts = &instruction.accounts;
        let (name, args) = instruction.data.split_at(8);
        let mut sessions = self.sessions.lock().unwrap();
        if name == discriminator::instruction("session_open") {
            let args: SessionOpenArgs = bytemuck::pod_read_unaligned(args);
            let (requester, provider) = (accounts[0].pubkey, accounts[2].pubkey);
            let expected = address::session(&requester, &provider, args.open_slot, args.index);
            assert_eq!(accounts[3].pubkey, expected);
            let at = SessionOpening {
                requester,
                provider,
                generation: 5,
                bump: 255,
                fee_bps: 200,
            };
            let mut data = SessionData::zeroed();
            let slot = u64::from(self.slot.load(Ordering::SeqCst));
            data.open(&at, &args, slot).unwrap();
            assert!(sessions.insert(expected, data).is_none());
        } else if name == discriminator::instruction("session_top_up") {
            let data = sessions.get_mut(&accounts[2].pubkey).unwrap();
            let amount = bytemuck::pod_read_unaligned(args);
            data.add(Lamports(amount)).unwrap();
        } else {
            panic!("the gateway sends nothing else by itself");
        }
    }
}

impl Chain for MemoryChain {
    fn payer(&self) -> Address {
        WALLET
    }

    fn cluster(&self) -> BoxFuture<'_, Result<[u8; 32], ChainError>> {
        Box::pin(async { self.answer().map(|()| [6; 32]) })
    }

    fn slot(&self) -> BoxFuture<'_, Result<u64, ChainError>> {
        Box::pin(async {
            self.answer()
                .map(|()| u64::from(self.slot.load(Ordering::SeqCst)))
        })
    }

    fn providers(&self) -> BoxFuture<'_, Result<Vec<(Address, ProviderData)>, ChainError>> {
        Box::pin(async {
            self.lists.fetch_add(1, Ordering::SeqCst);
            self.answer()?;
            Ok(self.providers.lock().unwrap().clone())
        })
    }

    fn provider<'a>(
        &'a self,
        address: &'a Address,
    ) -> BoxFuture<'a, Result<Option<ProviderData>, ChainError>> {
        Box::pin(async move {
            self.answer()?;
            let providers = self.providers.lock().unwrap();
            let found = providers.iter().find(|(account, _)| account == address);
            Ok(found.map(|(_, data)| *data))
        })
    }

    fn sessions<'a>(
        &'a self,
        addresses: &'a [Address],
    ) -> BoxFuture<'a, Result<Vec<Option<SessionData>>, ChainError>> {
        Box::pin(async {
            self.answer()?;
            let sessions = self.sessions.lock().unwrap();
            Ok(addresses
                .iter()
                .map(|address| sessions.get(address).copied())
                .collect())
        })
    }

    fn submit(
        &self,
        purpose: &'static str,
        instructions: Vec<Instruction>,
    ) -> BoxFuture<'_, Result<Signature, ChainError>> {
        Box::pin(async move {
            self.answer()?;
            let number = {
                let mut submitted = self.submitted.lock().unwrap();
                submitted.push(purpose);
                u8::try_from(submitted.len()).unwrap()
            };
            let sent = Sent {
                signature: Signature::from([number; 64]),
                last_height: u64::from(self.slot.load(Ordering::SeqCst)) + 150,
            };
            let unknown = || {
                Err(ChainError::Unknown {
                    purpose,
                    sent,
                    text: "connection reset".to_owned(),
                })
            };
            if self.lose.swap(false, Ordering::SeqCst) {
                return unknown();
            }
            instructions.iter().for_each(|each| self.execute(each));
            self.signatures.lock().unwrap().insert(sent.signature);
            self.landed.notify_one();
            let late = self.late.lock().unwrap().take();
            if let Some(late) = late {
                late.notified().await;
            }
            if self.forget.swap(false, Ordering::SeqCst) {
                return unknown();
            }
            if self.expire.swap(false, Ordering::SeqCst) {
                return Err(ChainError::Expired { purpose, sent });
            }
            Ok(sent.signature)
        })
    }

    fn fate(&self, sent: Sent) -> BoxFuture<'_, Result<Fate, ChainError>> {
        Box::pin(async move {
            self.answer()?;
            let slot = u64::from(self.slot.load(Ordering::SeqCst));
            let landed = self.signatures.lock().unwrap().contains(&sent.signature);
            Ok(match landed {
                true => Fate::Landed(slot),
                false if slot > sent.last_height => Fate::Expired,
                false => Fate::Open,
            })
        })
    }
}
