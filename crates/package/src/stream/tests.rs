use super::*;
use crate::{exports, tokens::tests::tokens};

/// All pieces of a text's tokens.
fn pieces(tokens: &Tokens, ids: &[u32]) -> Vec<String> {
    let mut detokenizer = tokens.detokenizer();
    let mut pieces: Vec<String> = ids
        .iter()
        .map(|id| detokenizer.push(*id).unwrap())
        .collect();
    pieces.push(detokenizer.finish().unwrap());
    pieces
}

#[test]
fn pieces_together_are_the_text() {
    for json in [exports::byte_level(), exports::byte_fallback()] {
        let tokens = tokens(&json);
        for text in [
            "he said hello",
            "Größe 🦀🦀 日本",
            " a",
            "a \u{fffd} b",
            "\u{fffd}",
        ] {
            let ids = tokens.encode(text, false).unwrap();
            assert_eq!(pieces(&tokens, &ids).concat(), text);
        }
    }
    let words = tokens(&exports::wordpiece());
    let ids = [7, 9, 10, 6, 11, 9, 4];
    assert_eq!(pieces(&words, &ids).concat(), words.decode(&ids).unwrap());
}

#[test]
fn half_a_letter_is_held_back() {
    let tokens = tokens(&exports::byte_level());
    let ids = tokens.encode("a🦀b", false).unwrap();
    assert_eq!(pieces(&tokens, &ids), ["a", "", "", "", "🦀", "b", ""]);
}

#[test]
fn bytes_that_never_become_a_letter_come_all_the_same() {
    let tokens = tokens(&exports::byte_level());
    // Every length of garbage before and after letters of one to four bytes, cut short or not.
    for garbage in 0..9 {
        for letter in ["", "a", "ß", "日", "🦀", "\u{fffd}"] {
            for cut in 0..letter.len().max(1) {
                let mut ids = vec![0xff; garbage];
                ids.extend(letter.bytes().skip(cut).map(u32::from));
                ids.extend(vec![0xe2; garbage]);
                ids.extend(letter.bytes().map(u32::from));
                let pieces = pieces(&tokens, &ids);
                assert_eq!(pieces.concat(), tokens.decode(&ids).unwrap(), "{ids:?}");
            }
        }
    }
    let mut detokenizer = tokens.detokenizer();
    let shown = (0..1_000).filter(|_| !detokenizer.push(0xff).unwrap().is_empty());
    assert_eq!(shown.count(), 1_000 - HELD);
    assert!(detokenizer.ids.len() < 10, "{}", detokenizer.ids.len());
}

#[test]
fn special_tokens_are_not_shown() {
    let tokens = tokens(&exports::byte_level());
    assert_eq!(pieces(&tokens, &[258, 256, 259]).concat(), "he");
}

#[test]
fn a_stop_ends_the_text_before_it_in_whatever_pieces_it_comes() {
    let text = "one two\nUser: three";
    for first in 0..text.len() {
        for second in first..text.len() {
            let mut stops = Stops::new(["\nUser:".to_owned(), "three".to_owned()]);
            let mut shown = String::new();
            let mut stopped = None;
            for piece in [&text[..first], &text[first..second], &text[second..]] {
                let now = stops.push(piece);
                shown.push_str(&now.text);
                stopped = now.stopped;
                if stopped.is_some() {
                    break;
                }
            }
            assert_eq!(
                (shown.as_str(), stopped.as_deref()),
                ("one two", Some("\nUser:"))
            );
        }
    }
}

#[test]
fn only_what_may_begin_a_stop_is_held_back() {
    let mut stops = Stops::new(["<end>".to_owned(), String::new()]);
    assert_eq!(stops.push("a<en").text, "a");
    assert_eq!(stops.push("t>").text, "<ent>");
    assert_eq!(stops.push("ß<").text, "ß");
    assert_eq!(stops.push("<").text, "<");
    assert_eq!(stops.finish(), "<");
    assert_eq!(stops.finish(), "");
}

#[test]
fn without_stops_everything_is_shown_at_once() {
    let mut stops = Stops::new([]);
    let shown = stops.push("text");
    assert_eq!((shown.text.as_str(), shown.stopped), ("text", None));
}
