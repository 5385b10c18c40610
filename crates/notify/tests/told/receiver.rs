//! A receiver of webhooks with the faults that receivers have, on a real socket.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// How long a test waits before it fails.
pub const LIMIT: Duration = Duration::from_secs(60);

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub path: String,
    /// Names in small letters.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What is done with a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A status, further header lines, a body.
    Status(u16, &'static str, &'static str),
    /// Nothing, until the other side gives up.
    Silence,
    /// Half a status line, then the end.
    Half,
    /// A good status with less body than it promised.
    HalfBody,
    /// The connection is closed without a word.
    Drop,
    /// Headers without end.
    Endless,
}

pub const OK: Answer = Answer::Status(204, "", "");

/// A receiver: its port, and what it got.
#[derive(Clone)]
pub struct Receiver {
    pub port: u16,
    got: Arc<(Mutex<Vec<Request>>, Condvar)>,
}

impl Receiver {
    /// `answer` gets the number of the request, from 0.
    pub fn start(answer: impl Fn(usize, &Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Self {
            port: listener.local_addr().unwrap().port(),
            got: Arc::default(),
        };
        let own = receiver.clone();
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (own, answer) = (own.clone(), Arc::clone(&answer));
                std::thread::spawn(move || own.serve(stream, &*answer));
            }
        });
        receiver
    }

    fn serve(&self, mut stream: TcpStream, answer: &dyn Fn(usize, &Request) -> Answer) {
        let Some(request) = read(&stream) else { return };
        let (got, changed) = &*self.got;
        let number = {
            let mut got = got.lock().unwrap();
            got.push(request.clone());
            changed.notify_all();
            got.len() - 1
        };
        // The other side may be gone by now: it was killed, or gave up.
        let _ = match answer(number, &request) {
            Answer::Status(status, head, body) => write!(
                stream,
                "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{head}connection: close\r\n\r\n{body}",
                body.len()
            ),
            Answer::Silence => stream.read_to_end(&mut Vec::new()).map(drop),
            Answer::Half => stream.write_all(b"HTTP/1.1 20"),
            Answer::HalfBody => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf of"),
            Answer::Drop => Ok(()),
            Answer::Endless => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
                while stream
                    .write_all(b"x-more: and more and more and more\r\n")
                    .is_ok()
                {}
                Ok(())
            }
        };
    }

    /// What came so far.
    pub fn got(&self) -> Vec<Request> {
        self.got.0.lock().unwrap().clone()
    }

    /// Wait until so many requests came.
    pub fn wait(&self, count: usize) -> Vec<Request> {
        let (got, changed) = &*self.got;
        let (got, late) = changed
            .wait_timeout_while(got.lock().unwrap(), LIMIT, |got| got.len() < count)
            .unwrap();
        assert!(!late.timed_out(), "{} of {count} requests came", got.len());
        got.clone()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length: usize = headers.get("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { path, headers, body })
}

/// Poll until it is so.
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < LIMIT, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
