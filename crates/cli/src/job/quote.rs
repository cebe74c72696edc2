//! What a job will cost, to the last lamport, before anything is sent.

use anyhow::Result;
use assay_client::protocol::{
    BasisPoints, Lamports, ProviderData, amount::split_price, panel::BOND_FEES,
};
use serde::Serialize;

use super::{
    auditors::Auditors,
    create::{JOB_BYTES, Plan},
    honesty::Honesty,
};
use crate::{
    amount::{Amount, Span, exact, grouped, percent},
    context::Context,
    output,
};

/// Every lamport that moves. Amounts in lamports.
#[derive(Clone, Debug, Serialize)]
pub struct Quote {
    pub unaudited: bool,
    /// Absent for an unaudited job.
    pub audit: Option<AuditQuote>,
    #[serde(rename = "price_least_lamports")]
    pub price_least: u64,
    #[serde(rename = "price_most_lamports")]
    pub price_most: u64,
    pub ramp_secs: u32,
    /// The market's share of the price; the requester pays nothing on top of the price.
    pub market_share_bps: u16,
    #[serde(rename = "market_share_most_lamports")]
    pub market_share_most: u64,
    /// Leaves the wallet with the job; what the price leaves of it comes back when the job ends.
    #[serde(rename = "escrow_lamports")]
    pub escrow: u64,
    /// Leaves the wallet with the job; comes back whole with `job close`.
    #[serde(rename = "rent_lamports")]
    pub rent: u64,
    /// Never comes back.
    #[serde(rename = "network_fee_lamports")]
    pub network_fee: u64,
    /// Leaves the wallet at once.
    #[serde(rename = "leaves_now_lamports")]
    pub leaves_now: u64,
    /// Gone for good at the end, at least and at most, without the fee of `job close`.
    #[serde(rename = "gone_least_lamports")]
    pub gone_least: u64,
    #[serde(rename = "gone_most_lamports")]
    pub gone_most: u64,
    pub compute_units: u64,
    #[serde(rename = "wallet_balance_lamports")]
    pub wallet_balance: u64,
    #[serde(rename = "collateral_lamports")]
    pub collateral: u64,
    pub claim_secs: u32,
    pub compute_secs: u32,
    pub challenge_secs: u32,
    #[serde(skip)]
    notes: Vec<String>,
    #[serde(skip)]
    model: String,
    #[serde(skip)]
    input: String,
}

/// What audits cost, and what they are worth.
#[derive(Clone, Debug, Serialize)]
pub struct AuditQuote {
    pub audit_bps: u16,
    pub panel_size: u8,
    #[serde(rename = "audit_fee_lamports")]
    pub fee: u64,
    /// In the escrow for the panel; what no auditor earns of it comes back.
    #[serde(rename = "audit_escrow_lamports")]
    pub escrow: u64,
    /// On average, if the result is acknowledged; without that every job is audited.
    #[serde(rename = "audit_cost_expected_lamports")]
    pub expected: u64,
    pub honesty: Honesty,
    pub auditors: Auditors,
    /// What a dispute would lock on top.
    #[serde(rename = "dispute_bond_lamports")]
    pub dispute_bond: u64,
}

impl AuditQuote {
    async fn new(context: &Context, plan: &Plan) -> Result<Option<Self>> {
        let terms = &plan.terms;
        let Some(honesty) = Honesty::of(terms, &plan.params) else {
            return Ok(None);
        };
        let providers = context.cluster.list::<ProviderData>(&[]).await?;
        let now = context.cluster.clock().await?.time;
        let escrow = terms
            .escrow()
            .map_or(0, |all| all.0.saturating_sub(terms.ceiling));
        Ok(Some(Self {
            audit_bps: terms.audit_bps,
            panel_size: terms.panel_size,
            fee: terms.audit_fee,
            escrow,
            expected: escrow / 10_000 * u64::from(terms.audit_bps)
                + escrow % 10_000 * u64::from(terms.audit_bps) / 10_000,
            honesty,
            auditors: Auditors::of_terms(&providers, terms, &plan.params, now),
            dispute_bond: terms.audit_fee.saturating_mul(u64::from(BOND_FEES)),
        }))
    }

    fn rows(&self) -> Vec<(&'static str, String)> {
        vec![
            (
                "audit",
                format!(
                    "{} chance, {} auditors at {} each; certain without your acknowledgement",
                    percent(self.audit_bps),
                    self.panel_size,
                    Amount(self.fee)
                ),
            ),
            ("  honesty", self.honesty.sentence()),
            (
                "  audits cost",
                format!(
                    "{} on average, {} where all agree; the rest of it comes back",
                    Amount(self.expected),
                    Amount(self.escrow)
                ),
            ),
            ("  auditors", self.auditors.sentence()),
            (
                "  to dispute",
                format!(
                    "locks {} more until the second panel has decided",
                    Amount(self.dispute_bond)
                ),
            ),
        ]
    }
}

