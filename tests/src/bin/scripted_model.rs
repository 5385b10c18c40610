//! A model endpoint whose every word is written down before: it has an agent run a list of commands with its shell tool.
//!
//! `scripted_model COMMANDS.json` prints its port on loopback and serves until it is ended. Of the Messages API it speaks
//! as much as a coding agent needs: `POST /v1/messages` with server-sent events, and token counts.

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

fn event(name: &str, data: &Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

/// How many of the commands have been run, by what the agent sends back.
fn results(request: &Value) -> usize {
    let messages = request["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let parts = messages
        .iter()
        .filter_map(|message| message["content"].as_array())
        .flatten();
    parts.filter(|part| part["type"] == "tool_result").count()
}

fn answer(request: &Value, commands: &[String]) -> Value {
    let has_shell = request["tools"]
        .as_array()
        .is_some_and(|tools| tools.iter().any(|tool| tool["name"] == "Bash"));
    match commands.get(results(request)).filter(|_| has_shell) {
        Some(command) => json!({
            "type": "tool_use", "id": format!("toolu_{:06}", results(request)), "name": "Bash",
            "input": {"command": command, "description": "tidy up"},
        }),
        None => json!({"type": "text", "text": "All tidy."}),
    }
}

fn stream(request: &Value, block: &Value) -> String {
    let tool = block["type"] == "tool_use";
    let (mut start, delta) = (
        block.clone(),
        match tool {
            true => json!({"type": "input_json_delta", "partial_json": block["input"].to_string()}),
            false => json!({"type": "text_delta", "text": block["text"]}),
        },
    );
    match tool {
        true => start["input"] = json!({}),
        false => start["text"] = json!(""),
    }
    let reason = if tool { "tool_use" } else { "end_turn" };
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": request["model"], "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 10, "output_tokens": 1}});
    [
        event(
            "message_start",
            &json!({"type": "message_start", "message": message}),
        ),
        event(
            "content_block_start",
            &json!({"type": "content_block_start", "index": 0, "content_block": start}),
        ),
        event(
            "content_block_delta",
            &json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        ),
        event(
            "content_block_stop",
            &json!({"type": "content_block_stop", "index": 0}),
        ),
        event(
            "message_delta",
            &json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null},
            "usage": {"output_tokens": 9}}),
        ),
        event("message_stop", &json!({"type": "message_stop"})),
    ]
    .concat()
}

fn reply(path: &str, request: &Value, commands: &[String]) -> (&'static str, String) {
    if path.starts_with("/v1/messages/count_tokens") {
        return ("application/json", json!({"input_tokens": 10}).to_string());
    }
    if !path.starts_with("/v1/messages") {
        return ("application/json", "{}".to_owned());
    }
    let block = answer(request, commands);
    if request["stream"] == true {
        return ("text/event-stream", stream(request, &block));
    }
    let reason = if block["type"] == "tool_use" {
        "tool_use"
    } else {
        "end_turn"
    };
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": request["model"],
        "content": [block], "stop_reason": reason, "stop_sequence": null,
        "usage": {"input_tokens": 10, "output_tokens": 9}});
    ("application/json", message.to_string())
}

fn serve(connection: TcpStream, commands: &[String]) -> std::io::Result<()> {
    let mut out = connection.try_clone()?;
    let mut input = BufReader::new(connection);
    loop {
        let mut first = String::new();
        if input.read_line(&mut first)? == 0 {
            return Ok(());
        }
        let path = first.split_whitespace().nth(1).unwrap_or("/").to_owned();
        let mut length = 0;
        loop {
            let mut line = String::new();
            if input.read_line(&mut line)? == 0 || line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        input.read_exact(&mut body)?;
        let request = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let (kind, body) = reply(&path, &request, commands);
        write!(
            out,
            "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )?;
        if !first.starts_with("HEAD ") {
            out.write_all(body.as_bytes())?;
        }
    }
}

fn main() {
    let script = std::env::args()
        .nth(1)
        .expect("usage: scripted_model COMMANDS.json");
    let commands = std::fs::read(&script).expect("the commands");
    let commands: Vec<String> = serde_json::from_slice(&commands).expect("a list of commands");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    println!("{}", listener.local_addr().expect("an address").port());
    for connection in listener.incoming().flatten() {
        let commands = commands.clone();
        std::thread::spawn(move || {
            // The agent may go at any moment.
            let _ended = serve(connection, &commands);
        });
    }
}
