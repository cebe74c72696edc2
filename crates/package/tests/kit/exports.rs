//! Small exports of each kind, made here: tokenizers of the three common designs and the files beside them.

use std::{fs, path::Path};

use serde_json::{Map, Value, json};

/// A chat template in the ChatML way.
pub const CHATML: &str = "{%- for message in messages %}\n    {{- '<|im_start|>' + message['role'] + '\\n' + \
    message['content'] | trim + '<|im_end|>' + '\\n' }}\n{%- endfor %}\n{%- if add_generation_prompt %}\n    {{- \
    '<|im_start|>assistant\\n' }}\n{%- endif %}\n";

/// Words of the tokenizer of `wordpiece`, by number.
pub const WORDS: [&str; 12] = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "red", "green", "blue", "sky", "grass", "##s", "is", ".",
];

/// GPT-2's way: every byte is a letter of the vocabulary and a token of its own number; then a merge and three special
/// tokens.
pub fn byte_level() -> Value {
    let mut vocabulary = Map::new();
    let mut letter_of = Vec::new();
    let mut next = 0x100_u32;
    for byte in 0..=255_u8 {
        let letter = if matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff) {
            char::from(byte)
        } else {
            next += 1;
            char::from_u32(next - 1).unwrap()
        };
        vocabulary.insert(letter.to_string(), json!(byte));
        letter_of.push(letter);
    }
    vocabulary.insert("he".to_owned(), json!(256));
    json!({
        "version": "1.0",
        "truncation": { "direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0 },
        "padding": null,
        "added_tokens": [special(257, "<|endoftext|>"), special(258, "<|im_start|>"), special(259, "<|im_end|>")],
        "normalizer": null,
        "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true },
        "post_processor": null,
        "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true },
        "model": { "type": "BPE", "vocab": vocabulary, "merges": ["h e"] },
    })
}

/// Llama's way: spaces are U+2581, unknown letters fall back to bytes, and the first space is the decoder's to remove.
pub fn byte_fallback() -> Value {
    let mut vocabulary = Map::new();
    for (id, word) in ["<unk>", "<s>", "</s>"].into_iter().enumerate() {
        vocabulary.insert(word.to_owned(), json!(id));
    }
    for byte in 0..=255_u32 {
        vocabulary.insert(format!("<0x{byte:02X}>"), json!(byte + 3));
    }
    for (id, letter) in "\u{2581}abcdefghijklmnopqrstuvwxyz.".chars().enumerate() {
        vocabulary.insert(letter.to_string(), json!(id + 259));
    }
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")],
        "normalizer": { "type": "Sequence", "normalizers": [
            { "type": "Prepend", "prepend": "\u{2581}" },
            { "type": "Replace", "pattern": { "String": " " }, "content": "\u{2581}" },
        ] },
        "pre_tokenizer": null,
        "post_processor": { "type": "TemplateProcessing",
            "single": [{ "SpecialToken": { "id": "<s>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
            "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 1 } }],
            "special_tokens": { "<s>": { "id": "<s>", "ids": [1], "tokens": ["<s>"] } },
        },
        "decoder": { "type": "Sequence", "decoders": [
            { "type": "Replace", "pattern": { "String": "\u{2581}" }, "content": " " },
            { "type": "ByteFallback" },
            { "type": "Fuse" },
            { "type": "Strip", "content": " ", "start": 1, "stop": 0 },
        ] },
        "model": { "type": "BPE", "vocab": vocabulary, "merges": [], "byte_fallback": true, "unk_token": "<unk>" },
    })
}

/// BERT's way, with a few words and a tokenizer.json that pads, as some exports do.
pub fn wordpiece() -> Value {
    let vocabulary: Map<String, Value> = WORDS
        .into_iter()
        .enumerate()
        .map(|(id, word)| (word.to_owned(), json!(id)))
        .collect();
    let added: Vec<Value> = (0..4).map(|id| special(id, WORDS[id])).collect();
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": { "strategy": { "Fixed": 16 }, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
            "pad_type_id": 0, "pad_token": "[PAD]" },
        "added_tokens": added,
        "normalizer": { "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": true },
        "pre_tokenizer": { "type": "BertPreTokenizer" },
        "post_processor": { "type": "TemplateProcessing",
            "single": [{ "SpecialToken": { "id": "[CLS]", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } },
                { "SpecialToken": { "id": "[SEP]", "type_id": 0 } }],
            "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 1 } }],
            "special_tokens": { "[CLS]": { "id": "[CLS]", "ids": [2], "tokens": ["[CLS]"] },
                "[SEP]": { "id": "[SEP]", "ids": [3], "tokens": ["[SEP]"] } },
        },
        "decoder": { "type": "WordPiece", "prefix": "##", "cleanup": true },
        "model": { "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocabulary },
    })
}

/// A decoder's export with `byte_level` and ChatML; its model file is these bytes.
pub fn write_decoder(folder: &Path, model: &[u8]) {
    write(folder, "onnx/model.onnx", model);
    write_json(folder, "tokenizer.json", &byte_level());
    write_json(
        folder,
        "config.json",
        &json!({ "architectures": ["TinyForCausalLM"], "model_type": "tiny", "max_position_embeddings": 128,
            "eos_token_id": 257, "torch_dtype": "float32" }),
    );
    write_json(
        folder,
        "generation_config.json",
        &json!({ "eos_token_id": [257, 259], "pad_token_id": 257, "do_sample": false }),
    );
    write_json(
        folder,
        "tokenizer_config.json",
        &json!({ "chat_template": CHATML, "bos_token": null, "model_max_length": 1e30,
            "eos_token": { "content": "<|im_end|>", "lstrip": false }, "pad_token": "<|endoftext|>" }),
    );
}

/// An embedding model's export with `wordpiece` and mean pooling.
pub fn write_embedding(folder: &Path, model: &[u8]) {
    write(folder, "model.onnx", model);
    write_json(folder, "tokenizer.json", &wordpiece());
    write_json(
        folder,
        "config.json",
        &json!({ "architectures": ["BertModel"], "model_type": "bert", "hidden_size": 2,
            "max_position_embeddings": 16, "pad_token_id": 0 }),
    );
    write_json(
        folder,
        "tokenizer_config.json",
        &json!({ "model_max_length": 8, "pad_token": "[PAD]" }),
    );
    write_json(
        folder,
        "1_Pooling/config.json",
        &json!({ "word_embedding_dimension": 2, "pooling_mode_mean_tokens": true, "pooling_mode_cls_token": false }),
    );
}

/// One file, with the folders above it.
pub fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn write_json(folder: &Path, name: &str, value: &Value) {
    write(folder, name, value.to_string().as_bytes());
}

fn special(id: usize, content: &str) -> Value {
    json!({ "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true })
}
