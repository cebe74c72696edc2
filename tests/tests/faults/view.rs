//! The program's accounts at one moment, as readings show them.

use std::collections::BTreeMap;

use assay_client::protocol::{Address, JobData, ModelData, PanelData, ProviderData, SessionData};
use assay_tests::{World, ledger::State};

#[derive(Clone, Debug, Default)]
pub struct View {
    pub jobs: BTreeMap<Address, JobData>,
    pub panels: BTreeMap<Address, PanelData>,
    pub providers: BTreeMap<Address, ProviderData>,
    pub models: BTreeMap<Address, ModelData>,
    pub sessions: BTreeMap<Address, SessionData>,
    /// Lamports of the operators.
    pub balances: BTreeMap<Address, u64>,
}

impl View {
    pub fn of(world: &World, operators: &[Address]) -> Self {
        let mut view = Self::default();
        for (address, held) in world.ledger().held() {
            match &held.state {
                State::Job(job) => {
                    view.jobs.insert(*address, **job);
                }
                State::Panel(panel) => {
                    view.panels.insert(*address, **panel);
                }
                State::Provider(provider) => {
                    view.providers.insert(*address, **provider);
                }
                State::Model(model) => {
                    view.models.insert(*address, **model);
                }
                State::Session(session) => {
                    view.sessions.insert(*address, **session);
                }
                State::Market(_) | State::Treasury(_) => {}
            }
        }
        view.balances = operators
            .iter()
            .map(|operator| (*operator, world.balance(operator)))
            .collect();
        view
    }
}
