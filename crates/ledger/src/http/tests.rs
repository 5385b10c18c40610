use super::*;

#[test]
fn urls_that_can_be_no_mirror_are_refused_with_the_reason() {
    let why = |url| HttpStore::open(url).err().unwrap().to_string();
    assert!(why("ftp://example.com").contains("only http:// and https://"));
    for url in [
        "http://",
        "http:///x",
        "http://a b/",
        "http://user@host/",
        "http://host/?q",
        "http://host/\r\nX: y",
    ] {
        assert!(why(url).contains("can't be a mirror"), "{url}");
    }
    for (url, kept) in [
        ("https://example.com/a/b/", "https://example.com/a/b"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ] {
        assert_eq!(HttpStore::open(url).unwrap().url, kept);
    }
}

#[test]
fn heads_and_bodies_are_bounded() {
    let head = |text: &str| message::read_head(&mut text.as_bytes());
    assert!(head(&format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(20_000))).is_err());
    assert!(head("GET / HTTP/1.1\r\nno colon\r\n\r\n").is_err());
    assert!(head("GET / HTTP/1.1\r\n").is_err());
    let long = head("HTTP/1.1 200 OK\r\ncontent-LENGTH: 5\r\n\r\n").unwrap();
    assert!(message::read_body(&mut &b"hello"[..], &long, 4).is_err());
    assert!(message::read_body(&mut &b"hell"[..], &long, 9).is_err());
    assert_eq!(
        message::read_body(&mut &b"hello and more"[..], &long, 9).unwrap(),
        b"hello"
    );
    let open = head("HTTP/1.1 200 OK\r\n\r\n").unwrap();
    assert!(message::read_body(&mut &b"hello"[..], &open, 4).is_err());
    assert_eq!(
        message::read_body(&mut &b"hello"[..], &open, 5).unwrap(),
        b"hello"
    );
}
