//! Where all lamports are, before and after.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use assay_client::{
    address, instruction::EarningsWithdraw, program::INCINERATOR, protocol::Address,
};
use assay_tests::e2e::{Books, Provider, Requester, Stage};
use solana_signer::Signer as _;

use crate::screen::{Screen, grouped, signed};

/// A job's address must not be used again, so it can be closed only when its slot is this many seconds old.
const CLOSABLE_AFTER_SECS: u32 = 120;

/// All accounts at one moment, and what their wallets had paid to the network by then.
pub struct Snapshot {
    books: Books,
    network: u64,
}

impl Snapshot {
    pub fn take(stage: &Stage, wallets: &[Address]) -> Result<Self> {
        let fees = wallets.iter().map(|wallet| stage.network_fees(wallet));
        Ok(Self {
            network: fees.sum::<Result<u64>>()?,
            books: Books::read(stage, wallets)?,
        })
    }

    fn at(&self, address: &Address) -> u64 {
        self.books.accounts.get(address).copied().unwrap_or(0)
    }

    /// Every account that is not in the list.
    fn rest(&self, named: &BTreeMap<Address, &str>) -> u64 {
        let rest = self
            .books
            .accounts
            .iter()
            .filter(|(address, _)| !named.contains_key(address));
        rest.map(|(_, lamports)| lamports).sum()
    }
}

/// Pays out: the rent of the jobs to the requester, the earnings to the provider, the fees to the treasury.
pub fn take_home(
    screen: &Screen,
    stage: &Stage,
    requester: &Requester,
    provider: &Provider,
    jobs: &[Address],
) -> Result<()> {
    screen.fact(
        "clock",
        &format!("{CLOSABLE_AFTER_SECS} s forward: only then can jobs be closed"),
    );
    stage.chain.time_travel_by(CLOSABLE_AFTER_SECS)?;
    for job in jobs {
        let closed = requester.close(stage, job)?;
        screen.transaction("job_close", &closed, "requester");
    }
    let authority = provider.authority.pubkey();
    let withdraw = EarningsWithdraw {
        authority,
        destination: authority,
    };
    let withdrawn = stage.send(
        "earnings_withdraw",
        withdraw.instruction(),
        &[&provider.authority],
    )?;
    screen.transaction("earnings_withdraw", &withdrawn, "authority");
    Ok(())
}

/// Shows both moments and says whether every lamport is accounted for.
pub fn compare(
    screen: &Screen,
    before: &Snapshot,
    after: &Snapshot,
    requester: &Requester,
    provider: &Provider,
) -> Result<bool> {
    let rows = [
        ("requester", requester.address()),
        ("provider's wallet", provider.authority.pubkey()),
        ("provider's stake", provider.address),
        ("worker's key", provider.operator.pubkey()),
        ("market's treasury", address::treasury()),
        ("burned by slashes", INCINERATOR),
    ];
    let named: BTreeMap<Address, &str> = rows.iter().map(|(name, key)| (*key, *name)).collect();
    let row = |name: &str, one: u64, other: u64| {
        let change = signed(one, other);
        screen.line(&format!(
            "   {name:<24}{:>17}{:>17}{change:>15}",
            grouped(one),
            grouped(other)
        ));
    };
    let head = format!(
        "   {:<24}{:>17}{:>17}{:>15}",
        "lamports", "before", "after", "change"
    );
    screen.line(&screen.dim(&head));
    for (name, key) in rows {
        row(name, before.at(&key), after.at(&key));
    }
    row(
        "market, model (rent)",
        before.rest(&named),
        after.rest(&named),
    );
    let network = after
        .network
        .checked_sub(before.network)
        .context("fees only grow")?;
    row("fees to the network", 0, network);
    let sum = |books: &Books, fees: u64| u64::try_from(books.total()).map(|all| all + fees);
    let (one, other) = (sum(&before.books, 0)?, sum(&after.books, network)?);
    row("all together", one, other);
    Ok(one == other)
}
