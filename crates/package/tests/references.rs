//! The packages of models/packages against what Python made of the same files.

#![expect(clippy::unwrap_used, reason = "a test ends by panicking")]

use std::{fs, path::PathBuf};

use assay_package::{Kind, Message, Package, Pooling};
use serde::Deserialize;

#[derive(Deserialize)]
struct Chats {
    chats: Vec<Chat>,
    completions: Vec<Completion>,
}

#[derive(Deserialize)]
struct Chat {
    messages: Vec<Message>,
    prompt: String,
    prompt_ids: Vec<u32>,
    answer_ids: Vec<u32>,
    answer: String,
}

#[derive(Deserialize)]
struct Completion {
    prompt: String,
    prompt_ids: Vec<u32>,
    answer_ids: Vec<u32>,
    answer: String,
}

#[derive(Deserialize)]
struct Texts {
    texts: Vec<Text>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    ids: Vec<u32>,
}

fn folder(name: &str) -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.join("../../models/packages").join(name)
}

fn reference<T: for<'a> Deserialize<'a>>(name: &str) -> T {
    let file = fs::read(folder(name).join("reference.json")).unwrap();
    serde_json::from_slice(&file).unwrap()
}

/// The answer as it is streamed, without the token that ended it.
fn streamed(package: &Package, ids: &[u32]) -> String {
    let mut detokenizer = package.tokens().unwrap().detokenizer();
    let shown = ids.iter().take_while(|id| !package.ends.contains(id));
    let mut text: String = shown.map(|id| detokenizer.push(*id).unwrap()).collect();
    text.push_str(&detokenizer.finish().unwrap());
    text
}

#[test]
fn chats_are_rendered_cut_and_put_together_as_in_python() {
    for name in ["tiny-chat", "tiny-chat-cached"] {
        let package = Package::open(&folder(name)).unwrap();
        assert_eq!((package.kind, package.name.as_str()), (Kind::Decoder, name));
        let Chats { chats, completions } = reference(name);
        assert!(chats.len() >= 8);
        let tokens = package.tokens().unwrap();
        for chat in chats {
            let prompt = package.prompt(&chat.messages).unwrap().render().unwrap();
            assert_eq!(prompt, chat.prompt);
            assert_eq!(tokens.encode(&prompt, false).unwrap(), chat.prompt_ids);
            assert_eq!(streamed(&package, &chat.answer_ids), chat.answer);
        }
        for completion in completions {
            let ids = tokens.encode(&completion.prompt, true).unwrap();
            assert_eq!(ids, completion.prompt_ids);
            assert_eq!(
                streamed(&package, &completion.answer_ids),
                completion.answer
            );
        }
    }
}

#[test]
fn texts_to_embed_are_cut_as_in_python() {
    let package = Package::open(&folder("tiny-embed")).unwrap();
    assert_eq!(package.kind, Kind::Embedding);
    assert_eq!(package.pooling, Pooling::Mean);
    let Texts { texts } = reference("tiny-embed");
    assert!(texts.len() >= 8);
    for text in texts {
        let encoded = package
            .tokens()
            .unwrap()
            .encode_within(&text.text, Some(64), false)
            .unwrap();
        assert_eq!(encoded.unwrap().ids, text.ids, "{:?}", text.text);
    }
}
