//! What is believed of slots that several sources tell. Pure.

/// Slots by which nodes of one chain never differ, if none of them is stuck: half an hour.
const FAR: u64 = 5_000;
/// Slots by which a websocket may be late: a minute.
const LATE: u64 = 150;

/// The newest slot that is believed: of the largest group of sources that are near each other, and of
/// the lower group where two are as large. One source that is far ahead of the others does not make
/// them look late.
pub(super) fn newest(mut slots: Vec<u64>) -> Option<u64> {
    slots.sort_unstable();
    let groups = slots.chunk_by(|before, after| after - before <= FAR);
    let largest = groups.reduce(|best, next| if next.len() > best.len() { next } else { best });
    largest.and_then(|group| group.last().copied())
}

/// Whether a slot on a websocket can be of the chain whose newest slot this is: it may be ahead, for it
/// is told before it is confirmed, and the other one may be half a minute old.
pub(super) fn are_near(slot: u64, newest: u64) -> bool {
    slot <= newest.saturating_add(FAR) && newest <= slot.saturating_add(LATE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_far_ahead_of_the_others_is_not_believed() {
        assert_eq!(newest(vec![]), None);
        assert_eq!(newest(vec![7]), Some(7));
        assert_eq!(newest(vec![1_000_000, 100, 103]), Some(103));
        assert_eq!(newest(vec![1_000_000, 100]), Some(100));
        assert!(are_near(5_100, 100) && !are_near(5_101, 100));
        assert!(are_near(50, 200) && !are_near(49, 200));
    }

    #[test]
    fn sources_near_each_other_outvote_one_that_is_late() {
        assert_eq!(newest(vec![10, 1_000_000, 1_000_007]), Some(1_000_007));
        assert_eq!(
            newest(vec![10, 5_010, 10_010]),
            Some(10_010),
            "a chain of neighbours"
        );
    }
}
