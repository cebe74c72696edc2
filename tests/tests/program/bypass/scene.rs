//! Each instruction in a valid form, with other accounts of the same kinds around it.

use assay_client::{
    address,
    protocol::{Address, market::MarketParams},
};
use assay_tests::{Call, Job, Model, Provider, SOL, World};

mod audit;
mod session;

/// A world in which the call would be accepted.
pub struct Scene {
    pub world: World,
    pub call: Call,
    siblings: Vec<(&'static str, Address)>,
}

impl Scene {
    /// Another account of the same kind; none where the market has only one.
    pub fn sibling(&self, account: &str) -> Option<Address> {
        let found = self.siblings.iter().find(|(name, _)| *name == account);
        found.map(|(_, address)| *address)
    }

    /// A genuine account of another type.
    pub fn other_type(&self, account: &str) -> Option<Address> {
        let name = if ["provider", "evicted"].contains(&account) {
            "model"
        } else {
            "provider"
        };
        self.siblings
            .iter()
            .find(|(each, _)| *each == name)
            .map(|(_, address)| *address)
    }
}

/// Two of everything: the first is the call's, the second its sibling.
struct Cast {
    world: World,
    providers: [Provider; 2],
    models: [Model; 2],
    strangers: [Address; 2],
}

impl Cast {
    fn new() -> Self {
        let mut world = World::new();
        Self {
            providers: [(); 2].map(|()| world.do_provider()),
            models: [(); 2].map(|()| world.do_model_register()),
            strangers: [(); 2].map(|()| world.wallet()),
            world,
        }
    }

    /// The call among siblings for every account that can have one.
    fn scene(self, call: Call, job: Option<Address>) -> Scene {
        let [stranger, other] = self.strangers;
        let mut siblings = vec![
            ("provider", self.providers[1].account),
            ("model", self.models[1].account),
            ("operator", self.providers[1].operator),
            ("author", self.models[1].author),
            ("authority", stranger),
            ("upgrade_authority", stranger),
            ("pending", stranger),
            ("requester", stranger),
            ("closer", stranger),
            ("rent_payer", stranger),
            ("destination", other),
            ("payer", other),
        ];
        siblings.extend(job.map(|job| ("job", job)));
        Scene {
            world: self.world,
            call,
            siblings,
        }
    }

