//! Vouchers: 50 bytes, read back as they were written, and nothing else read as one.

use assay_protocol::{
    Address, Voucher,
    voucher::{PROOF_BYTES, VOUCHER_BYTES},
};

fn voucher() -> Voucher {
    Voucher {
        session: Address::new_from_array([7; 32]),
        cumulative: 0x0102_0304_0506_0708,
        expires_at: -2,
    }
}

#[test]
fn voucher_lies_as_the_public_layout_says() {
    let bytes = voucher().to_bytes();
    assert_eq!(bytes[..2], [0x56, 0x01]);
    assert_eq!(bytes[2..34], [7; 32]);
    assert_eq!(bytes[34..42], [8, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(
        bytes[42..],
        [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]
    );
}

#[test]
fn voucher_is_read_back_at_any_alignment_and_at_no_other_length() {
    let bytes = voucher().to_bytes();
    for shift in 0..8 {
        let shifted = [&vec![0; shift][..], &bytes].concat();
        assert_eq!(Voucher::from_bytes(&shifted[shift..]), Some(voucher()));
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(Voucher::from_bytes(&longer), None);
    for length in 0..VOUCHER_BYTES {
        assert_eq!(Voucher::from_bytes(&bytes[..length]), None, "{length}");
    }
}

#[test]
fn message_of_another_kind_or_version_is_no_voucher() {
    for place in 0..2 {
        for byte in 0..=u8::MAX {
            let mut bytes = voucher().to_bytes();
            let same = bytes[place] == byte;
            bytes[place] = byte;
            assert_eq!(Voucher::from_bytes(&bytes).is_some(), same);
        }
    }
}

/// The offsets name what lies there: the precompile reads the parts through them.
#[test]
fn proof_points_at_its_own_key_signature_and_message() {
    let key = Address::new_from_array([9; 32]);
    let signature: [u8; 64] = std::array::from_fn(|place| u8::try_from(place).unwrap());
    let proof = voucher().proof(&key, &signature);
    assert_eq!(proof.len(), PROOF_BYTES);
    let word = |at: usize| usize::from(u16::from_le_bytes([proof[at], proof[at + 1]]));
    assert_eq!(proof[..2], [1, 0]);
    assert_eq!(proof[word(2)..][..64], signature);
    assert_eq!(proof[word(6)..][..32], *key.as_ref());
    assert_eq!(proof[word(10)..][..word(12)], voucher().to_bytes());
    assert_eq!(word(10) + word(12), PROOF_BYTES);
    for here in [4, 8, 14] {
        assert_eq!(word(here), 0xffff);
    }
}
