//! Connections to processes outside that could act for the agent.

/// Where a connection goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// A socket in the file system.
    Path(Vec<u8>),
    /// A socket by an abstract name.
    Abstract(Vec<u8>),
    /// A port of this machine.
    Loopback(u16),
    /// Elsewhere: not an escape of files on this machine.
    Elsewhere,
}

/// Read a `sockaddr`.
#[must_use]
pub fn peer(bytes: &[u8]) -> Peer {
    let family = bytes
        .first_chunk::<2>()
        .map_or(0, |family| u16::from_ne_bytes(*family));
    let rest = bytes.get(2..).unwrap_or_default();
    match i32::from(family) {
        libc::AF_UNIX => match rest.split_first() {
            Some((0, name)) => Peer::Abstract(name.to_vec()),
            _ => {
                let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
                Peer::Path(rest.get(..end).unwrap_or_default().to_vec())
            }
        },
        libc::AF_INET => {
            let port = rest
                .first_chunk::<2>()
                .map_or(0, |port| u16::from_be_bytes(*port));
            if rest.get(2) == Some(&127) {
                Peer::Loopback(port)
            } else {
                Peer::Elsewhere
            }
        }
        libc::AF_INET6 => {
            let port = rest
                .first_chunk::<2>()
                .map_or(0, |port| u16::from_be_bytes(*port));
            let loopback = rest.get(6..22).is_some_and(|address| {
                address.iter().take(15).all(|byte| *byte == 0) && address.last() == Some(&1)
            });
            if loopback {
                Peer::Loopback(port)
            } else {
                Peer::Elsewhere
            }
        }
        _ => Peer::Elsewhere,
    }
}

/// What a peer could do for the agent outside this session; `None` for one that is not known to act for others.
#[must_use]
pub fn power(peer: &Peer) -> Option<(String, &'static str)> {
    let (text, table): (String, &[(&str, &str)]) = match peer {
        Peer::Path(path) => (String::from_utf8_lossy(path).into_owned(), &SOCKETS),
        Peer::Abstract(name) => (format!("@{}", String::from_utf8_lossy(name)), &SOCKETS),
        Peer::Loopback(22) => {
            return Some(("localhost:22".to_owned(), "an ssh server runs commands outside"));
        }
        Peer::Loopback(port @ (2375 | 2376)) => {
            return Some((
                format!("localhost:{port}"),
                "a docker daemon runs containers outside",
            ));
        }
        Peer::Loopback(_) | Peer::Elsewhere => return None,
    };
    let power = table
        .iter()
        .find(|(mark, _)| text.contains(mark))
        .map(|(_, power)| *power)?;
    Some((text, power))
}

const SOCKETS: [(&str, &str); 14] = [
    (
        "docker.sock",
        "a docker daemon runs containers outside, with any file mounted",
    ),
    ("containerd.sock", "a container daemon runs containers outside"),
    ("podman.sock", "a container service runs containers outside"),
    ("crio.sock", "a container daemon runs containers outside"),
    ("/tmux-", "a tmux server runs commands outside"),
    ("/screen", "a screen session runs commands outside"),
    ("ssh-", "an ssh agent signs in elsewhere in your name"),
    ("ssh_auth", "an ssh agent signs in elsewhere in your name"),
    ("S.gpg-agent", "a gpg agent signs in your name"),
    ("systemd/private", "systemd starts services outside"),
    ("/run/systemd", "systemd starts services outside"),
    ("dbus", "D-Bus services act outside"),
    ("/bus", "D-Bus services act outside"),
    ("emacs", "an editor server acts outside"),
];

#[cfg(test)]
mod tests {
    use super::{Peer, peer, power};

    #[test]
    fn daemons_that_act_for_others_are_known_and_others_are_not() {
        let unix = |path: &str| [&1_u16.to_ne_bytes()[..], path.as_bytes(), b"\0"].concat();
        assert!(power(&peer(&unix("/var/run/docker.sock"))).is_some());
        assert!(power(&peer(&unix("/tmp/tmux-1000/default"))).is_some());
        assert!(power(&peer(&unix("/tmp/.s.PGSQL.5432"))).is_none());
        let ssh = [
            &2_u16.to_ne_bytes()[..],
            &22_u16.to_be_bytes(),
            &[127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        ]
        .concat();
        assert_eq!(peer(&ssh), Peer::Loopback(22));
    }
}
