//! The whole market with real processes: the real program on a local chain, the real worker with the real ONNX
//! Runtime, the real command line.
//!
//! Tests that stay in the present share one chain, each with parties of its own; those that travel in time have a
//! chain each.

#[path = "e2e/audit.rs"]
mod audit;
#[path = "e2e/command.rs"]
mod command;
#[path = "e2e/crash.rs"]
mod crash;
#[path = "e2e/delivery.rs"]
mod delivery;
#[path = "e2e/demo.rs"]
mod demo;
#[path = "e2e/late.rs"]
mod late;
#[path = "e2e/odd.rs"]
mod odd;
#[path = "e2e/parties.rs"]
mod parties;
#[path = "e2e/refund.rs"]
mod refund;
#[path = "e2e/refused.rs"]
mod refused;
#[path = "e2e/sessions.rs"]
mod sessions;
#[path = "e2e/settle.rs"]
mod settle;
#[path = "e2e/silent.rs"]
mod silent;

use std::sync::OnceLock;

use assay_tests::e2e::Stage;

/// The chain of the tests that do not travel in time. It lives as long as the process.
fn present() -> &'static Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    STAGE.get_or_init(|| Stage::start().expect("the local chain starts"))
}
