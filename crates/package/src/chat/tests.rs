use super::*;
use crate::exports::CHATML;

/// In the way of Llama 3: headers, a trimmed content and the first token written by the template.
const HEADERS: &str = "{{- bos_token }}\n{%- for message in messages %}\n{{- '<|start_header_id|>' + message['role'] + \
    '<|end_header_id|>\\n\\n' + message.content.strip() + '<|eot_id|>' }}\n{%- endfor %}\n{%- if \
    add_generation_prompt %}\n{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}\n{%- endif %}";

/// In the way of Llama 2 and Mistral: turns must alternate, and the system message goes into the first one.
const TURNS: &str = "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set \
    system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = \
    false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) \
    %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if \
    loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + \
    '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if \
    message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == \
    'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}";

fn template(source: &str) -> ChatTemplate {
    ChatTemplate {
        file: "test".to_owned(),
        source: source.to_owned(),
        bos: "<s>".to_owned(),
        eos: "</s>".to_owned(),
    }
}

fn said(turns: &[(&str, &str)]) -> Vec<Message> {
    let message = |(role, content): &(&str, &str)| Message {
        role: (*role).to_owned(),
        content: (*content).to_owned(),
    };
    turns.iter().map(message).collect()
}

fn rendered(source: &str, turns: &[(&str, &str)]) -> Result<String, TextError> {
    let date = |format: &str| (format == "%d %b %Y").then(|| "28 Nov 2026".to_owned());
    template(source).prompt(said(turns)).render_at(date)
}

#[test]
fn chatml_is_rendered_as_transformers_does() {
    let turns = [("system", "Be brief."), ("user", " Hi <b> ")];
    assert_eq!(
        rendered(CHATML, &turns).unwrap(),
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi <b><|im_end|>\n<|im_start|>assistant\n"
    );
}

#[test]
fn headers_are_rendered_as_transformers_does() {
    assert_eq!(
        rendered(
            HEADERS,
            &[("user", " Hi\n"), ("assistant", "Hello"), ("user", "1+1?")]
        )
        .unwrap(),
        "<s><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n\
         Hello<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n1+1?<|eot_id|><|start_header_id|>assistant\
         <|end_header_id|>\n\n"
    );
}

#[test]
fn turns_are_rendered_as_transformers_does() {
    let turns = [
        ("system", "Be brief."),
        ("user", "Hi"),
        ("assistant", "Hello"),
        ("user", "Bye"),
    ];
    assert_eq!(
        rendered(TURNS, &turns).unwrap(),
        "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST] Hello </s><s>[INST] Bye [/INST]"
    );
}

#[test]
fn a_template_refuses_in_its_own_words() {
    assert_eq!(
        rendered(TURNS, &[("assistant", "Hello")]),
        Err(TextError::Refused(
            "Conversation roles must alternate user/assistant/user/assistant/...".to_owned()
        ))
    );
}

#[test]
fn dates_are_told() {
    assert_eq!(
        rendered("Today Date: {{ strftime_now('%d %b %Y') }}", &[]).unwrap(),
        "Today Date: 28 Nov 2026"
    );
    assert!(rendered("{{ strftime_now('%Q') }}", &[]).is_err());
}

#[test]
fn json_is_written_as_python_does() {
    assert_eq!(
        rendered("{{ messages | tojson }}", &[("user", "<a> & 'b'")]).unwrap(),
        r#"[{"role": "user", "content": "<a> & 'b'"}]"#
    );
    assert_eq!(
        rendered("{{ [1] | tojson(indent=2) }}", &[]).unwrap(),
        "[\n  1\n]"
    );
}

#[test]
fn marks_for_training_are_passed_over() {
    let source = "{%- for m in messages %}{%- generation %}{{ m.content }}{%- endgeneration -%}\n{% endfor %}";
    assert_eq!(
        rendered(source, &[("user", "a"), ("user", "b")]).unwrap(),
        "ab"
    );
}

#[test]
fn python_methods_and_tests_work() {
    let source = "{% for m in messages if m.role != 'system' %}{% if m.get('tool_calls') is none or m['tool_calls'] \
                  is not defined %}{{ m['content'].split('</think>')[-1].lstrip('\\n') }}{% endif %}{% if not \
                  loop.last %}{% continue %}{% endif %}{% endfor %}";
    assert_eq!(
        rendered(
            source,
            &[("system", "s"), ("user", "<think>x</think>\n\nb")]
        )
        .unwrap(),
        "b"
    );
}

#[test]
fn what_is_no_template_is_refused() {
    for rendering in [
        template("{% for %}").check(),
        template("{% for %}").prompt(Vec::new()),
    ] {
        let refused = rendering.render().unwrap_err().to_string();
        assert!(
            refused.contains("test cannot be understood: the chat template is no Jinja"),
            "{refused}"
        );
    }
    // One that refuses every chat is a template all the same.
    let strict = template("{{ raise_exception('no') }}");
    assert_eq!(strict.check().render(), Ok(String::new()));
}

#[test]
fn template_that_would_not_end_is_stopped_and_a_long_chat_is_not() {
    let endless = "{% for a in range(100000) %}{% for b in range(100000) %}{% for c in range(100000) %}{% endfor %}\
        {% endfor %}{% endfor %}";
    let stopped = rendered(endless, &[("user", "a")]);
    assert!(matches!(stopped, Err(TextError::Refused(_))));
    let long: Vec<_> = (0..10_000).map(|_| ("user", "a")).collect();
    for source in [CHATML, HEADERS] {
        rendered(source, &long).unwrap();
    }
}
