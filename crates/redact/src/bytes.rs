//! Reading bytes by position without panics: outside the text there is NUL, and a wrong range is empty.

/// The byte at `at`, or NUL outside.
pub(crate) fn byte(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(0)
}

/// The byte before `at`, or NUL at the start.
pub(crate) fn before(text: &[u8], at: usize) -> u8 {
    at.checked_sub(1).map_or(0, |place| byte(text, place))
}

/// The bytes from `start` to `end`, or none where that is no range of the text.
pub(crate) fn part(text: &[u8], start: usize, end: usize) -> &[u8] {
    text.get(start..end.min(text.len())).unwrap_or_default()
}

/// The bytes from `start` on.
pub(crate) fn rest(text: &[u8], start: usize) -> &[u8] {
    text.get(start..).unwrap_or_default()
}

/// The end of the run of bytes from `start` for which `keep` holds.
pub(crate) fn run(text: &[u8], start: usize, keep: impl Fn(u8) -> bool) -> usize {
    let length = rest(text, start).iter().position(|own| !keep(*own));
    length.map_or(text.len().max(start), |length| start + length)
}

/// The start of the run of bytes that ends before `end` and for which `keep` holds.
pub(crate) fn run_back(text: &[u8], end: usize, keep: impl Fn(u8) -> bool) -> usize {
    part(text, 0, end)
        .iter()
        .rposition(|own| !keep(*own))
        .map_or(0, |place| place + 1)
}

/// The first place of `needle` at or after `start`.
pub(crate) fn find(text: &[u8], start: usize, needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(rest(text, start), needle).map(|place| start + place)
}

/// Whether `text` starts with `prefix`, ASCII case ignored.
pub(crate) fn starts(text: &[u8], prefix: &[u8]) -> bool {
    text.get(..prefix.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

/// Whether `needle`, in lower case, is in `text`, ASCII case ignored.
pub(crate) fn holds(text: &[u8], needle: &[u8]) -> bool {
    text.windows(needle.len().max(1))
        .any(|own| own.eq_ignore_ascii_case(needle))
}

/// Space or tab.
pub(crate) fn blank(own: u8) -> bool {
    own == b' ' || own == b'\t'
}

/// A byte that ends any unquoted word: white space, a control byte.
pub(crate) fn space(own: u8) -> bool {
    own <= b' ' || own == 0x7f
}

/// A byte of an identifier with dashes and dots: a name in a file, a flag, a header.
pub(crate) fn ident(own: u8) -> bool {
    own.is_ascii_alphanumeric() || matches!(own, b'_' | b'-' | b'.')
}

/// Whether a word may begin at `at`: the byte before is no letter or digit, or it is the end of an escape such as
/// `\n`, `%20`, `\u003d` or a colour sequence of a terminal.
pub(crate) fn edge(text: &[u8], at: usize) -> bool {
    let last = before(text, at);
    if !last.is_ascii_alphanumeric() && last != b'_' {
        return true;
    }
    let head = part(text, at.saturating_sub(16), at);
    if matches!(last, b'n' | b't' | b'r') && head.len() >= 2 && byte(head, head.len() - 2) == b'\\' {
        return true;
    }
    if head.len() >= 3 && byte(head, head.len() - 3) == b'%' && is_hex(rest(head, head.len() - 2)) {
        return true;
    }
    if head.len() >= 6 && starts(rest(head, head.len() - 6), b"\\u") && is_hex(rest(head, head.len() - 4)) {
        return true;
    }
    let escape = head.iter().rposition(|own| *own == 0x1b);
    escape.is_some_and(|place| {
        let sequence = rest(head, place + 1);
        let inner = sequence
            .get(1..sequence.len().saturating_sub(1))
            .unwrap_or_default();
        byte(sequence, 0) == b'['
            && last.is_ascii_alphabetic()
            && inner
                .iter()
                .all(|own| own.is_ascii_digit() || matches!(own, b';' | b'?' | b':'))
    })
}

/// Whether all of it is hexadecimal digits, and there are some.
pub(crate) fn is_hex(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_hexdigit)
}

/// How many different bytes there are.
pub(crate) fn distinct(text: &[u8]) -> u32 {
    let mut seen = [0_u64; 4];
    for own in text {
        if let Some(word) = seen.get_mut(usize::from(own >> 6)) {
            *word |= 1 << (own & 63);
        }
    }
    seen.iter().map(|word| word.count_ones()).sum()
}
