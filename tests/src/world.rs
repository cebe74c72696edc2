//! One chain with its market, clock, wallets and the ledger that watches every transaction.

use assay_client::{
    PROGRAM_ID,
    account::{self, Layout},
    address,
    budget::PACKET_BYTES,
    program::SYSTEM_PROGRAM,
    protocol::{
        Address, Digest, JobData, MarketData, ModelData, ProviderData, TreasuryData, UnixSeconds,
        market::MarketParams,
    },
};
use litesvm::LiteSVM;
use solana_account::Account;
use solana_clock::Clock;
use solana_instruction::Instruction;
use solana_message::{Message, VersionedMessage};
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;

use crate::{
    Batch, Outcome, chain,
    ledger::{Deed, Ledger},
    panel::OPENER,
    proxy::unfolded,
};

/// One SOL in lamports.
pub const SOL: u64 = 1_000_000_000;
/// What wallets start with.
const WALLET_LAMPORTS: u64 = 1_000 * SOL;

/// A chain under observation.
#[derive(Clone)]
pub struct World {
    chain: LiteSVM,
    ledger: Ledger,
    /// Pays the fees of every transaction that names nobody else; no party to anything.
    pub fee_payer: Address,
    /// The market's authority.
    pub authority: Address,
    wallets: u64,
}

impl World {
    /// The program without a market.
    pub fn without_market() -> Self {
        let mut world = Self {
            chain: chain::fresh(),
            ledger: Ledger::default(),
            fee_payer: Address::default(),
            authority: chain::UPGRADE_AUTHORITY,
            wallets: 0,
        };
        world.retain_every_slot();
        world.fee_payer = world.wallet();
        world.fund(chain::UPGRADE_AUTHORITY, WALLET_LAMPORTS);
        world.fund(OPENER, WALLET_LAMPORTS);
        world
    }

    /// A market with the parameters of a local network.
    pub fn new() -> Self {
        Self::with_params(MarketParams::LOCAL)
    }

    /// A market with these parameters.
    pub fn with_params(params: MarketParams) -> Self {
        let mut world = Self::without_market();
        world.do_market_init(params);
        world
    }

    // Wallets. Addresses follow from the order of the calls, so every run sees the same ones.

    /// A new wallet with more than any test spends.
    pub fn wallet(&mut self) -> Address {
        let wallet = self.key();
        self.fund(wallet, WALLET_LAMPORTS);
        wallet
    }

    /// A new address without an account.
    pub fn key(&mut self) -> Address {
        self.wallets += 1;
        Address::new_from_array(Digest::of(&[b"wallet", &self.wallets.to_le_bytes()]).0)
    }

    /// Sets a wallet's balance from outside the economy; the account need not exist.
    pub fn fund(&mut self, wallet: Address, lamports: u64) {
        assert!(
            !self.ledger.holds(&wallet),
            "the program's accounts are not funded from outside"
        );
        self.put_account(
            wallet,
            Account {
                lamports,
                owner: SYSTEM_PROGRAM,
                ..Account::default()
            },
        );
    }

    /// Puts an account that is not the program's at an address, as another program would leave it.
    pub fn put_account(&mut self, at: Address, account: Account) {
        self.chain
            .set_account(at, account)
            .expect("the account is no malformed sysvar or program");
    }

    /// Puts a forged account of the program where the ledger does not look: for `bypass`, whose instructions must all
    /// be refused.
    pub fn forge_account(&mut self, at: Address, account: Account) {
        assert!(
            !self.ledger.holds(&at),
            "a forged account must not replace a genuine one"
        );
        self.put_account(at, account);
    }

    /// A transfer by the system program, as strangers make them.
    pub fn do_transfer(&mut self, from: Address, to: Address, lamports: u64) {
        let transfer = solana_system_interface::instruction::transfer(&from, &to, lamports);
        self.send(transfer).accepted();
    }

    // Time.

    /// The moment of the chain's clock.
    pub fn now(&self) -> UnixSeconds {
        UnixSeconds(self.clock().unix_timestamp)
    }

    /// The slot of the chain's clock.
    pub fn slot(&self) -> u64 {
        self.clock().slot
    }

    /// Lets seconds pass, and the slots that belong to them.
    pub fn pass(&mut self, seconds: u32) {
        let mut clock = self.clock();
        clock.unix_timestamp += i64::from(seconds);
        clock.slot += u64::from(seconds) * 5 / 2;
        self.set_clock(&clock);
    }

    /// Lets the clock stand at this moment, no earlier than now.
    pub fn pass_to(&mut self, moment: UnixSeconds) {
        assert!(moment >= self.now(), "time does not go back");
        self.pass(moment.since(self.now()));
    }

    /// Lets slots pass while the clock's seconds stand still.
    pub fn pass_slots(&mut self, slots: u64) {
        let mut clock = self.clock();
        clock.slot += slots;
        self.set_clock(&clock);
    }

    fn set_clock(&mut self, clock: &Clock) {
        self.chain.set_sysvar(clock);
        self.retain_every_slot();
    }

    /// Lets the clock stand at this slot and moment, neither of them earlier than now.
    pub fn pass_until(&mut self, slot: u64, moment: UnixSeconds) {
        let mut clock = self.clock();
        if (clock.slot, clock.unix_timestamp) == (slot, moment.0) {
            return;
        }
        assert!(
            slot >= clock.slot && moment >= self.now(),
            "time does not go back"
        );
        (clock.slot, clock.unix_timestamp) = (slot, moment.0);
        self.set_clock(&clock);
    }

