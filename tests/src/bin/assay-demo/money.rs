//! Where all lamports are, before and after.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use assay_client::{
    address, instruction::EarningsWithdraw, program::INCINERATOR, protocol::Address,
};
use assay_tests::e2e::{Books, Landed, Provider, Requester, Stage};
use solana_signer::Signer as _;

use crate::screen::{Screen, grouped, signed};

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

    /// Lamports of these accounts together.
    fn at(&self, accounts: &[Address]) -> u64 {
        let held = accounts
            .iter()
            .map(|address| self.books.accounts.get(address));
        held.flatten().sum()
    }

    /// Every account that is not in the list.
    fn rest(&self, named: &BTreeSet<Address>) -> u64 {
        let rest = self
            .books
            .accounts
            .iter()
            .filter(|(address, _)| !named.contains(address));
        rest.map(|(_, lamports)| lamports).sum()
    }
}

/// Pays out: the rent of the jobs, which are old enough by now, to the requester, earnings to their providers, fees to
/// the treasury.
pub fn take_home(
    screen: &Screen,
    stage: &Stage,
    requester: &Requester,
    providers: &[(&str, Provider)],
    jobs: &[Address],
) -> Result<()> {
    let close = |job| requester.close(stage, job);
    let closed: Vec<Landed> = jobs.iter().map(close).collect::<Result<_>>()?;
    screen.transactions("job_close", &closed.iter().collect::<Vec<_>>(), "requester");
    let mut withdrawn = Vec::new();
    for (_, provider) in providers {
        if provider.data(stage)?.earnings == 0 {
            continue;
        }
        let authority = provider.authority.pubkey();
        let withdraw = EarningsWithdraw {
            authority,
            destination: authority,
        };
        let instruction = withdraw.instruction();
        withdrawn.push(stage.send("earnings_withdraw", instruction, &[&provider.authority])?);
    }
    let withdrawn: Vec<&Landed> = withdrawn.iter().collect();
    screen.transactions("earnings_withdraw", &withdrawn, "authorities");
    Ok(())
}

/// Shows both moments and says whether every lamport is accounted for.
pub fn compare(
    screen: &Screen,
    before: &Snapshot,
    after: &Snapshot,
    requester: &Requester,
    providers: &[(&str, Provider)],
) -> Result<bool> {
    let mut rows = vec![("requester".to_owned(), vec![requester.address()])];
    for (name, provider) in providers {
        // Stake and earnings, the wallet, and the worker's key.
        let (wallet, key) = (provider.authority.pubkey(), provider.operator.pubkey());
        rows.push(((*name).to_owned(), vec![provider.address, wallet, key]));
    }
    rows.push(("market's treasury".to_owned(), vec![address::treasury()]));
    rows.push(("burned by slashes".to_owned(), vec![INCINERATOR]));
    let named: BTreeSet<Address> = rows.iter().flat_map(|(_, keys)| keys).copied().collect();
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
    for (name, keys) in &rows {
        row(name, before.at(keys), after.at(keys));
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
