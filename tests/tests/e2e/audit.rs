//! Audited jobs, from the draw to the closed panels: real workers judge a real worker.
//!
//! Each has a chain of its own: workers of other tests would take seats, and whole windows are skipped.

#[path = "audit/bench.rs"]
mod bench;
#[path = "audit/cheat.rs"]
mod cheat;
#[path = "audit/crash.rs"]
pub mod crash;
#[path = "audit/desk.rs"]
mod desk;
#[path = "audit/dispute.rs"]
mod dispute;
#[path = "audit/drawn.rs"]
mod drawn;
#[path = "audit/followed.rs"]
mod followed;
#[path = "audit/gone.rs"]
mod gone;
#[path = "audit/hints.rs"]
mod hints;
#[path = "audit/left.rs"]
mod left;
#[path = "audit/liar.rs"]
mod liar;
#[path = "audit/retarget.rs"]
mod retarget;
#[path = "audit/silent.rs"]
mod silent;
