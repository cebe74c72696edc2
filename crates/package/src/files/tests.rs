use super::*;
use crate::exports;

fn counted_in(folder: &Path) -> Vec<&'static str> {
    let files = Files::read(folder).unwrap();
    files.texts.iter().map(|(name, _)| *name).collect()
}

#[test]
fn the_digest_is_over_sorted_lines_of_path_and_sha256() {
    let folder = tempfile::tempdir().unwrap();
    exports::write(folder.path(), "onnx/model.onnx", b"model");
    exports::write(folder.path(), "config.json", b"{}");
    exports::write(folder.path(), "1_Pooling/config.json", b"{\"pooling\": 1}");
    // printf '1_Pooling/config.json\0%s\nconfig.json\0%s\nonnx/model.onnx\0%s\n' of the three sha256, through sha256sum.
    let golden = "41f97c5ff040adaa6649815bcf1fd28a9f414072b17144b9972e6b41de0904f4";
    let digest = || hex::encode(Files::read(folder.path()).unwrap().digest().0);
    assert_eq!(digest(), golden);
    // What does not count changes nothing; what counts does.
    exports::write(folder.path(), "README.md", b"hello");
    exports::write(folder.path(), "2_Dense/config.json", b"{}");
    assert_eq!(digest(), golden);
    exports::write(folder.path(), "tokenizer.json", b"{}");
    assert_ne!(digest(), golden);
}

#[test]
fn the_first_of_two_models_is_the_one() {
    let folder = tempfile::tempdir().unwrap();
    exports::write(folder.path(), "onnx/model.onnx", b"quantised");
    exports::write(folder.path(), "model.onnx", b"model");
    let files = Files::read(folder.path()).unwrap();
    assert_eq!((files.model_name, files.model.size), ("model.onnx", 5));
}

#[test]
fn a_link_out_of_the_folder_is_refused_and_one_within_is_not() {
    let outside = tempfile::tempdir().unwrap();
    exports::write(outside.path(), "secret", b"{}");
    let link = |from: &Path, name: &str| {
        let folder = tempfile::tempdir().unwrap();
        exports::write(folder.path(), "kept/model", b"model");
        exports::write(folder.path(), "kept/config.json", b"{}");
        exports::write(folder.path(), "model.onnx", b"model");
        let place = folder.path().join(name);
        let _ = fs::remove_file(&place);
        std::os::unix::fs::symlink(from, &place).unwrap();
        Files::read(folder.path()).map(|_| ())
    };
    for name in ["model.onnx", "config.json"] {
        let refused = link(&outside.path().join("secret"), name).unwrap_err();
        assert!(
            matches!(refused, PackageError::Outside { ref path } if path.ends_with(name)),
            "{refused}"
        );
        assert!(link(Path::new("kept/config.json"), name).is_ok());
    }
}

#[test]
fn an_archive_is_as_good_as_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("tiny");
    exports::write_embedding(&inner, b"the model");
    let read = Files::read(&inner).unwrap();
    let ours = folder.path().join("ours.tar");
    read.write_archive(&ours).unwrap();
    // As `tar -cf theirs.tar tiny` makes it: everything one folder down, with other files beside it.
    exports::write(&inner, "README.md", b"hello");
    exports::write(&inner, "tokenizer/config.json", b"{\"another\": 1}");
    let theirs = folder.path().join("theirs.tar");
    let mut builder = tar::Builder::new(File::create(&theirs).unwrap());
    builder.append_dir_all("tiny", &inner).unwrap();
    builder.finish().unwrap();
    for archive in [ours, theirs] {
        let found = Files::read(&archive).unwrap();
        assert_eq!(found.digest(), read.digest(), "{}", archive.display());
        let mut model = Vec::new();
        found.model.open().unwrap().read_to_end(&mut model).unwrap();
        assert_eq!(model, b"the model");
    }
}

#[test]
fn the_same_files_give_the_same_archive() {
    let folder = tempfile::tempdir().unwrap();
    exports::write_decoder(&folder.path().join("a"), b"model");
    let (one, two) = (folder.path().join("1.tar"), folder.path().join("2.tar"));
    let files = Files::read(&folder.path().join("a")).unwrap();
    files.write_archive(&one).unwrap();
    Files::read(&one).unwrap().write_archive(&two).unwrap();
    assert_eq!(fs::read(&one).unwrap(), fs::read(&two).unwrap());
    let again = files.write_archive(&one).unwrap_err();
    assert!(matches!(again, PackageError::Exists { .. }), "{again}");
}

#[test]
fn a_folder_is_written_as_it_was_read() {
    let folder = tempfile::tempdir().unwrap();
    exports::write_decoder(&folder.path().join("a"), b"model");
    let files = Files::read(&folder.path().join("a")).unwrap();
    let copy = folder.path().join("b");
    files.write_folder(&copy).unwrap();
    assert_eq!(counted_in(&copy), counted_in(&folder.path().join("a")));
    assert_eq!(Files::read(&copy).unwrap().digest(), files.digest());
    assert!(files.write_folder(&copy).is_err());
}

#[test]
fn paths_that_lead_out_of_an_archive_are_passed_over() {
    assert_eq!(plain(Path::new("../model.onnx")), None);
    assert_eq!(plain(Path::new("/model.onnx")), None);
    assert_eq!(
        plain(Path::new("./a/model.onnx")).as_deref(),
        Some("a/model.onnx")
    );
}

#[test]
fn what_holds_no_model_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = Files::read(folder.path()).unwrap_err().to_string();
    assert!(refused.contains("holds no model"), "{refused}");
    let file = folder.path().join("text.tar");
    fs::write(&file, b"no archive at all").unwrap();
    assert!(Files::read(&file).is_err());
    assert!(Files::read(&folder.path().join("absent")).is_err());
}
