//! How a known secret can stand in a text.

/// The secret itself, in base64 of both alphabets, percent-encoded, and as in a JSON text.
pub(crate) fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let standard = base64(secret, *b"+/");
    let unpadded = standard.iter().copied().filter(|byte| *byte != b'=').collect();
    let url = base64(secret, *b"-_")
        .into_iter()
        .filter(|byte| *byte != b'=')
        .collect();
    let escaped = secret.iter().flat_map(|byte| match byte {
        b'"' | b'\\' => vec![b'\\', *byte],
        b'\n' => b"\\n".to_vec(),
        byte => vec![*byte],
    });
    vec![secret.to_vec(), unpadded, url, percent(secret), escaped.collect()]
}

fn base64(bytes: &[u8], last: [u8; 2]) -> Vec<u8> {
    let letters: Vec<u8> = (b'A'..=b'Z')
        .chain(b'a'..=b'z')
        .chain(b'0'..=b'9')
        .chain(last)
        .collect();
    let mut text = Vec::new();
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let sign = (bits >> (18 - 6 * place)) & 63;
            let letter = letters.get(sign as usize).copied().unwrap_or(b'=');
            text.push(if place as usize > three.len() {
                b'='
            } else {
                letter
            });
        }
    }
    text
}

fn percent(bytes: &[u8]) -> Vec<u8> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let encoded = bytes.iter().flat_map(|byte| {
        if plain(*byte) {
            vec![*byte]
        } else {
            format!("%{byte:02X}").into_bytes()
        }
    });
    encoded.collect()
}

#[cfg(test)]
mod tests {
    use super::{base64, percent};
    use crate::Rules;

    #[test]
    fn encodings_are_those_of_rfc_4648_and_rfc_3986() {
        for (bytes, text) in [
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob?>", "Zm9vYj8+"),
        ] {
            assert_eq!(base64(bytes.as_bytes(), *b"+/"), text.as_bytes());
        }
        assert_eq!(percent(b"a b/c"), b"a%20b%2Fc");
    }

    #[test]
    fn a_known_secret_is_redacted_wherever_and_however_it_stands() {
        let secret = "tr0ub4dor&3 and/more";
        let rules = Rules::standard().knowing("session-credential", [secret]).unwrap();
        for text in [
            format!("x{secret}y"),
            format!(
                "postgres://a:{}@b",
                String::from_utf8(percent(secret.as_bytes())).unwrap()
            ),
            format!(
                "it is {}",
                String::from_utf8(base64(secret.as_bytes(), *b"+/")).unwrap()
            ),
        ] {
            let redacted = rules.redact(&text).text.into_owned();
            assert!(redacted.contains("[redacted:"), "{redacted}");
            assert!(
                !redacted.contains("tr0ub4dor") && !redacted.contains("dHIwdWI0"),
                "{redacted}"
            );
        }
        let long = "k".repeat(3000);
        let rules = rules.knowing("session-credential", [long.as_str()]).unwrap();
        let mut stream = rules.redact(&format!("a {long} b")).text.into_owned();
        assert_eq!(stream, "a [redacted:session-credential] b");
        stream = rules.redact(secret).text.into_owned();
        assert_eq!(stream, "[redacted:session-credential]");
        assert_eq!(rules.knowing("x", ["abc"]).unwrap().redact("abc").text, "abc");
    }
}
