//! What vouchers pay, alone and in one transaction with a session's beginning or end.

use assay_client::protocol::{ProviderData, SessionData};

use super::{Record, STRANGER};
use crate::{Call, Provider, SOL, Session, World};

struct Stage {
    world: World,
    provider: Provider,
    session: Session,
}

impl Stage {
    /// An open session, old enough to be closed, of which a part is settled.
    fn new() -> Self {
        let mut world = World::new();
        let provider = world.do_provider();
        let session = world.do_session_open(&provider);
        world.do_session_settle(&session, 10_001);
        world.pass_session_slot(&session);
        Self {
            world,
            provider,
            session,
        }
    }

    fn settle(&self, cumulative: u64) -> Call {
        self.world.session_settle(&self.session, cumulative)
    }

    fn close(&self) -> Call {
        self.world.session_close(&self.session, &self.provider)
    }

    fn settle_and_close(&self) -> Record {
        Record::of(&self.world, [self.settle(SOL / 3), self.close()])
    }
}

#[test]
fn true_records_of_sessions_pass() {
    let stage = Stage::new();
    stage.settle_and_close().enter(true).unwrap();
    let request = stage.world.session_close_request(&stage.session);
    let batches = [
        vec![stage.settle(SOL), request.clone()],
        vec![request, stage.settle(SOL)],
        // Each fee is rounded down: together less than that of their sum.
        vec![
            stage.settle(20_000),
            stage.settle(29_999),
            stage.settle(39_998),
        ],
        vec![
            stage.settle(SOL),
            stage.world.session_top_up(&stage.session, 5_000),
            stage.settle(SOL + 5_000),
            stage.close(),
        ],
    ];
    for batch in batches {
        Record::of(&stage.world, batch).enter(true).unwrap();
    }
    let mut world = stage.world.clone();
    let new = world.new_session(&stage.provider);
    let both = [world.session_open(&new), world.session_settle(&new, 77_777)];
    Record::of(&world, both).enter(true).unwrap();
}

#[test]
fn a_closing_settlement_that_pays_another_is_noticed() {
    let stage = Stage::new();
    let (provider, requester) = (stage.provider.account, stage.session.requester);
    // What the voucher says is the provider's goes to the requester, and the books say so too.
    let mut record = stage.settle_and_close();
    record.shift(provider, requester, 1);
    record.edit(provider, |data: &mut ProviderData| data.earnings -= 1);
    record.violates(4);
    let mut record = stage.settle_and_close();
    record.shift(provider, requester, 1);
    record.edit(provider, |data: &mut ProviderData| {
        data.earnings -= 1;
        data.total_earned -= 1;
    });
    record.violates(4);
    let mut record = stage.settle_and_close();
    record.shift(requester, provider, 1);
    record.edit(provider, |data: &mut ProviderData| data.earnings += 1);
    record.violates(4);
    let mut record = stage.settle_and_close();
    record.shift(requester, STRANGER, 1);
    record.violates(4);
}

#[test]
fn a_fee_rounded_over_two_settlements_at_once_is_noticed() {
    let stage = Stage::new();
    let provider = stage.provider.account;
    let both = [stage.settle(20_000), stage.settle(29_999)];
    let mut record = Record::of(&stage.world, both);
    record.edit(provider, |data: &mut ProviderData| {
        data.total_earned -= 1;
        data.earnings -= 1;
        data.fees_due += 1;
    });
    record.violates(4);
}

#[test]
fn a_closing_settlement_without_a_good_voucher_is_noticed() {
    let stage = Stage::new();
    // The proof is of a lower sum, of nothing, of another session, too late, or above the deposit.
    let spoil = |change: &dyn Fn(&mut [u8])| {
        let mut record = stage.settle_and_close();
        change(&mut record.instructions[0].data);
        record
    };
    let sum = |sum: u64| move |data: &mut [u8]| data[146..154].copy_from_slice(&sum.to_le_bytes());
    spoil(&sum(10_001)).violates(6);
    spoil(&|data| data[16] ^= 1).violates(6);
    spoil(&|data| data[114] ^= 1).violates(6);
    spoil(&|data| data[154..162].fill(0)).violates(6);
    spoil(&sum(SOL + 1)).violates(1);
    let mut record = stage.settle_and_close();
    record.instructions.remove(0);
    record.violates(6);
}

#[test]
fn a_session_born_with_a_spent_deposit_is_noticed() {
    let stage = Stage::new();
    let mut world = stage.world.clone();
    let new = world.new_session(&stage.provider);
    let both = [world.session_open(&new), world.session_settle(&new, 77_777)];
    let mut record = Record::of(&world, both);
    record.edit(new.account, |data: &mut SessionData| data.settled += 1);
    record.violates(1);
}
