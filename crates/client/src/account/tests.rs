use bytemuck::Zeroable;

use super::*;

fn job() -> JobData {
    JobData {
        version: LAYOUT_VERSION,
        status: 1,
        ceiling: 42,
        ..JobData::zeroed()
    }
}

/// Sizes and discriminators are part of the interface: indexers filter by them.
#[test]
fn sizes_and_discriminators_are_pinned() {
    fn row<T: Layout>() -> (&'static str, usize, String) {
        (
            T::NAME,
            T::SIZE,
            hex::encode(discriminator::account(T::NAME)),
        )
    }
    let rows = [
        row::<MarketData>(),
        row::<TreasuryData>(),
        row::<ProviderData>(),
        row::<ModelData>(),
        row::<JobData>(),
        row::<PanelData>(),
        row::<SessionData>(),
    ];
    let expected = [
        ("Market", 240, "dbbed53700e3c69a"),
        ("Treasury", 88, "eeef7bee5901a8fd"),
        ("Provider", 400, "a4b447114bd850c3"),
        ("Model", 376, "98ddf77ab97ddf97"),
        ("Job", 752, "4b7c50cba1b4ca50"),
        ("Panel", 656, "dfdf0edce9399c26"),
        ("Session", 224, "f3514873d6bc4890"),
    ];
    let expected = expected.map(|(name, size, hex)| (name, size, hex.to_owned()));
    assert_eq!(rows, expected);
}

#[test]
fn decode_gives_back_what_was_encoded_at_any_alignment() {
    let data = encode(&job());
    assert_eq!(decode::<JobData>(&data), Ok(job()));
    let shifted = [&[0][..], &data].concat();
    assert_eq!(decode::<JobData>(&shifted[1..]), Ok(job()));
}

#[test]
fn decode_refuses_what_is_something_else() {
    let data = encode(&job());
    let wrong_type = DecodeError::Discriminator {
        expected: "Provider",
    };
    assert_eq!(decode::<ProviderData>(&data), Err(wrong_type));
    assert_eq!(
        decode::<JobData>(&[]),
        Err(DecodeError::Discriminator { expected: "Job" })
    );
    let short = &data[..data.len() - 1];
    assert_eq!(
        decode::<JobData>(short),
        Err(DecodeError::Size {
            name: "Job",
            expected: JobData::SIZE,
            found: short.len()
        })
    );
    let mut newer = data.clone();
    newer[8] = 2;
    assert_eq!(
        decode::<JobData>(&newer),
        Err(DecodeError::Version {
            name: "Job",
            found: 2
        })
    );
    let owner = Address::new_from_array([1; 32]);
    assert_eq!(
        decode_owned::<JobData>(&owner, &data),
        Err(DecodeError::Owner { owner })
    );
    assert_eq!(decode_owned::<JobData>(&PROGRAM_ID, &data), Ok(job()));
    assert_eq!(
        decode_found::<JobData>(&owner, &data),
        Err(DecodeError::Owner { owner })
    );
    assert_eq!(decode_found::<JobData>(&SYSTEM_PROGRAM, b""), Ok(None));
}
