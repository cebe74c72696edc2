//! The market that every run begins with.

use std::sync::OnceLock;

use assay_client::{
    instruction::{ModelRegister, ProviderRegister},
    protocol::{Address, Digest, args::ModelArgs, args::ProviderArgs, market::MarketParams},
};
use assay_tests::{Model, Provider, SOL, World, sim::Dice};
use solana_keypair::Keypair;
use solana_signer::Signer;

/// Nodes that there may be.
pub const MOST_NODES: usize = 5;
/// What every node says of its runtime.
pub const CLASS: [u8; 32] = [7; 32];
/// The file that they all run.
pub const MODEL: &[u8] = b"a model that only simulated engines load";

/// Windows long enough that each may hold a storm, a restart, an expiring blockhash and then the work.
const PARAMS: MarketParams = MarketParams {
    panel_open_secs: 150,
    panel_join_secs: 25,
    panel_commit_secs: 100,
    panel_reveal_secs: 330,
    ..MarketParams::LOCAL
};

/// Windows that a storm can fill.
const BRISK: MarketParams = MarketParams {
    panel_open_secs: 60,
    panel_join_secs: 15,
    panel_commit_secs: 20,
    panel_reveal_secs: 60,
    ..PARAMS
};

#[derive(Clone)]
pub struct Market {
    pub world: World,
    pub model: Model,
    pub members: Vec<Provider>,
}

/// The key that a node signs with.
pub fn operator(node: usize) -> Keypair {
    let seed = Dice::new(9, node as u64).bytes();
    Keypair::new_from_array(seed)
}

impl Market {
    /// A copy of the one that is made once a process: a market, its model, and providers old enough to audit.
    pub fn open(nodes: usize, brisk: bool) -> Self {
        static MADE: [[OnceLock<Market>; 2]; MOST_NODES + 1] =
            [const { [const { OnceLock::new() }; 2] }; MOST_NODES + 1];
        let params = if brisk { BRISK } else { PARAMS };
        let made = &MADE[nodes][usize::from(brisk)];
        made.get_or_init(|| Self::make(nodes, params)).clone()
    }

    fn make(nodes: usize, params: MarketParams) -> Self {
        let mut world = World::with_params(params);
        let author = world.wallet();
        let model = Model::of(author, Digest::of(&[MODEL]));
        let args = ModelArgs {
            size: MODEL.len() as u64,
            ..model.args()
        };
        let register = ModelRegister {
            payer: author,
            author,
            args,
        };
        world.send(register).accepted();
        let members = (0..nodes).map(|node| member(&mut world, node)).collect();
        world.pass(PARAMS.stake_age_secs + 1);
        Self {
            world,
            model,
            members,
        }
    }

    pub fn operators(&self) -> Vec<Address> {
        self.members.iter().map(|member| member.operator).collect()
    }
}

fn member(world: &mut World, node: usize) -> Provider {
    let authority = world.wallet();
    let provider = Provider::of(authority, operator(node).pubkey());
    world.fund(provider.operator, SOL);
    let args = ProviderArgs {
        runtime_class: CLASS,
        ..provider.args()
    };
    let register = ProviderRegister {
        payer: authority,
        authority,
        args,
    };
    world.send(register).accepted();
    world.do_stake_deposit(&provider, 100 * SOL);
    provider
}
