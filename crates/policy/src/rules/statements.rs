//! Where the policies of a file begin and end, so that each is parsed alone and its place is known.

/// The byte ranges of the statements of a text: each up to and with its `;`, from the first byte that is neither blank
/// nor comment. What follows the last `;` is a statement, too, if anything is there.
pub(super) fn statements(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut start = None;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '/' if matches!(characters.peek(), Some((_, '/'))) => {
                while characters.next_if(|(_, character)| *character != '\n').is_some() {}
            }
            '"' => {
                start.get_or_insert(at);
                let mut escaped = false;
                for (_, inner) in characters.by_ref() {
                    match inner {
                        '"' if !escaped => break,
                        '\\' => escaped = !escaped,
                        _ => escaped = false,
                    }
                }
            }
            ';' => found.push(start.take().unwrap_or(at)..at + 1),
            blank if blank.is_whitespace() => {}
            _ => {
                start.get_or_insert(at);
            }
        }
    }
    found.extend(start.map(|start| start..text.len()));
    found
}

#[cfg(test)]
mod tests {
    use super::statements;

    #[test]
    fn semicolons_in_strings_and_comments_end_nothing() {
        let text =
            "// a; b\n@id(\"x;\\\"y\\\\\") permit(p); // end;\n\n  forbid(q) when { \"//;\" == 1 };\n rest";
        let found: Vec<&str> = statements(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(
            found,
            [
                "@id(\"x;\\\"y\\\\\") permit(p);",
                "forbid(q) when { \"//;\" == 1 };",
                "rest"
            ]
        );
        assert!(statements(" // nothing;\n").is_empty());
    }
}
