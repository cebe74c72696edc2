//! `assay session receipts`: what was charged, and whether the books agree.

use std::io::stdout;

use anyhow::{Result, anyhow};
use assay_client::protocol::Address;
use assay_gateway::{
    books::{self, Books as Checked},
    reconcile::Known,
    store::ReceiptRow,
};
use clap::Args;
use serde::Serialize;

use super::{Books, LedgerOption, UNAUDITED};
use crate::{
    Ending,
    amount::{Amount, moment},
    context::Context,
    output,
};

#[derive(Args, Debug)]
#[command(after_help = "\
Verifying checks every signature, number, sum and digest of each session's receipts, that every voucher was over such a \
sum, and that the chain has settled no more than was signed for. It says nothing about the answers: sessions are \
unaudited.

Exit codes: 0 all agrees, 4 something does not.")]
pub struct ReceiptsOptions {
    /// The session; all of them by default
    session: Option<Address>,
    /// Check the books instead of listing the receipts
    #[arg(long)]
    verify: bool,
    /// Print CSV on stdout
    #[arg(long, conflicts_with_all = ["verify", "json"])]
    csv: bool,
    #[command(flatten)]
    ledger: LedgerOption,
}

/// A receipt, for programs.
#[derive(Serialize)]
struct ReceiptView {
    session: String,
    sequence: u64,
    model: String,
    request: String,
    response: String,
    price_lamports: u64,
    cumulative_lamports: u64,
    received_at: i64,
    /// Who signed it.
    operator: String,
    /// The receipt and its signature, base64, as the provider sent them.
    receipt: String,
}

/// A session's books, for programs.
#[derive(Serialize)]
struct BooksView {
    session: String,
    audited: bool,
    #[serde(flatten)]
    books: Checked,
}

impl ReceiptView {
    fn new(row: &ReceiptRow) -> Self {
        let receipt = &row.signed.receipt;
        Self {
            session: receipt.session.to_string(),
            sequence: receipt.sequence,
            model: hex::encode(receipt.model.0),
            request: hex::encode(receipt.request.0),
            response: hex::encode(receipt.response.0),
            price_lamports: receipt.price,
            cumulative_lamports: receipt.cumulative,
            received_at: row.received_at,
            operator: row.operator.to_string(),
            receipt: row.signed.to_header(),
        }
    }

    fn row(&self) -> Vec<String> {
        vec![
            self.session.clone(),
            self.sequence.to_string(),
            self.model.chars().take(12).collect(),
            Amount(self.price_lamports).to_string(),
            Amount(self.cumulative_lamports).to_string(),
            moment(self.received_at),
        ]
    }
}

pub async fn receipts(context: &Context, options: ReceiptsOptions) -> Result<Ending> {
    let books = Books::open(context, &options.ledger).await?;
    let mut known = books.sessions().await?;
    if let Some(session) = options.session {
        known.retain(|known| known.row.address == session);
        if known.is_empty() {
            return Err(anyhow!(
                "the ledger has no session {session} of this wallet on this cluster; see `assay session list --all`"
            ));
        }
    }
    if options.verify {
        return verify(context, &books, &known);
    }
    let mut views = Vec::new();
    for known in &known {
        let rows = books.store.receipts(&known.row.address)?;
        views.extend(rows.iter().map(ReceiptView::new));
    }
    if context.options.json {
        output::json(&views)?;
    } else if options.csv {
        let mut table = csv::Writer::from_writer(stdout());
        for view in &views {
            table.serialize(view)?;
        }
        table.flush()?;
    } else if views.is_empty() {
        context.say("there are no receipts yet");
    } else {
        output::line(output::table(
            &["SESSION", "REQUEST", "MODEL", "PRICE", "SUM", "RECEIVED"],
            views.iter().map(ReceiptView::row).collect(),
        ))?;
    }
    Ok(Ending::Done)
}

fn verify(context: &Context, books: &Books, known: &[Known]) -> Result<Ending> {
    let mut views = Vec::new();
    for known in known {
        let rows = books.store.receipts(&known.row.address)?;
        views.push(BooksView {
            session: known.row.address.to_string(),
            audited: false,
            books: books::check(&known.row, &rows),
        });
    }
    let sound = views.iter().all(|view| view.books.faults.is_empty());
    if context.options.json {
        output::json(&views)?;
    } else {
        for view in &views {
            let found = &view.books;
            output::line(format_args!(
                "{}: {} receipts over {}, vouchers over {}, settled {}: {}",
                view.session,
                found.requests,
                Amount(found.charged),
                Amount(found.paid),
                Amount(found.settled),
                if found.faults.is_empty() {
                    "all agrees"
                } else {
                    "does not agree"
                }
            ))?;
            for fault in &found.faults {
                output::line(format_args!("  {fault}"))?;
            }
        }
        context.say(UNAUDITED);
    }
    Ok(if sound {
        Ending::Done
    } else {
        Ending::Unverified
    })
}
