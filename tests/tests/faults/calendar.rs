//! Which slot and which moment the simulated chain shows at a moment of virtual time.

/// From one slot to the next, in milliseconds.
pub const SLOT_MS: u64 = 400;

/// No slot is made for a while; afterwards the chain's clock has caught up with everybody's.
#[derive(Clone, Copy, Debug)]
pub struct Halt {
    pub from_ms: u64,
    pub until_ms: u64,
}

/// The chain's slots and clock. Milliseconds are of virtual time.
#[derive(Clone, Debug)]
pub struct Calendar {
    pub first_slot: u64,
    pub first_second: i64,
    /// In order, without overlap.
    pub halts: Vec<Halt>,
}

impl Calendar {
    /// The newest slot.
    pub fn slot(&self, ms: u64) -> u64 {
        let halted: u64 = self
            .halts
            .iter()
            .map(|halt| ms.min(halt.until_ms).saturating_sub(halt.from_ms))
            .sum();
        self.first_slot + (ms - halted) / SLOT_MS
    }

    /// When a slot is made.
    pub fn made_at(&self, slot: u64) -> u64 {
        let mut ms = (slot - self.first_slot) * SLOT_MS;
        for halt in &self.halts {
            if ms > halt.from_ms {
                ms += halt.until_ms - halt.from_ms;
            }
        }
        ms
    }

    /// Unix seconds that the chain's clock shows in a slot.
    pub fn time(&self, slot: u64) -> i64 {
        self.second(self.made_at(slot))
    }

    /// Unix seconds of a true clock.
    pub fn second(&self, ms: u64) -> i64 {
        self.first_second + i64::try_from(ms / 1_000).expect("runs are short")
    }

    /// When the chain's clock first shows this moment, as long as it runs.
    pub fn ms_of(&self, second: i64) -> u64 {
        u64::try_from(second - self.first_second).map_or(0, |seconds| seconds * 1_000)
    }
}
