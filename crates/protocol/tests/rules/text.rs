//! Short text in fixed arrays.

use assay_protocol::{Error, text};
use proptest::prelude::*;

proptest! {
    #[test]
    fn check_accepts_printable_text_with_zeros_behind(bytes: [u8; 12], len: u8) {
        let split = usize::from(len).min(12);
        let valid = usize::from(len) <= 12
            && bytes[..split].iter().all(u8::is_ascii_graphic)
            && bytes[split..].iter().all(|byte| *byte == 0);
        prop_assert_eq!(text::check(&bytes, len), if valid { Ok(()) } else { Err(Error::TextInvalid) });
    }

    #[test]
    fn written_text_reads_back(content in "[!-~]{0,12}") {
        let (bytes, len) = text::write::<12>(&content).unwrap();
        prop_assert_eq!(text::check(&bytes, len), Ok(()));
        prop_assert_eq!(text::read(&bytes, len), content);
    }

    #[test]
    fn text_that_does_not_fit_is_refused(content in "[!-~]{13,300}") {
        prop_assert_eq!(text::write::<12>(&content), Err(Error::TextInvalid));
    }

    #[test]
    fn text_with_anything_else_is_refused(before in "[!-~]{0,4}", odd in "[^!-~]", after in "[!-~]{0,3}") {
        prop_assert_eq!(text::write::<12>(&format!("{before}{odd}{after}")), Err(Error::TextInvalid));
    }

    #[test]
    fn reading_never_fails(bytes: [u8; 12], len: u8) {
        prop_assert!(text::read(&bytes, len).len() <= 12);
    }
}
