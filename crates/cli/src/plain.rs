//! Text of others, made harmless: a terminal obeys escape sequences, and a provider could write some.

/// Most characters of a foreign text that are shown.
const MOST: usize = 300;

/// One line for a terminal: what could steer it or turn the text around is replaced, and long text is cut.
pub fn plain(text: &str) -> String {
    let mut shown: String = text.chars().take(MOST).map(visible).collect();
    if text.chars().nth(MOST).is_some() {
        shown.push_str("..");
    }
    shown
}

/// As [`plain`] for what this tool composed of its own and foreign words: its line breaks stay, nothing is cut.
pub fn lines(text: &str) -> String {
    text.chars()
        .map(|c| if c == '\n' { c } else { visible(c) })
        .collect()
}

fn visible(c: char) -> char {
    // The ranges reverse the direction of writing, which hides what a line says.
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if c.is_control() || turns {
        char::REPLACEMENT_CHARACTER
    } else {
        c
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_lose_their_power() {
        assert_eq!(plain("a\u{1b}[2Jb"), "a\u{fffd}[2Jb");
        assert_eq!(plain("title\u{1b}]0;x\u{7}"), "title\u{fffd}]0;x\u{fffd}");
        assert_eq!(
            plain("over\rwritten\nline\u{9b}31m"),
            "over\u{fffd}written\u{fffd}line\u{fffd}31m"
        );
        assert_eq!(plain("\u{7f}\u{202e}fdp.exe"), "\u{fffd}\u{fffd}fdp.exe");
        assert_eq!(plain("grün, 数字 0.5 °"), "grün, 数字 0.5 °");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(plain(&"é".repeat(300)), "é".repeat(300));
        assert_eq!(plain(&"é".repeat(301)), format!("{}..", "é".repeat(300)));
    }

    #[test]
    fn own_line_breaks_stay() {
        assert_eq!(
            lines("one\n  two\u{1b}[A\r"),
            "one\n  two\u{fffd}[A\u{fffd}"
        );
        assert_eq!(lines(&"x".repeat(400)).len(), 400);
    }
}
