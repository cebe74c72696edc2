//! A node on loopback that answers as a test says.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};

use crate::Cluster;

pub struct Node {
    pub cluster: Cluster,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Node {
    /// Answers by method and parameters; where there is no answer, the connection is closed.
    pub fn start(mut answer: impl FnMut(&str, &Value) -> Option<Value> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = request(&stream);
                let method = request["method"].as_str().unwrap();
                log.lock().unwrap().push(method.to_owned());
                let Some(mut answer) = answer(method, &request["params"]) else {
                    continue;
                };
                answer["jsonrpc"] = json!("2.0");
                answer["id"] = json!(0);
                let body = answer.to_string();
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                )
                .unwrap();
            }
        });
        Self {
            cluster: Cluster::new(url, Duration::from_secs(30)),
            asked,
        }
    }

    /// The methods of all requests, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Answers each method from a list, the last answer again and again.
pub fn listed(
    mut answers: Vec<(&'static str, Vec<Option<Value>>)>,
) -> impl FnMut(&str, &Value) -> Option<Value> {
    move |method, _| {
        let list = answers.iter_mut().find(|(name, _)| *name == method);
        match list {
            Some((_, list)) if list.len() > 1 => list.remove(0),
            Some((_, list)) => list[0].clone(),
            None => Some(json!({ "result": null })),
        }
    }
}

fn request(stream: &TcpStream) -> Value {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim().to_ascii_lowercase();
        if let Some(text) = line.strip_prefix("content-length:") {
            length = text.trim().parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    serde_json::from_slice(&body).unwrap()
}
