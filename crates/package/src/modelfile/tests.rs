use super::*;

fn refusal(text: &str) -> ModelfileError {
    Modelfile::parse(text).unwrap_err()
}

#[test]
fn every_instruction_is_read() {
    let text = r#"
# A comment
from ./folder
NAME tiny-chat
PARAMETER temperature 0.7
PARAMETER top_k 40
parameter top_p 0.9
PARAMETER min_p 0.05
PARAMETER repeat_penalty 1.1
PARAMETER repeat_last_n -1
PARAMETER seed 42
PARAMETER num_predict -1
PARAMETER num_ctx 128
PARAMETER stop "<|end|>"
PARAMETER stop "
PARAMETER stop "\n\nUser:"
SYSTEM """
You are brief.
And kind.
"""
TEMPLATE """{% for m in messages %}{{ m.content }}{% endfor %}"""
LICENSE Apache-2.0
POOLING CLS
NORMALIZE false
"#;
    let Modelfile { from, manifest } = Modelfile::parse(text).unwrap();
    assert_eq!(from, PathBuf::from("./folder"));
    assert_eq!(manifest.name.as_deref(), Some("tiny-chat"));
    assert_eq!(
        manifest.system.as_deref(),
        Some("You are brief.\nAnd kind.\n")
    );
    assert_eq!(
        manifest.template.as_deref(),
        Some("{% for m in messages %}{{ m.content }}{% endfor %}")
    );
    assert_eq!(manifest.license.as_deref(), Some("Apache-2.0"));
    assert_eq!(manifest.pooling, Some(Pooling::Cls));
    assert_eq!(manifest.normalize, Some(false));
    assert_eq!(
        manifest.parameters,
        Parameters {
            temperature: Some(0.7),
            top_k: Some(40),
            top_p: Some(0.9),
            min_p: Some(0.05),
            repeat_penalty: Some(1.1),
            repeat_last_n: Some(-1),
            seed: Some(42),
            num_predict: Some(-1),
            num_ctx: Some(128),
            stop: vec![
                "<|end|>".to_owned(),
                "\"".to_owned(),
                "\n\nUser:".to_owned()
            ],
        }
    );
}

#[test]
fn an_unknown_word_is_refused_with_its_line() {
    let refused = refusal("FROM x\n\nADAPTER y");
    assert_eq!(refused.line, 3);
    assert!(
        refused
            .to_string()
            .contains("\"ADAPTER\" is no instruction"),
        "{refused}"
    );
    let refused = refusal("FROM x\nPARAMETER mirostat 1");
    assert_eq!(refused.line, 2);
    assert!(
        refused.reason.contains("\"mirostat\" is no parameter"),
        "{refused}"
    );
}

#[test]
fn values_out_of_range_are_refused() {
    for (line, part) in [
        ("PARAMETER temperature -1", "must not be below 0"),
        ("PARAMETER temperature hot", "must be a number"),
        ("PARAMETER temperature NaN", "must not be below 0"),
        ("PARAMETER top_p 1.5", "from 0 to 1"),
        ("PARAMETER top_k -1", "a whole number from 0"),
        ("PARAMETER repeat_last_n -2", "at least -1"),
        ("PARAMETER num_ctx 0", "at least 1"),
        ("PARAMETER stop", "needs a name and a value"),
        ("POOLING max", "mean, cls, last or none"),
        ("NORMALIZE maybe", "true or false"),
        ("NAME has spaces", "at most 64"),
        ("SYSTEM", "needs a value"),
        ("TEMPLATE {{ .Prompt }}", "Go template"),
        ("SYSTEM \"\"\"open", "closing \"\"\" is missing"),
        ("SYSTEM \"\"\"a\"\"\" b", "after the closing"),
    ] {
        let refused = refusal(&format!("FROM x\n{line}"));
        assert_eq!(refused.line, 2, "{line}");
        assert!(refused.reason.contains(part), "{line}: {refused}");
    }
}

#[test]
fn an_instruction_twice_is_refused() {
    assert_eq!(refusal("FROM a\nFROM b").line, 2);
    assert_eq!(
        refusal("FROM a\nPARAMETER seed 1\nPARAMETER seed 2").line,
        3
    );
}

#[test]
fn a_modelfile_without_from_is_refused() {
    assert!(refusal("NAME x").reason.contains("FROM is missing"));
    assert!(refusal("").reason.contains("FROM is missing"));
}

#[test]
fn a_line_after_a_text_over_lines_keeps_its_number() {
    assert_eq!(refusal("FROM x\nSYSTEM \"\"\"a\nb\"\"\"\nWHAT y").line, 4);
}
