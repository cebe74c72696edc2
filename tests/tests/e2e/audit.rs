//! Audited jobs, from the draw to the closed panels: real workers judge a real worker.
//!
//! Each has a chain of its own: workers of other tests would take seats, and whole windows are skipped.

#[path = "audit/bench.rs"]
mod bench;
#[path = "audit/cheat.rs"]
mod cheat;
#[path = "audit/crash.rs"]
pub mod crash;
#[path = "audit/drawn.rs"]
mod drawn;
#[path = "audit/hints.rs"]
mod hints;
#[path = "audit/silent.rs"]
mod silent;
