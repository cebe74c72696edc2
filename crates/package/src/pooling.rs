//! Vectors of tokens to the vector of a text.

use crate::manifest::Pooling;

/// One text's vector of its tokens' (`states`, one after another, `width` each); `mask` is 0 at padding. None where
/// there is nothing to take, the sizes do not fit, or the mode is [`Pooling::None`].
pub fn pool(mode: Pooling, states: &[f32], mask: &[u32], width: usize) -> Option<Vec<f32>> {
    if width == 0 || states.len() != mask.len().checked_mul(width)? {
        return None;
    }
    let mut shown = states
        .chunks_exact(width)
        .zip(mask)
        .filter(|(_, mask)| **mask != 0)
        .map(|(state, _)| state);
    match mode {
        Pooling::Cls => shown.next().map(<[f32]>::to_vec),
        Pooling::Last => shown.next_back().map(<[f32]>::to_vec),
        Pooling::Mean => {
            let mut sum = vec![0.0_f64; width];
            let mut count = 0_u32;
            for state in shown {
                count += 1;
                for (sum, value) in sum.iter_mut().zip(state) {
                    *sum += f64::from(*value);
                }
            }
            let mean = |sum: f64| narrowed(sum / f64::from(count));
            (count > 0).then(|| sum.into_iter().map(mean).collect())
        }
        Pooling::None => None,
    }
}

/// Brings a vector to length 1; zeros stay.
pub fn normalise(vector: &mut [f32]) {
    let square: f64 = vector.iter().map(|value| f64::from(*value).powi(2)).sum();
    let length = square.sqrt();
    if length > 0.0 {
        for value in vector {
            *value = narrowed(f64::from(*value) / length);
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a float's nearest neighbour is what is wanted"
)]
const fn narrowed(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [f32; 6] = [1.0, 2.0, 3.0, 6.0, 100.0, 100.0];
    const MASK: [u32; 3] = [1, 1, 0];

    #[test]
    fn padding_counts_in_no_mode() {
        let pooled = |mode| pool(mode, &STATES, &MASK, 2).unwrap();
        assert_eq!(pooled(Pooling::Mean), [2.0, 4.0]);
        assert_eq!(pooled(Pooling::Cls), [1.0, 2.0]);
        assert_eq!(pooled(Pooling::Last), [3.0, 6.0]);
    }

    #[test]
    fn padding_on_the_left_is_left_out_too() {
        let pooled = |mode| pool(mode, &STATES, &[0, 1, 1], 2).unwrap();
        assert_eq!(pooled(Pooling::Cls), [3.0, 6.0]);
        assert_eq!(pooled(Pooling::Last), [100.0, 100.0]);
    }

    #[test]
    fn what_does_not_fit_gives_nothing() {
        assert_eq!(pool(Pooling::Mean, &STATES, &MASK, 3), None);
        assert_eq!(pool(Pooling::Mean, &STATES, &[0, 0, 0], 2), None);
        assert_eq!(pool(Pooling::None, &STATES, &MASK, 2), None);
        assert_eq!(pool(Pooling::Mean, &[], &[], 0), None);
    }

    #[test]
    fn a_normalised_vector_has_length_one() {
        let mut vector = [3.0, 4.0];
        normalise(&mut vector);
        assert_eq!(vector, [0.6, 0.8]);
        let mut zeros = [0.0, 0.0];
        normalise(&mut zeros);
        assert_eq!(zeros, [0.0, 0.0]);
    }
}
