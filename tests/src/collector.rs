//! A receiver of what is posted, on loopback. It keeps every body, and can stop at one of them, before or after it has it.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What it does when it was told to stop: called with the number of the request, from 0; `false`: it does not answer.
type Hook = Box<dyn FnMut(usize) -> bool + Send>;

/// A receiver. It serves as long as the process lives.
#[derive(Clone)]
pub struct Collector {
    address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    bodies: Vec<Vec<u8>>,
    heads: Vec<String>,
    hook: Option<Hook>,
    requests: usize,
}

impl Collector {
    /// Listen, on a port of the system's choice.
    ///
    /// # Panics
    /// No port is to be had.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let collector = Self {
            address: listener.local_addr().expect("an address").to_string(),
            state: Arc::default(),
        };
        let serving = collector.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let one = serving.clone();
                std::thread::spawn(move || one.serve(stream));
            }
        });
        collector
    }

    /// `http://HOST:PORT` and the path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Call this at each request, before it is kept.
    pub fn at_each(&self, hook: impl FnMut(usize) -> bool + Send + 'static) {
        self.state().hook = Some(Box::new(hook));
    }

    /// The bodies so far.
    pub fn bodies(&self) -> Vec<Vec<u8>> {
        self.state().bodies.clone()
    }

    /// The heads so far.
    pub fn heads(&self) -> Vec<String> {
        self.state().heads.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Ok(Some((head, body))) = request(&mut reader) {
            let answers = {
                let mut state = self.state();
                let number = state.requests;
                state.requests += 1;
                state.bodies.push(body);
                state.heads.push(head);
                state.hook.as_mut().is_none_or(|hook| hook(number))
            };
            let answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
            if !answers || reader.get_mut().write_all(answer).is_err() {
                return;
            }
        }
    }
}

/// The next request: its head and its body.
fn request(reader: &mut BufReader<TcpStream>) -> io::Result<Option<(String, Vec<u8>)>> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let start = head.len();
        if reader.read_line(&mut head)? == 0 {
            return Ok(None);
        }
        let line = head[start..].trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(number) = line.strip_prefix("content-length:") {
            length = number.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some((head, body)))
}
