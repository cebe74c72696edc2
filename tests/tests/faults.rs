//! Whole markets of real workers under simulated faults: chain, network, disk, clocks and crashes, all by seed.
//!
//! `ASSAY_FAULT_SEEDS` says how many seeds, `ASSAY_FAULT_SEED` replays one with everything that happens in it.

mod faults {
    mod calendar;
    mod chain;
    mod check;
    mod customer;
    mod disk;
    mod engines;
    mod link;
    mod log;
    mod mail;
    mod market;
    mod mishaps;
    mod net;
    mod node;
    mod plan;
    mod requester;
    mod rollbacks;
    mod run;
    mod seals;
    mod seeds;
    mod serving;
    mod sight;
    mod sim;
    mod tabs;
    mod trail;
    mod view;
    mod wire;
}
