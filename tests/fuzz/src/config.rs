//! The configuration: an operator's own file, and still a parser.

use assay_worker::config::{self, Layers};

/// First the file, then, after a zero byte, one flag. What is accepted is accepted again as it is
/// printed, and says the same.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let (file, flag) = text.split_once('\0').unwrap_or((text, ""));
    let layers = Layers {
        flags: Some(flag)
            .filter(|flag| !flag.is_empty())
            .map(str::to_owned)
            .into_iter()
            .collect(),
        ..Layers::default()
    };
    let Ok(read) = config::parse(file, &layers) else {
        return;
    };
    let printed = toml::to_string(&read);
    assert!(printed.is_ok(), "a configuration that cannot be printed");
    let printed = printed.unwrap_or_default();
    let again = config::parse(&printed, &Layers::default());
    let same = again.ok().and_then(|again| toml::to_string(&again).ok());
    assert!(
        same == Some(printed),
        "a configuration changed by being printed"
    );
}
