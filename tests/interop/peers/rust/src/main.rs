//! tungstenite as client or backend; ../../../README.md has the command line.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use sha2::{Digest, Sha256};
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame};
use tungstenite::{ClientRequestBuilder, Message, WebSocket};

const PROTOCOL: &str = "chat.v2";

type Outcome = Result<(), Box<dyn Error>>;

/// What is printed of a message; a ping's answer is the library's own affair.
fn describe(message: &Message) -> Option<String> {
    let hashed = |kind: &str, data: &[u8]| {
        Some(format!(
            "{} {} {:x}",
            kind,
            data.len(),
            Sha256::digest(data)
        ))
    };
    match message {
        Message::Text(text) => hashed("text", text.as_bytes()),
        Message::Binary(data) => hashed("binary", data),
        Message::Pong(data) => Some(format!("pong {}", String::from_utf8_lossy(data))),
        Message::Close(Some(end)) => Some(format!("close {} {}", u16::from(end.code), end.reason)),
        Message::Close(None) => Some("close 1005 ".to_string()),
        _ => None,
    }
}

fn send_split<S: Read + Write>(socket: &mut WebSocket<S>, data: &[u8]) -> Outcome {
    let third = data.len() / 3;
    let parts = [
        (Data::Text, &data[..third]),
        (Data::Continue, &data[third..2 * third]),
        (Data::Continue, &data[2 * third..]),
    ];
    for (i, (kind, part)) in parts.into_iter().enumerate() {
        let frame = Frame::message(part.to_vec(), OpCode::Data(kind), i == 2);
        socket.send(Message::Frame(frame))?;
    }
    Ok(())
}

fn send_close<S: Read + Write>(socket: &mut WebSocket<S>, words: &str) -> Outcome {
    let (code, reason) = words.split_once(' ').unwrap_or((words, ""));
    let frame = CloseFrame {
        code: code.parse::<u16>()?.into(),
        reason: reason.to_string().into(),
    };
    Ok(socket.close(Some(frame))?)
}

fn answer<S: Read + Write>(socket: &mut WebSocket<S>, message: Message) -> Outcome {
    let text = match &message {
        Message::Text(text) => text.as_str(),
        _ => "",
    };
    if let Some(rest) = text.strip_prefix("please split ") {
        send_split(socket, rest.as_bytes())
    } else if let Some(rest) = text.strip_prefix("please ping ") {
        Ok(socket.send(Message::Ping(rest.as_bytes().to_vec()))?)
    } else if let Some(rest) = text.strip_prefix("please close ") {
        send_close(socket, rest)
    } else {
        match message {
            Message::Text(_) | Message::Binary(_) => Ok(socket.send(message)?),
            Message::Pong(data) => Ok(socket.send(Message::Text(String::from_utf8(data)?))?),
            _ => Ok(()),
        }
    }
}

fn serve_one(stream: TcpStream) -> Outcome {
    let mut path = String::new();
    let choose = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        path = request.uri().path().to_string();
        let offered = request.headers().get("Sec-WebSocket-Protocol");
        let offered = offered.and_then(|value| value.to_str().ok()).unwrap_or("");
        if offered.split(',').any(|name| name.trim() == PROTOCOL) {
            let chosen = PROTOCOL.parse().expect("a header value");
            response
                .headers_mut()
                .insert("Sec-WebSocket-Protocol", chosen);
        }
        Ok(response)
    };
    let mut socket = tungstenite::accept_hdr(stream, choose).map_err(|error| error.to_string())?;
    loop {
        match socket.read() {
            Ok(message) => {
                if let Some(line) = describe(&message) {
                    println!("{} {}", path, line);
                }
                answer(&mut socket, message)?;
            }
            Err(tungstenite::Error::ConnectionClosed) => return Ok(()),
            Err(error) => {
                println!("{} broken {}", path, error);
                return Ok(());
            }
        }
    }
}

fn serve() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    for stream in listener.incoming() {
        let stream = stream?;
        std::thread::spawn(move || {
            if let Err(error) = serve_one(stream) {
                eprintln!("{}", error);
            }
        });
    }
    Ok(())
}

fn step<S: Read + Write>(socket: &mut WebSocket<S>, words: &str) -> Outcome {
    let (what, detail) = words.split_once(':').ok_or("a step has a colon")?;
    match what {
        "text" => Ok(socket.send(Message::Text(std::fs::read_to_string(detail)?))?),
        "binary" => Ok(socket.send(Message::Binary(std::fs::read(detail)?))?),
        "split" => send_split(socket, &std::fs::read(detail)?),
        "ping" => Ok(socket.send(Message::Ping(detail.as_bytes().to_vec()))?),
        "close" => send_close(socket, detail),
        _ => Err(format!("no step {:?}", words).into()),
    }
}

fn connect(url: &str, steps: &[String]) -> Outcome {
    // Of those that with_sub_protocol() joins with ", ", the library takes only the first back.
    let request = ClientRequestBuilder::new(url.parse()?)
        .with_header("Sec-WebSocket-Protocol", format!("chat.v1,{}", PROTOCOL));
    let (mut socket, response) = tungstenite::connect(request)?;
    let field = |name: &str| {
        let value = response
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok());
        value
            .unwrap_or("")
            .split(';')
            .next()
            .unwrap_or("")
            .to_string()
    };
    println!(
        "open {} {}",
        field("Sec-WebSocket-Protocol"),
        field("Sec-WebSocket-Extensions")
    );
    for words in steps {
        step(&mut socket, words)?;
        loop {
            if let Some(line) = describe(&socket.read()?) {
                println!("{}", line);
                break;
            }
        }
    }
    // The answer to a close of the backend is still to be sent.
    while socket.read().is_ok() {}
    Ok(())
}

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments[1].as_str() {
        "serve" => serve(),
        // There is no permessage-deflate in this library, so arguments[3], the mode, is always plain.
        _ => connect(&arguments[2], &arguments[4..]),
    }
}
