//! Chat templates of strangers, in the processes that `assay` renders them in.

#![expect(clippy::panic, reason = "a test ends by panicking")]

use assay_gateway::templates::{Processes, RenderError, Renderer as _};
use assay_package::{ChatTemplate, Message, Rendering, TextError};
use futures_util::future::join_all;

/// `ns.x` is a text to begin with.
const BEGIN: &str = "{% set ns = namespace(x='aaaaaaaa') %}";

fn template(source: &str) -> ChatTemplate {
    ChatTemplate {
        file: "test".to_owned(),
        source: source.to_owned(),
        bos: String::new(),
        eos: String::new(),
    }
}

fn hello(source: &str) -> Rendering {
    let message = Message {
        role: "user".to_owned(),
        content: "Hello".to_owned(),
    };
    template(source).prompt(vec![message])
}

fn processes() -> Processes {
    Processes::of(env!("CARGO_BIN_EXE_assay").into())
}

/// Renders; none for what takes too much.
async fn rendered(renderer: &Processes, rendering: Rendering) -> Option<Result<String, TextError>> {
    match renderer.render(rendering).await {
        Ok(text) => Some(Ok(text)),
        Err(RenderError::Text(error)) => Some(Err(error)),
        Err(RenderError::Excess) => None,
        Err(RenderError::Process(error)) => panic!("{error}"),
    }
}

fn head(text: &str) -> String {
    text.chars().take(120).collect()
}

#[tokio::test]
async fn texts_and_refusals_come_back_as_they_are() {
    let renderer = processes();
    for _ in 0..3 {
        let text = hello("{{ messages[0].content }} \u{1f980}");
        assert_eq!(
            rendered(&renderer, text).await,
            Some(Ok("Hello \u{1f980}".to_owned()))
        );
    }
    assert_eq!(
        rendered(&renderer, hello("{{ raise_exception('not so') }}")).await,
        Some(Err(TextError::Refused("not so".to_owned())))
    );
    let unread = rendered(&renderer, template("{% for %}").check()).await;
    assert!(matches!(unread, Some(Err(TextError::Template { .. }))));
}

#[tokio::test]
async fn many_renderings_at_once_each_get_their_own_text() {
    let renderer = processes();
    let texts = (0..20).map(|number: usize| {
        let rendering = hello(&number.to_string());
        rendered(&renderer, rendering)
    });
    let texts = join_all(texts).await;
    for (number, text) in texts.into_iter().enumerate() {
        assert_eq!(text, Some(Ok(number.to_string())));
    }
}

#[tokio::test]
async fn memory_time_and_output_are_bounded_each_by_itself() {
    let renderer = processes();
    let large = |count: usize| format!("{{{{ [{}] | length }}}}", "'x' * 99999999,".repeat(count));
    assert_eq!(
        rendered(&renderer, hello(&large(2))).await,
        Some(Ok("2".to_owned()))
    );
    assert_eq!(rendered(&renderer, hello(&large(6))).await, None);

    let long =
        |count: usize| format!("{{% for a in range({count}) %}}{{{{ 'x' * 1000 }}}}{{% endfor %}}");
    let text = rendered(&renderer, hello(&long(1_000))).await.unwrap();
    assert_eq!(text.unwrap().len(), 1_000_000);
    assert_eq!(rendered(&renderer, hello(&long(1_200))).await, None);

    // A step that takes long, a hundred thousand times.
    let slow = "{% set x = 'a' * 9999999 %}{% for a in range(100000) %}{{ 'b' if 'aab' in x }}{% endfor %}";
    assert_eq!(rendered(&renderer, hello(slow)).await, None);
}

#[tokio::test]
async fn templates_that_grow_take_nothing_but_their_process() {
    let doubling = |step: &str| format!("{BEGIN}{{% for i in range(60) %}}{step}{{% endfor %}}");
    let large = "'a' * 99999999,".repeat(60);
    let bombs = [
        doubling("{% set ns.x = ns.x ~ ns.x %}"),
        doubling("{% set ns.x = ns.x + ns.x %}"),
        doubling("{% set ns.x = ns.x.replace('a', 'aa') %}"),
        doubling("{% set ns.x = ns.x | replace('a', 'aa') %}"),
        doubling("{% set ns.x = [ns.x, ns.x] | join %}"),
        doubling("{% set ns.x = ns.x.join(['a', 'a', 'a']) %}"),
        doubling("{% set ns.x = '%s%s' | format(ns.x, ns.x) %}"),
        doubling("{% set ns.x = ['a' * (99999999 - i), ns.x] %}"),
        // Shared in memory, and 2^60 texts where it is written down.
        doubling("{% set ns.x = [ns.x, ns.x] %}") + "{{ ns.x | tojson }}",
        doubling("{% set ns.x = [ns.x, ns.x] %}") + "{{ ns.x }}",
        "{% set x = 'aaaaaaaa' %}".to_owned() + &"{% set x %}{{ x }}{{ x }}{% endset %}".repeat(60),
        "{% macro m(x) %}{{ m(x ~ x) }}{% endmacro %}{{ m('aaaaaaaa') }}".to_owned(),
        "{% macro m(x) %}{{ caller() }}{{ caller() }}{% endmacro %}{{ m('a') }}".replace(
            "{{ m('a') }}",
            &("{% call m('a') %}".repeat(40) + &"a".repeat(9_999) + &"{% endcall %}".repeat(40)),
        ),
        format!(
            "{BEGIN}{{% for a in range(1000) %}}{{% for b in range(1000) %}}\
             {{% set ns.x = ns.x ~ '{}' %}}{{% endfor %}}{{% endfor %}}",
            "a".repeat(1_000)
        ),
        "{{ ([0] * 1000000000) | list }}".to_owned(),
        // These end a process when they are read.
        format!("{{% if false %}}{{{{ [{large}] }}}}{{% endif %}}"),
        format!(
            "{{% if false %}}{{{{ 1{} }}}}{{% endif %}}",
            " + a".repeat(1_000_000)
        ),
    ];
    let renderer = processes();
    let texts = bombs.iter().map(async |bomb| {
        let text = rendered(&renderer, hello(bomb)).await;
        (head(bomb), text.map(|text| head(&format!("{text:?}"))))
    });
    for (shown, text) in join_all(texts).await {
        assert_eq!(text, None, "{shown}");
    }
    assert_eq!(
        rendered(&renderer, hello("well")).await,
        Some(Ok("well".to_owned()))
    );
}

#[tokio::test]
async fn templates_that_ask_for_too_much_at_once_are_told_so() {
    let renderer = processes();
    for source in [
        "{{ 'x' * 1000000000 }}",
        "{{ range(1000000000) | list }}",
        "{% macro m(x) %}{{ m(x) }}{% endmacro %}{{ m(1) }}",
    ] {
        let refused = rendered(&renderer, hello(source)).await;
        assert!(
            matches!(refused, Some(Err(TextError::Refused(_)))),
            "{source}"
        );
    }
}
