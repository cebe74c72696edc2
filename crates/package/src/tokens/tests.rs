use super::*;
use crate::exports;

pub fn tokens(json: &serde_json::Value) -> Tokens {
    Tokens::parse(json.to_string().as_bytes()).unwrap()
}

#[test]
fn text_goes_to_tokens_and_back() {
    for json in [exports::byte_level(), exports::byte_fallback()] {
        let tokens = tokens(&json);
        for text in ["he said hello", "Größe 🦀 日本", "a\n\nb", ""] {
            let ids = tokens.encode(text, false).unwrap();
            assert_eq!(tokens.decode(&ids).unwrap(), text);
        }
    }
}

#[test]
fn what_the_file_says_of_truncation_and_padding_is_left_out() {
    assert_eq!(
        tokens(&exports::byte_level())
            .encode("abcdefgh", false)
            .unwrap()
            .len(),
        8
    );
    assert_eq!(
        tokens(&exports::wordpiece()).encode("red", true).unwrap(),
        [2, 4, 3]
    );
}

#[test]
fn special_tokens_in_a_prompt_are_one_token_each() {
    let ids = tokens(&exports::byte_level())
        .encode("<|im_start|>a<|im_end|>", false)
        .unwrap();
    assert_eq!(ids, [258, u32::from(b'a'), 259]);
}

#[test]
fn a_text_is_cut_between_its_first_and_last_token() {
    let tokens = tokens(&exports::wordpiece());
    let within = |limit, cut| {
        tokens
            .encode_within("red green blue skys", Some(limit), cut)
            .unwrap()
    };
    assert_eq!(within(4, true).unwrap().ids, [2, 4, 5, 3]);
    assert_eq!(within(7, false).unwrap().ids, [2, 4, 5, 6, 7, 9, 3]);
    assert_eq!(within(6, false), None);
    assert_eq!(within(1, true).unwrap().ids, [2, 3]);
}

#[test]
fn a_token_alone_stands_for_its_bytes() {
    let tokens_of = tokens(&exports::byte_level());
    assert_eq!(tokens_of.bytes(0xe2), [0xe2]);
    assert_eq!(tokens_of.bytes(u32::from(b' ')), b" ");
    assert_eq!(tokens_of.bytes(256), b"he");
    assert_eq!(tokens_of.bytes(259), b"<|im_end|>");
    assert_eq!(tokens_of.bytes(9_999), b"");
    let fallback = tokens(&exports::byte_fallback());
    assert_eq!(fallback.bytes(3 + 0xe2), [0xe2]);
    assert_eq!(fallback.bytes(259), b" ");
}