impl Quote {
    /// Asks the cluster for rent, fee and balance, and simulates the transaction, so that a refusal costs nothing.
    pub async fn new(context: &Context, plan: &Plan) -> Result<Self> {
        let terms = &plan.terms;
        let requester = plan.requester();
        let cluster = &context.cluster;
        let rent = cluster.rent(JOB_BYTES).await?;
        let wallet_balance = cluster.balance(&requester).await?;
        let escrow = terms.escrow().map_or(terms.ceiling, |escrow| escrow.0);
        if wallet_balance < escrow.saturating_add(rent) {
            anyhow::bail!(
                "the wallet {requester} holds {}, the job locks {} and {} of rent; add SOL or lower --max-price",
                Amount(wallet_balance),
                Amount(escrow),
                Amount(rent)
            );
        }
        let slot = cluster.slot().await?;
        let (_, create) = plan.instruction(slot)?;
        let simulated = context
            .simulate("job create", &[create], &requester)
            .await?;
        let audit = AuditQuote::new(context, plan).await?;
        let fee_bps = plan.params.fee_bps;
        let most = split_price(Lamports(terms.ceiling), BasisPoints(fee_bps));
        Ok(Self {
            unaudited: !terms.is_audited(),
            price_least: terms.floor,
            price_most: terms.ceiling,
            ramp_secs: terms.ramp_secs,
            market_share_bps: fee_bps,
            market_share_most: most.map_or(0, |split| split.fee.0),
            escrow,
            rent,
            network_fee: simulated.fee,
            leaves_now: escrow.saturating_add(rent).saturating_add(simulated.fee),
            gone_least: terms.floor.saturating_add(simulated.fee),
            gone_most: escrow.saturating_add(simulated.fee),
            compute_units: simulated.units,
            wallet_balance,
            collateral: terms.collateral,
            claim_secs: terms.claim_secs,
            compute_secs: terms.compute_secs,
            challenge_secs: terms.challenge_secs,
            notes: notes(plan, audit.as_ref()),
            audit,
            model: plan.model.address.to_string(),
            input: format!(
                "{} bytes, sha256 {}",
                plan.input.bytes.len(),
                hex::encode(plan.input.digest.0)
            ),
        })
    }

    /// Shows it on stderr: it is no result.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "callers treat every way of showing alike"
    )]
    pub fn show(&self, context: &Context) -> Result<()> {
        let comes_back = format!(
            "{} to {} when the job ends",
            Amount(
                self.escrow
                    .saturating_sub(self.gone_most.saturating_sub(self.network_fee))
            ),
            Amount(self.escrow.saturating_sub(self.price_least))
        );
        let windows = format!(
            "claim {}, compute {}, challenge {}",
            Span(self.claim_secs),
            Span(self.compute_secs),
            Span(self.challenge_secs)
        );
        let share = format!(
            "{} of the price, at most {}; part of the price, not on top",
            percent(self.market_share_bps),
            Amount(self.market_share_most)
        );
        let audit = self.audit.as_ref().map_or_else(
            || {
                let none = "unaudited: nobody re-executes this inference; see --audit".to_owned();
                vec![("audit", none)]
            },
            AuditQuote::rows,
        );
        let collateral = match &self.audit {
            Some(audit) => format!("{}; {}", exact(self.collateral), audit.honesty.collateral()),
            None => exact(self.collateral),
        };
        let rows = [("model", self.model.clone()), ("input", self.input.clone())]
            .into_iter()
            .chain(audit)
            .chain([
                (
                    "price",
                    format!(
                        "{} rising to {} over {}",
                        Amount(self.price_least),
                        Amount(self.price_most),
                        Span(self.ramp_secs)
                    ),
                ),
                ("  market's share", share),
                ("escrow", exact(self.escrow)),
                ("  comes back", comes_back),
                (
                    "rent",
                    format!("{}, comes back with `assay job close`", exact(self.rent)),
                ),
                (
                    "network fee",
                    format!(
                        "{}, {} CU; does not come back",
                        exact(self.network_fee),
                        grouped(self.compute_units)
                    ),
                ),
                (
                    "leaves the wallet now",
                    format!(
                        "{} of {}",
                        exact(self.leaves_now),
                        Amount(self.wallet_balance)
                    ),
                ),
                (
                    "gone in the end",
                    format!("{} to {}", Amount(self.gone_least), Amount(self.gone_most)),
                ),
                ("provider's collateral", collateral),
                ("windows", windows),
            ]);
        context.say(output::facts(&rows.collect::<Vec<_>>()));
        for note in &self.notes {
            context.say(format_args!("note: {note}"));
        }
        Ok(())
    }
}

/// What was done to the input, and what may keep workers or auditors away.
fn notes(plan: &Plan, audit: Option<&AuditQuote>) -> Vec<String> {
    let mut notes = plan.input.notes.clone();
    if plan.model.data.uri_len == 0 {
        notes.push(
            "the model names no uri, so only workers that have its file already can run it"
                .to_owned(),
        );
    }
    if let Some(audit) = audit {
        notes.extend(audit.auditors.warning());
        if plan.terms.input_uri_len == 0 {
            notes.push(
                "without --input-uri the auditors get the input from the provider that they judge, and one that \
                 cheats can withhold it; nobody then joins the panel and the provider is paid"
                    .to_owned(),
            );
        }
    }
    notes
}
