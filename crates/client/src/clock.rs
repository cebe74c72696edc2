//! The chain's own time, by which every deadline is judged.

use assay_protocol::UnixSeconds;

/// The chain's own time, by which every deadline is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    pub slot: u64,
    pub time: UnixSeconds,
}

impl Clock {
    /// Out of the sysvar's data; none if that is too short. Its five words are slot, start of the epoch, epoch, epoch of
    /// the leader schedule, unix seconds.
    pub fn decode(data: &[u8]) -> Option<Self> {
        let slot = u64::from_le_bytes(*data.first_chunk()?);
        let time = i64::from_le_bytes(*data.get(32..)?.first_chunk()?);
        Some(Self {
            slot,
            time: UnixSeconds(time),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_is_the_first_and_the_last_of_five_words() {
        let words: Vec<u8> = [7_i64, 1, 2, 3, -9]
            .into_iter()
            .flat_map(i64::to_le_bytes)
            .collect();
        let clock = Clock {
            slot: 7,
            time: UnixSeconds(-9),
        };
        assert_eq!(Clock::decode(&words), Some(clock));
        assert_eq!(Clock::decode(&words[..39]), None);
    }
}
