//! Panels that have spoken: what is owed to their seats.

use assay_client::{
    address as addresses,
    protocol::{
        PanelData,
        job::JOB_PANEL_1,
        panel::{PanelStatus, SeatState},
    },
};

use super::*;
use crate::core::{AuditStep, Evidence};

/// Somebody else's job with a panel that has spoken, whose rent we lent.
fn judged(world: &mut World, store: &Store, operator: Address, number: u8, seats: u8) {
    let job = JobData {
        provider: address(80),
        status: JobStatus::Settled as u8,
        flags: JOB_PANEL_1,
        level: 1,
        live_panels: 1,
        ..committed(number, 100)
    };
    let mut panel = PanelData {
        version: LAYOUT_VERSION,
        status: PanelStatus::Resolved as u8,
        sequence: 9,
        job: address(number),
        rent_payer: operator,
        level: 1,
        size: seats,
        joined: seats,
        ..PanelData::zeroed()
    };
    for (holder, seat) in (90..).zip(panel.seats.iter_mut().take(seats.into())) {
        (seat.provider, seat.state) = (address(holder), SeatState::Revealed as u8);
    }
    let evidence = Evidence {
        job: Box::new(job),
        panels: [Some(Box::new(panel)), None],
        ended: false,
    };
    store
        .keep_audit(&address(number), &evidence, UnixSeconds(NOW))
        .unwrap();
    let panel_address = addresses::panel(&address(number), 1);
    world.accounts.insert(panel_address, owned(encode(&panel)));
    world.accounts.insert(address(number), owned(encode(&job)));
}

#[tokio::test]
async fn seats_of_several_panels_are_settled_in_one_transaction() {
    let worker = Worker::with(|world, store, operator| {
        judged(world, store, operator, 10, 2);
        judged(world, store, operator, 11, 1);
    });
    let worker = worker.await;
    let costs = || worker.store.costs(UnixSeconds(0)).unwrap();
    while costs().is_empty() {
        assert!(!worker.driver.is_finished());
        tokio::task::yield_now().await;
    }
    let settled: Vec<_> = costs()
        .iter()
        .map(|cost| (cost.job, cost.step.clone()))
        .collect();
    let settle = |number| (address(number), AuditStep::Settle.name().to_owned());
    assert_eq!(settled, [settle(10), settle(10), settle(11)]);
    assert_eq!(worker.node.count("sendTransaction"), 1);
    worker.end().await;
}
