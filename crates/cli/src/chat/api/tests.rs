use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;

/// A gateway that answers one request with these bytes, cut into pieces of so many; gives its address and, in the end,
/// what it was asked.
async fn gateway(answer: String, piece: usize) -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let asked = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        // The request is read to its end, which Content-Length tells.
        loop {
            let text = String::from_utf8_lossy(&asked).to_ascii_lowercase();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "));
                if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                    break;
                }
            }
            let mut more = [0; 1024];
            let count = socket.read(&mut more).await.unwrap();
            asked.extend_from_slice(&more[..count]);
        }
        for bytes in answer.as_bytes().chunks(piece) {
            socket.write_all(bytes).await.unwrap();
            socket.flush().await.unwrap();
        }
        String::from_utf8(asked).unwrap()
    });
    (address, asked)
}

fn stream(events: &[&str]) -> String {
    let body: String = events
        .iter()
        .map(|event| format!("data: {event}\n\n"))
        .collect();
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{body}")
}

fn json_answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

async fn answer(events: &[&str], piece: usize) -> (Result<Answer>, String) {
    let (address, asked) = gateway(stream(events), piece).await;
    let settings = Settings {
        temperature: Some(0.5),
        ..Settings::default()
    };
    let api = Api::connect(&address, Some("secret"), settings)
        .unwrap()
        .of("chat".to_owned());
    let mut coming = api.ask(&[Message::new("user", "Hi")]).await.unwrap();
    let mut answer = Answer::default();
    let result = loop {
        match coming.next().await {
            Ok(Some(piece)) => answer.add(piece),
            Ok(None) => break Ok(answer),
            Err(error) => break Err(error),
        }
    };
    (result, asked.await.unwrap())
}

const FIRST: &str = r#"{"choices":[{"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#;
const TEXT: &str =
    r#"{"choices":[{"delta":{"content":"Größe 🦀"},"finish_reason":null}],"usage":null}"#;
const STOP: &str = r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":null}"#;
const USAGE: &str =
    r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#;

#[tokio::test]
async fn an_answer_is_put_together_in_whatever_pieces_it_comes() {
    for piece in [1, 7, 4_096] {
        let (result, asked) = answer(&[FIRST, TEXT, TEXT, STOP, USAGE, "[DONE]"], piece).await;
        let wanted = Answer {
            text: "Größe 🦀Größe 🦀".to_owned(),
            finish: Some("stop".to_owned()),
            prompt_tokens: Some(3),
            completion_tokens: Some(4),
        };
        assert_eq!(result.unwrap(), wanted);
        assert!(asked.starts_with("POST /v1/chat/completions "), "{asked}");
        assert!(
            asked
                .to_ascii_lowercase()
                .contains("authorization: bearer secret"),
            "{asked}"
        );
        assert!(
            asked.contains("\"temperature\":0.5") && !asked.contains("seed"),
            "{asked}"
        );
    }
}

#[tokio::test]
async fn an_error_within_an_answer_is_told() {
    let error = r#"{"error":{"message":"everybody is busy","type":"x"}}"#;
    let (result, _) = answer(&[FIRST, TEXT, error], 4_096).await;
    assert_eq!(
        result.unwrap_err().to_string(),
        "the answer failed: everybody is busy"
    );
}

#[tokio::test]
async fn an_answer_that_breaks_off_has_no_finish() {
    let (result, _) = answer(&[FIRST, TEXT], 4_096).await;
    assert_eq!(result.unwrap().finish, None);
}

#[tokio::test]
async fn a_refusal_is_told_in_the_gateways_words() {
    let body = r#"{"error":{"message":"this gateway wants a key"}}"#;
    let (address, _asked) = gateway(json_answer("401 Unauthorized", body), 4_096).await;
    let api = Api::connect(&address, None, Settings::default()).unwrap();
    let refused = api.only_chat_model().await.unwrap_err().to_string();
    assert_eq!(
        refused,
        "the gateway refuses (401 Unauthorized): this gateway wants a key"
    );
}

#[tokio::test]
async fn the_only_chat_model_is_chosen_and_of_several_none() {
    let model = |id: &str, kind: &str| json!({ "id": id, "kind": kind });
    for (models, chosen) in [
        (
            vec![model("a", "embedding"), model("b", "decoder")],
            Ok("b"),
        ),
        (
            vec![model("a", "decoder"), model("b", "decoder")],
            Err("a, b"),
        ),
        (vec![model("a", "tensors")], Err("no chat model")),
    ] {
        let body = json!({ "data": models }).to_string();
        let (address, _asked) = gateway(json_answer("200 OK", &body), 4_096).await;
        let api = Api::connect(&address, None, Settings::default()).unwrap();
        match (api.only_chat_model().await, chosen) {
            (Ok(found), Ok(wanted)) => assert_eq!(found, wanted),
            (Err(found), Err(part)) => assert!(found.to_string().contains(part), "{found}"),
            (found, wanted) => panic!("{found:?} is not {wanted:?}"),
        }
    }
}

#[tokio::test]
async fn a_gateway_that_is_not_there_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let api = Api::connect(&address, None, Settings::default()).unwrap();
    let refused = api.only_chat_model().await.unwrap_err().to_string();
    assert!(
        refused.contains(&address) && refused.contains("assay gateway"),
        "{refused}"
    );
}
