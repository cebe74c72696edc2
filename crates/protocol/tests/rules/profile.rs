//! Output profiles.

use assay_protocol::{Error, OutputProfile, limits::MAX_OUTPUTS, profile::Comparison};
use proptest::prelude::*;

fn entry() -> impl Strategy<Value = i16> {
    prop_oneof![
        any::<i16>(),
        -66_i16..=66,
        Just(OutputProfile::EXACT),
        Just(OutputProfile::UNUSED),
        Just(i16::MIN + 1),
        Just(i16::MAX - 1),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn check_accepts_one_to_eight_valid_entries_without_a_gap(
        entries in prop::collection::vec(entry(), 0..=MAX_OUTPUTS),
    ) {
        let mut all = [OutputProfile::UNUSED; MAX_OUTPUTS];
        all[..entries.len()].copy_from_slice(&entries);
        let used = all.iter().position(|entry| *entry == OutputProfile::UNUSED).unwrap_or(MAX_OUTPUTS);
        let valid = used > 0
            && all[..used].iter().all(|entry| *entry == OutputProfile::EXACT || (-64..=64).contains(entry))
            && all[used..].iter().all(|entry| *entry == OutputProfile::UNUSED);
        let profile = OutputProfile(all);
        prop_assert_eq!(profile.check(), if valid { Ok(()) } else { Err(Error::ModelProfileInvalid) });
        prop_assert_eq!((profile.len(), profile.is_empty()), (used, used == 0));
        if valid {
            for (position, entry) in all.iter().enumerate() {
                let expected = match *entry {
                    OutputProfile::UNUSED => None,
                    OutputProfile::EXACT => Some(Comparison::Exact),
                    exponent => Some(Comparison::Grid(i8::try_from(exponent).unwrap())),
                };
                prop_assert_eq!(profile.get(position), expected);
            }
            prop_assert_eq!(profile.get(MAX_OUTPUTS), None);
        }
    }
}

#[test]
fn exact_profiles_have_one_to_eight_outputs() {
    for outputs in 0..=10 {
        let profile = OutputProfile::exact(outputs);
        if (1..=MAX_OUTPUTS).contains(&outputs) {
            assert_eq!(profile.unwrap().len(), outputs);
        } else {
            assert_eq!(profile, Err(Error::ModelProfileInvalid));
        }
    }
}
