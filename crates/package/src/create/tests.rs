use super::*;
use crate::{
    chat::Message,
    exports,
    manifest::{Kind, Pooling},
};

struct Created {
    path: PathBuf,
    package: Package,
}

fn made(export: fn(&Path, &[u8]), modelfile: &str, out: &str) -> (tempfile::TempDir, Created) {
    let folder = tempfile::tempdir().unwrap();
    export(&folder.path().join("export"), b"model");
    let path = folder.path().join("Modelfile");
    fs::write(&path, modelfile).unwrap();
    let draft = create(&path).unwrap();
    let path = draft.write(Some(&folder.path().join(out))).unwrap();
    let package = draft.package;
    (folder, Created { path, package })
}

#[test]
fn a_decoder_takes_its_defaults_from_the_modelfile_and_then_from_the_export() {
    let text = "FROM ./export\nPARAMETER top_k 5\nPARAMETER num_ctx 64\nSYSTEM Be brief.";
    for out in ["out.tar", "out"] {
        let (_folder, Created { path, package }) = made(exports::write_decoder, text, out);
        let opened = Package::open(&path).unwrap();
        assert_eq!(opened.digest, package.digest);
        assert_eq!(opened.name, "export");
        assert_eq!(opened.kind, Kind::Decoder);
        assert_eq!(opened.defaults.top_k, Some(5));
        assert_eq!(opened.defaults.temperature, Some(0.0));
        assert_eq!(opened.context, Some(64));
        assert_eq!(opened.ends, [257, 259]);
        assert_eq!(opened.pad, 257);
        let hi = Message {
            role: "user".to_owned(),
            content: "Hi".to_owned(),
        };
        assert_eq!(
            opened.prompt(&[hi]).unwrap().render().unwrap(),
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
        );
    }
}

#[test]
fn an_embedding_model_is_told_by_its_pooling() {
    let (_folder, created) = made(exports::write_embedding, "FROM export\nNAME e\n", "e.tar");
    let opened = Package::open(&created.path).unwrap();
    assert_eq!(opened.kind, Kind::Embedding);
    assert_eq!(opened.pooling, Pooling::Mean);
    assert!(opened.normalize);
    assert_eq!(opened.context, Some(8));
    let (_folder, created) = made(
        exports::write_embedding,
        "FROM export\nPOOLING cls\nNORMALIZE false",
        "e.tar",
    );
    assert_eq!(created.package.pooling, Pooling::Cls);
    assert!(!created.package.normalize);
}

#[test]
fn a_model_by_itself_takes_tensors() {
    let text = "FROM export/model.onnx\nNAME digits\nLICENSE MIT";
    let (_folder, created) = made(exports::write_embedding, text, "digits");
    let opened = Package::open(&created.path).unwrap();
    assert_eq!(opened.kind, Kind::Tensors);
    assert_eq!(opened.name, "digits");
    assert_eq!(opened.license.as_deref(), Some("MIT"));
    assert!(opened.tokens().is_err());
}

#[test]
fn a_modelfile_that_is_not_understood_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Modelfile");
    fs::write(&path, "FROM .\nWHAT x").unwrap();
    let refused = create(&path).unwrap_err();
    assert!(
        refused.to_string().contains("Modelfile: line 2: \"WHAT\""),
        "{refused}"
    );
}

#[test]
fn a_manifest_of_a_later_form_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    exports::write_embedding(folder.path(), b"model");
    exports::write(folder.path(), MANIFEST, b"{\"format\": 2}");
    let refused = Package::open(folder.path()).unwrap_err().to_string();
    assert!(refused.contains("update assay"), "{refused}");
}