    /// Moves on to another recent blockhash.
    pub fn expire_blockhash(&mut self) {
        self.chain.expire_blockhash();
    }

    fn clock(&self) -> Clock {
        self.chain.get_sysvar()
    }

    // State.

    pub fn market(&self) -> MarketData {
        self.read(&address::market())
    }

    pub fn treasury(&self) -> TreasuryData {
        self.read(&address::treasury())
    }

    pub fn provider(&self, account: &Address) -> ProviderData {
        self.read(account)
    }

    pub fn model(&self, account: &Address) -> ModelData {
        self.read(account)
    }

    pub fn job(&self, account: &Address) -> JobData {
        self.read(account)
    }

    /// Lamports of any account; 0 where there is none.
    pub fn balance(&self, address: &Address) -> u64 {
        self.chain.get_balance(address).unwrap_or_default()
    }

    pub fn account(&self, address: &Address) -> Option<Account> {
        self.chain.get_account(address)
    }

    /// Whether the program holds an account at this address.
    pub fn exists(&self, address: &Address) -> bool {
        self.account(address)
            .is_some_and(|account| account.owner == PROGRAM_ID)
    }

    /// Rent minimum of an account of this many bytes.
    pub fn rent(&self, bytes: usize) -> u64 {
        self.chain.minimum_balance_for_rent_exemption(bytes)
    }

    /// What the ledger counted so far.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(crate) fn read<T: Layout>(&self, address: &Address) -> T {
        let account = self
            .account(address)
            .unwrap_or_else(|| panic!("no account at {address}"));
        account::decode_owned(&account.owner, &account.data)
            .unwrap_or_else(|error| panic!("{address}: {error}"))
    }

    // Transactions.

    /// Sends one transaction and holds its effects against the protocol's invariants.
    #[must_use = "say whether the transaction is to be accepted or refused"]
    #[track_caller]
    pub fn send(&mut self, batch: impl Batch) -> Outcome {
        self.send_from(self.fee_payer, batch)
    }

    /// Sends one transaction whose fees this wallet pays.
    #[must_use = "say whether the transaction is to be accepted or refused"]
    #[track_caller]
    pub fn send_from(&mut self, payer: Address, batch: impl Batch) -> Outcome {
        let instructions = batch.instructions();
        let (transaction, bytes) = self.transaction(payer, &instructions);
        assert!(
            bytes <= PACKET_BYTES,
            "invariant 8: {bytes} bytes exceed a packet of {PACKET_BYTES}"
        );
        let addresses = transaction.message.static_account_keys().to_vec();
        let before = self.accounts(&addresses);
        let sent = self.chain.send_transaction(transaction);
        // A precompile that refuses writes no log, and its transaction still pays its fee.
        let (error, ran, meta) = match sent {
            Ok(meta) => (None, true, meta),
            Err(failed) => {
                let stopped = matches!(failed.err, TransactionError::InstructionError(..));
                let ran = stopped || !failed.meta.logs.is_empty();
                (Some(failed.err), ran, failed.meta)
            }
        };
        let deed = Deed {
            instructions: &unfolded(&instructions),
            payer,
            // A transaction that never ran costs nothing.
            fee: if ran { meta.fee } else { 0 },
            accepted: error.is_none(),
            before: &before,
            after: &self.accounts(&addresses),
            slot: self.slot(),
            now: self.now(),
            slot_hashes: &self.slot_hashes().0,
            logs: &meta.logs,
        };
        let rent = |bytes| self.chain.minimum_balance_for_rent_exemption(bytes);
        if let Err(violation) = self.ledger.enter(&deed, rent) {
            panic!("{violation}\n{instructions:#?}\n{}", meta.logs.join("\n"));
        }
        Outcome::of(error, meta, bytes, addresses.len())
    }

    /// How a transaction whose fees this wallet pays would end now. Nothing changes.
    pub fn preview(&self, payer: Address, batch: impl Batch) -> Outcome {
        let (transaction, bytes) = self.transaction(payer, &batch.instructions());
        let accounts = transaction.message.static_account_keys().len();
        let (error, meta) = match self.chain.simulate_transaction(transaction) {
            Ok(simulated) => (None, simulated.meta),
            Err(failed) => (Some(failed.err), failed.meta),
        };
        Outcome::of(error, meta, bytes, accounts)
    }

    /// A transaction of these instructions, with the bytes that it travels as.
    fn transaction(
        &self,
        payer: Address,
        instructions: &[Instruction],
    ) -> (VersionedTransaction, usize) {
        let blockhash = self.chain.latest_blockhash();
        let message = Message::new_with_blockhash(instructions, Some(&payer), &blockhash);
        let signatures = usize::from(message.header.num_required_signatures);
        let bytes = bytes_of(&message);
        let transaction = VersionedTransaction {
            signatures: vec![Signature::default(); signatures],
            message: VersionedMessage::Legacy(message),
        };
        (transaction, bytes)
    }

    fn accounts(&self, addresses: &[Address]) -> Vec<(Address, Account)> {
        let read = |address: &Address| (*address, self.account(address).unwrap_or_default());
        addresses.iter().map(read).collect()
    }
}

/// Bytes of a transaction as it travels.
pub fn transaction_bytes(payer: &Address, instructions: &[Instruction]) -> usize {
    bytes_of(&Message::new(instructions, Some(payer)))
}

/// One byte counts the signatures, of which a packet holds fewer than 128.
fn bytes_of(message: &Message) -> usize {
    1 + 64 * usize::from(message.header.num_required_signatures) + message.serialize().len()
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}
