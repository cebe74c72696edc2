//! The page's files. They hold nothing of this worker, so they are for whoever asks.

use axum::{
    Router,
    http::header,
    response::IntoResponse,
    routing::{MethodRouter, get},
};

const PAGE: &str = include_str!("page/index.html");
const STYLE: &str = include_str!("page/style.css");
const ICON: &str = include_str!("page/icon.svg");
const START: &str = include_str!("page/start.js");
const LINK: &str = include_str!("page/link.js");
const DOM: &str = include_str!("page/dom.js");
const TABLES: &str = include_str!("page/tables.js");
const VIEW: &str = include_str!("page/view.js");
const WORDS: &str = include_str!("page/words.js");

const SCRIPT: &str = "text/javascript; charset=utf-8";

pub(super) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", file(PAGE, "text/html; charset=utf-8"))
        .route("/style.css", file(STYLE, "text/css; charset=utf-8"))
        .route("/icon.svg", file(ICON, "image/svg+xml"))
        .route("/start.js", file(START, SCRIPT))
        .route("/link.js", file(LINK, SCRIPT))
        .route("/dom.js", file(DOM, SCRIPT))
        .route("/tables.js", file(TABLES, SCRIPT))
        .route("/view.js", file(VIEW, SCRIPT))
        .route("/words.js", file(WORDS, SCRIPT))
}

fn file<S: Clone + Send + Sync + 'static>(
    text: &'static str,
    kind: &'static str,
) -> MethodRouter<S> {
    get(move || async move { ([(header::CONTENT_TYPE, kind)], text).into_response() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_is_small_and_asks_nobody_else() {
        let files = [PAGE, STYLE, ICON, START, LINK, DOM, TABLES, VIEW, WORDS];
        let bytes: usize = files.iter().map(|file| file.len()).sum();
        assert!(bytes < 60_000, "{bytes}");
        for file in files {
            // An SVG names its namespace by a url that nothing fetches.
            let file = file.replace("http://www.w3.org/2000/svg", "");
            for word in [
                "http:",
                "https:",
                "//cdn",
                "@import",
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "eval(",
            ] {
                assert!(!file.contains(word), "{word}");
            }
        }
        for word in ["<style", "style=", "onclick", "javascript:"] {
            assert!(!PAGE.contains(word), "{word}");
        }
        assert_eq!(PAGE.matches("<script").count(), 1);
        assert!(PAGE.contains("<script type=\"module\" src=\"/start.js\">"));
    }
}
