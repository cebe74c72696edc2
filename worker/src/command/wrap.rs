//! Text for terminals of 80 columns.

/// Columns that text is fitted into.
pub const COLUMNS: usize = 80;

/// Breaks a paragraph into lines of at most `width` characters, between words; a longer word keeps
/// a line for itself.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let length = line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && length > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(
            wrap("one two  three\nfour", 8),
            ["one two", "three", "four"]
        );
        assert_eq!(wrap("seventeen i", 4), ["seventeen", "i"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("äöü äöü", 7), ["äöü äöü"], "characters, not bytes");
    }
}
