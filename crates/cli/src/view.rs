//! How accounts are shown: rows of tables for people, JSON for programs.

mod job;
mod market;
mod model;
pub mod panel;
mod provider;
mod session;

use assay_client::protocol::Address;

pub use job::JobView;
pub use market::MarketView;
pub use model::ModelView;
pub use panel::PanelView;
pub use provider::ProviderView;
pub use session::SessionView;

/// An address as text; none for the zero address, which means "none" on the chain.
fn some(address: &Address) -> Option<String> {
    (*address != Address::default()).then(|| address.to_string())
}

/// 32 bytes as hex; none for zeros.
fn some_hex(bytes: &[u8; 32]) -> Option<String> {
    (*bytes != [0; 32]).then(|| hex::encode(bytes))
}

fn or_dash(text: Option<&String>) -> String {
    text.map_or_else(|| "-".to_owned(), Clone::clone)
}
