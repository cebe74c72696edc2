//! Sessions: the settlement as it is sent, with the proof before it. The precompile's own work costs no compute units
//! of the program's budget; its signature is charged with the transaction's fee.

use assay_client::protocol::{Address, seeds};

use super::{Gauge, key, provider};
use crate::{SOL, World, session::Session};

pub(super) fn measure(gauge: &mut Gauge) {
    let mut world = World::new();
    let someone = provider(&mut world);
    world.send(world.provider_register(&someone)).accepted();
    world.do_stake_deposit(&someone, 10 * SOL);
    let requester = key(&mut world, |key| {
        vec![seeds::JOB.to_vec(), key.as_ref().to_vec()]
    });
    let mut open = |world: &mut World| -> Session {
        let session = world.new_session_of(requester, &someone);
        let call = world.session_open(&session);
        gauge.note(world, requester, call);
        session
    };
    let [first, second] = [open(&mut world), open(&mut world)];
    let payer: Address = requester;
    let call = world.session_top_up(&first, SOL);
    gauge.note(&mut world, payer, call);
    for cumulative in [1, SOL / 2, 2 * SOL] {
        let call = world.session_settle(&first, cumulative);
        gauge.note(&mut world, someone.operator, call);
    }
    let call = world.session_close_request(&first);
    gauge.note(&mut world, payer, call);
    world.pass_session_slot(&second);
    let call = world.session_close(&second, &someone);
    gauge.note(&mut world, someone.operator, call);
    world.pass_grace(&first, true);
    let call = world.session_close_by(&first, payer);
    gauge.note(&mut world, payer, call);
}
