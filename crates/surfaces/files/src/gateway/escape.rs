//! Connections to processes outside that could act for the agent.

use std::net::{IpAddr, SocketAddr};

/// Where a connection goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// A socket in the file system.
    Path(Vec<u8>),
    /// A socket by an abstract name.
    Abstract(Vec<u8>),
    /// A port of this machine.
    Loopback(u16),
    /// Another machine, by its address.
    Elsewhere(SocketAddr),
    /// Nothing that could act for anybody: a netlink socket, a datagram's end.
    Other,
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
            let address = rest.get(2..).and_then(|rest| rest.first_chunk::<4>());
            address.map_or(Peer::Other, |address| by_address((*address).into(), port(rest)))
        }
        libc::AF_INET6 => {
            let address = rest.get(6..).and_then(|rest| rest.first_chunk::<16>());
            address.map_or(Peer::Other, |address| {
                by_address(IpAddr::from(*address).to_canonical(), port(rest))
            })
        }
        _ => Peer::Other,
    }
}

fn port(rest: &[u8]) -> u16 {
    rest.first_chunk::<2>()
        .map_or(0, |port| u16::from_be_bytes(*port))
}

/// No address at all means this machine, too.
fn by_address(address: IpAddr, port: u16) -> Peer {
    if address.is_loopback() || address.is_unspecified() {
        Peer::Loopback(port)
    } else {
        Peer::Elsewhere(SocketAddr::new(address, port))
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
        Peer::Loopback(_) | Peer::Elsewhere(_) | Peer::Other => return None,
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
        let elsewhere = [
            &2_u16.to_ne_bytes()[..],
            &443_u16.to_be_bytes(),
            &[203, 0, 113, 5, 0, 0, 0, 0, 0, 0, 0, 0],
        ]
        .concat();
        assert_eq!(
            peer(&elsewhere),
            Peer::Elsewhere("203.0.113.5:443".parse().unwrap())
        );
        let mapped = [
            &10_u16.to_ne_bytes()[..],
            &80_u16.to_be_bytes(),
            &[0; 4],
            &"::ffff:127.0.0.1".parse::<std::net::Ipv6Addr>().unwrap().octets(),
        ]
        .concat();
        assert_eq!(peer(&mapped), Peer::Loopback(80));
        assert_eq!(peer(&[16, 0]), Peer::Other);
    }
}
