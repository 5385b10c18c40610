//! A server on loopback that keeps the state which the programs of `remote_tool` show and change. It makes every change that
//! it is asked for, as often as it is asked for: what happens once happens because nobody asks twice.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A change that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The idempotency key it came with; `-` for none.
    pub key: String,
    /// What it was about.
    pub name: String,
    /// What it was set to.
    pub value: String,
}

/// What is done with a request at which the server was told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It is carried out, and nobody is answered.
    Done,
    /// It is lost.
    Lost,
}

/// The server's side of a request that it stops at.
#[derive(Debug)]
struct Stop {
    reached: Sender<()>,
    then: Receiver<Then>,
    over: Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    values: BTreeMap<String, (String, u64)>,
    made: Vec<Made>,
    asked: Vec<String>,
    refused: Option<&'static str>,
    stop: Option<(usize, Stop)>,
}

/// The server. It serves until the test ends.
#[derive(Debug, Clone)]
pub struct Remote {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

/// A request that the server was told to stop at.
#[derive(Debug)]
pub struct Stopped {
    reached: Receiver<()>,
    then: Sender<Then>,
    over: Receiver<()>,
}

impl Stopped {
    /// Wait until it has come; `false`: nobody made as many requests in this time.
    pub fn reached(&self, within: std::time::Duration) -> bool {
        self.reached.recv_timeout(within).is_ok()
    }

    /// Go on, and wait until it is done or lost.
    ///
    /// # Panics
    /// The server is gone.
    pub fn go_on(&self, then: Then) {
        self.then.send(then).expect("the server waits");
        self.over.recv().expect("the server goes on");
    }
}

impl Remote {
    /// Serve, with these values.
    ///
    /// # Panics
    /// There is no loopback.
    pub fn new(values: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let values = values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), ((*value).to_owned(), 1)));
        let state = State {
            values: values.collect(),
            ..State::default()
        };
        let remote = Self {
            address: listener.local_addr().expect("an address"),
            state: Arc::new(Mutex::new(state)),
        };
        let serving = remote.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let one = serving.clone();
                std::thread::spawn(move || one.serve(stream));
            }
        });
        remote
    }

    /// Where it serves.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A value.
    ///
    /// # Panics
    /// There is none of this name.
    #[track_caller]
    pub fn value(&self, name: &str) -> String {
        let state = self.state();
        let found = state.values.get(name);
        found
            .unwrap_or_else(|| panic!("no `{name}` among {:?}", state.values))
            .0
            .clone()
    }

    /// Somebody else changes a value.
    pub fn set(&self, name: &str, value: &str) {
        let mut state = self.state();
        let version = state.values.get(name).map_or(0, |(_, version)| *version) + 1;
        state.values.insert(name.to_owned(), (value.to_owned(), version));
    }

    /// The changes that programs made, in order.
    pub fn made(&self) -> Vec<Made> {
        self.state().made.clone()
    }

    /// Those of them that came with a key: the compensations.
    pub fn compensations(&self) -> Vec<Made> {
        self.made().into_iter().filter(|made| made.key != "-").collect()
    }

    /// The requests so far: verb and name.
    pub fn asked(&self) -> Vec<String> {
        self.state().asked.clone()
    }

    /// Refuse requests of this kind from now on; `None`: no more.
    pub fn refuse(&self, verb: Option<&'static str>) {
        self.state().refused = verb;
    }

    /// Stop at the request after so many more.
    pub fn stop_at(&self, after: usize) -> Stopped {
        let (reached, told) = channel();
        let (then, asked) = channel();
        let (over, ended) = channel();
        let stop = Stop {
            reached,
            then: asked,
            over,
        };
        self.state().stop = Some((after, stop));
        Stopped {
            reached: told,
            then,
            over: ended,
        }
    }

    fn serve(&self, stream: TcpStream) {
        let mut line = String::new();
        let mut reader = BufReader::new(&stream);
        if reader.read_line(&mut line).is_err() {
            return;
        }
        let stop = {
            let mut state = self.state();
            match state.stop.take() {
                Some((0, stop)) => Some(stop),
                Some((more, stop)) => {
                    state.stop = Some((more - 1, stop));
                    None
                }
                None => None,
            }
        };
        if let Some(stop) = stop {
            let waits = stop.reached.send(()).is_ok();
            let then = stop.then.recv().unwrap_or(Then::Lost);
            if waits && then == Then::Done {
                self.answer(line.trim_end_matches('\n'));
            }
            let _the_test_is_over_then = stop.over.send(());
            return;
        }
        let answer = self.answer(line.trim_end_matches('\n'));
        let mut stream = &stream;
        let _the_program_is_gone_then = writeln!(stream, "{answer}");
    }

    fn answer(&self, line: &str) -> String {
        let words: Vec<&str> = line.split('\t').collect();
        let [key, verb, name, value] = words.as_slice() else {
            return "no such request".to_owned();
        };
        let mut state = self.state();
        state.asked.push(format!("{verb} {name}"));
        if state.refused == Some(*verb) {
            return "no Forbidden".to_owned();
        }
        let Some((found, version)) = state.values.get(*name).cloned() else {
            return format!("no Error from server (NotFound): {name} not found");
        };
        if *verb == "set" {
            state
                .values
                .insert((*name).to_owned(), ((*value).to_owned(), version + 1));
            state.made.push(Made {
                key: (*key).to_owned(),
                name: (*name).to_owned(),
                value: (*value).to_owned(),
            });
        }
        format!("ok {found} {version}")
    }
}
