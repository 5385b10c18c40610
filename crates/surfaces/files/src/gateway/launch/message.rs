//! What the processes of a run tell each other.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;

/// What the guardian and the front tell and are told, as five bytes: a letter and a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// Guardian: this is the agent's process.
    Started(i32),
    /// The agent ended with this code.
    Exited(i32),
    /// The agent was ended by this signal.
    Signaled(i32),
    /// The agent was stopped.
    Stopped(i32),
    /// The agent goes on.
    Continued,
    /// Guardian: no process of the tree is left.
    Empty,
    /// To the guardian: end the whole tree.
    Kill,
    /// Front: this signal came for the agent.
    Forward(i32),
}

impl Message {
    fn bytes(self) -> [u8; 5] {
        let (letter, number) = match self {
            Self::Started(pid) => (b'A', pid),
            Self::Exited(code) => (b'E', code),
            Self::Signaled(signal) => (b'S', signal),
            Self::Stopped(signal) => (b'T', signal),
            Self::Continued => (b'C', 0),
            Self::Empty => (b'0', 0),
            Self::Kill => (b'K', 0),
            Self::Forward(signal) => (b'F', signal),
        };
        let [a, b, c, d] = number.to_le_bytes();
        [letter, a, b, c, d]
    }

    fn parse(bytes: [u8; 5]) -> Option<Self> {
        let [letter, a, b, c, d] = bytes;
        let number = i32::from_le_bytes([a, b, c, d]);
        Some(match letter {
            b'A' => Self::Started(number),
            b'E' => Self::Exited(number),
            b'S' => Self::Signaled(number),
            b'T' => Self::Stopped(number),
            b'C' => Self::Continued,
            b'0' => Self::Empty,
            b'K' => Self::Kill,
            b'F' => Self::Forward(number),
            _ => return None,
        })
    }

    /// Say it.
    ///
    /// # Errors
    /// The other side is gone.
    pub fn send(self, mut to: &UnixStream) -> io::Result<()> {
        to.write_all(&self.bytes())
    }

    /// Hear one; `None` when the other side is gone.
    ///
    /// # Errors
    /// The socket failed.
    pub fn receive(mut from: &UnixStream) -> io::Result<Option<Self>> {
        let mut bytes = [0_u8; 5];
        match from.read_exact(&mut bytes) {
            Ok(()) => Ok(Self::parse(bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(None),
            Err(error) => Err(error),
        }
    }
}
