//! Requests as any client may send them, over a connection of their own.

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Error, ErrorKind, Read as _, Result, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// Longer than any answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request.
#[derive(Debug, Clone)]
pub struct Ask {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// An answer of which the body still comes.
#[derive(Debug)]
pub struct Coming {
    /// Its status and headers; its body is empty.
    pub head: Answer,
    reader: BufReader<TcpStream>,
    /// Bytes of a chunk that are not read yet.
    left: usize,
    over: bool,
}

impl Ask {
    /// One without a body.
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// `GET`.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// `POST` of an object.
    pub fn post(path: &str, body: &Value) -> Self {
        Self::new("POST", path).json(body)
    }

    /// With an object.
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// With any body.
    pub fn body(mut self, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", kind)
    }

    /// With a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a token.
    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Send it, and read what comes to its end.
    ///
    /// # Errors
    /// Nobody is there, or they went away meanwhile.
    pub fn try_of(&self, port: u16) -> Result<Answer> {
        let mut coming = self.open(port)?;
        let mut body = Vec::new();
        while let Some(line) = coming.line()? {
            body.extend(line);
        }
        Ok(Answer { body, ..coming.head })
    }

    /// The same, where somebody must be there.
    ///
    /// # Panics
    /// Nobody is.
    #[track_caller]
    pub fn of(&self, port: u16) -> Answer {
        self.try_of(port)
            .unwrap_or_else(|error| panic!("{} {}: {error}", self.method, self.path))
    }

    /// Send it, and read the head of what comes.
    ///
    /// # Errors
    /// As [`Ask::try_of`].
    pub fn open(&self, port: u16) -> Result<Coming> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut head = format!(
            "{} {} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n",
            self.method, self.path
        );
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !self.body.is_empty() || self.method != "GET" {
            head += &format!("content-length: {}\r\n", self.body.len());
        }
        head += "connection: close\r\n\r\n";
        stream.write_all(head.as_bytes())?;
        // Who refuses a body may close before it has come.
        let _refused = stream.write_all(&self.body);
        Coming::of(stream)
    }
}

impl Coming {
    fn of(stream: TcpStream) -> Result<Self> {
        let mut reader = BufReader::new(stream);
        let broken = || Error::new(ErrorKind::UnexpectedEof, "no whole answer");
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut head = Answer {
            status: status.ok_or_else(broken)?,
            headers: Vec::new(),
            body: Vec::new(),
        };
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Err(broken());
            }
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            head.headers
                .push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Self {
            head,
            reader,
            left: 0,
            over: false,
        })
    }

    /// The next line, with its end, or what is left; none: it is whole.
    ///
    /// # Errors
    /// Who answered went away before its end.
    pub fn line(&mut self) -> Result<Option<Vec<u8>>> {
        let chunked = self.head.header("transfer-encoding") == "chunked";
        let mut line = Vec::new();
        loop {
            if chunked && self.left == 0 && !self.over {
                self.next_chunk()?;
            }
            if chunked && self.over {
                return Ok((!line.is_empty()).then_some(line));
            }
            let before = line.len();
            let most = if chunked { self.left as u64 } else { u64::MAX };
            (&mut self.reader).take(most).read_until(b'\n', &mut line)?;
            let read = line.len() - before;
            if chunked {
                self.left -= read;
                if self.left == 0 {
                    self.reader.read_line(&mut String::new())?;
                }
            }
            if line.ends_with(b"\n") {
                return Ok(Some(line));
            }
            if read == 0 {
                return match chunked {
                    true => Err(Error::new(ErrorKind::UnexpectedEof, "cut off")),
                    false => Ok((!line.is_empty()).then_some(line)),
                };
            }
        }
    }

    fn next_chunk(&mut self) -> Result<()> {
        let mut size = String::new();
        self.reader.read_line(&mut size)?;
        self.left = usize::from_str_radix(size.trim(), 16)
            .map_err(|_| Error::new(ErrorKind::UnexpectedEof, "cut off"))?;
        self.over = self.left == 0;
        Ok(())
    }
}

impl Answer {
    /// A header; empty where it is not there.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(own, _)| own == name);
        found.map_or("", |(_, value)| value)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        crate::text(&self.body)
    }

    /// The body as an object.
    ///
    /// # Panics
    /// It is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// That it has this status.
    ///
    /// # Panics
    /// It has not.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert!(
            self.status == status,
            "{}, not {status}: {}",
            self.status,
            self.text()
        );
        self
    }

    /// That it is this problem, with everything that problems have.
    ///
    /// # Panics
    /// It is another one, or none.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        let answer = self.is(status);
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{}",
            answer.text()
        );
        let problem = answer.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["type"], format!("/errors/{code}"), "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        assert!(
            problem["title"].as_str().is_some_and(|text| !text.is_empty()),
            "{problem}"
        );
        problem
    }
}