    /// A job of the first provider and one of the second, brought to the same state.
    fn jobs(&mut self, bring: impl Fn(&mut World, &Model, &Provider) -> Job) -> [Job; 2] {
        [0, 1].map(|each| bring(&mut self.world, &self.models[0], &self.providers[each]))
    }
}

/// The scene of the instruction with this name.
pub fn of(name: &str) -> Scene {
    match name {
        "market_init" => market_init(),
        "job_create" | "job_cancel" | "job_claim" | "job_release" | "job_commit"
        | "job_finalize" | "job_expire" | "job_close" => of_job(name),
        "provider_register"
        | "provider_update"
        | "provider_deregister"
        | "stake_deposit"
        | "stake_unbond"
        | "stake_withdraw"
        | "earnings_withdraw" => of_provider(name),
        "job_dispute" | "job_reveal" | "panel_open" | "panel_retarget" | "panel_join"
        | "panel_commit" | "panel_reveal" | "panel_resolve" | "seat_settle" | "panel_close" => {
            audit::of(name)
        }
        "session_open"
        | "session_top_up"
        | "session_settle"
        | "session_close_request"
        | "session_close" => session::of(name),
        "model_register" | "model_retire" | "model_close" => of_model(name),
        "market_update" | "market_pause" | "authority_propose" | "authority_accept"
        | "treasury_withdraw" => of_market(name),
        other => panic!("{other} is listed nowhere: give it a scene and its cells"),
    }
}

fn market_init() -> Scene {
    let mut world = World::without_market();
    let (payer, stranger, other) = (world.wallet(), world.wallet(), world.wallet());
    let call = world.market_init(MarketParams::LOCAL).put("payer", payer);
    // The seeds of market and treasury are constants: each other's address is the nearest they have to a sibling.
    let siblings = vec![
        ("payer", other),
        ("upgrade_authority", stranger),
        ("market", address::treasury()),
        ("treasury", address::market()),
    ];
    Scene {
        world,
        call,
        siblings,
    }
}

fn of_market(name: &str) -> Scene {
    let mut cast = Cast::new();
    let next = cast.world.wallet();
    let call = match name {
        "market_update" => cast.world.market_update(MarketParams::PUBLIC),
        "market_pause" => cast.world.market_pause(1),
        "authority_propose" => cast.world.authority_propose(next),
        "authority_accept" => {
            cast.world.do_authority_propose(next);
            cast.world.authority_accept(next)
        }
        _ => {
            let (model, provider) = (cast.models[0], cast.providers[0]);
            cast.world.do_settled_job(&model, &provider);
            cast.world
                .do_earnings_withdraw(&provider, provider.authority);
            cast.world.treasury_withdraw(next, 1)
        }
    };
    cast.scene(call, None)
}

fn of_provider(name: &str) -> Scene {
    let mut cast = Cast::new();
    let provider = cast.providers[0];
    let destination = cast.world.wallet();
    let call = match name {
        "provider_register" => {
            let fresh = cast.world.new_provider();
            cast.world.provider_register(&fresh)
        }
        "provider_update" => cast.world.provider_update(&provider, provider.args()),
        "provider_deregister" => {
            let empty = cast.world.do_provider_register();
            cast.world.provider_deregister(&empty)
        }
        "stake_deposit" => cast.world.stake_deposit(&provider, SOL),
        "stake_unbond" => cast.world.stake_unbond(&provider, SOL),
        "stake_withdraw" => {
            cast.world.do_stake_unbond(&provider, SOL);
            cast.world.pass(MarketParams::LOCAL.unbond_secs + 1);
            cast.world.stake_withdraw(&provider, destination)
        }
        _ => {
            cast.world.do_settled_job(&cast.models[0], &provider);
            cast.world.earnings_withdraw(&provider, destination)
        }
    };
    cast.scene(call, None)
}

fn of_model(name: &str) -> Scene {
    let mut cast = Cast::new();
    let call = match name {
        "model_register" => {
            let fresh = cast.world.new_model();
            cast.world.model_register(&fresh)
        }
        "model_retire" => cast.world.model_retire(&cast.models[0]),
        _ => {
            let model = cast.models[0];
            cast.world.do_model_retire(&model);
            cast.world.pass(MarketParams::LOCAL.unbond_secs + 1);
            cast.world.model_close(&model)
        }
    };
    cast.scene(call, None)
}

fn of_job(name: &str) -> Scene {
    let mut cast = Cast::new();
    let provider = cast.providers[0];
    let [job, other] = match name {
        "job_create" => cast.jobs(|world, model, _| world.new_job(model)),
        "job_cancel" | "job_claim" => cast.jobs(|world, model, _| world.do_job_create(model)),
        "job_finalize" => cast.jobs(World::do_committed_job),
        "job_close" => cast.jobs(World::do_settled_job),
        _ => cast.jobs(World::do_claimed_job),
    };
    let call = match name {
        "job_create" => cast.world.job_create(&job),
        "job_cancel" => cast.world.job_cancel(&job),
        "job_claim" => cast.world.job_claim(&job, &provider),
        "job_release" => cast.world.job_release(&job, &provider),
        "job_commit" => cast.world.job_commit(&job, &provider),
        "job_finalize" => cast.world.job_finalize(&job, &provider),
        "job_expire" => {
            let deadline = cast.world.job(&job.account).compute_deadline();
            cast.world
                .pass_deadline(deadline.expect("the clock is small"));
            cast.world.job_expire(&job)
        }
        _ => {
            cast.world.pass_open_slot(&other);
            cast.world.job_close(&job)
        }
    };
    cast.scene(call, Some(other.account))
}
