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

/// A bracket within a bracket takes this many times the stack of an operator, and one more for itself.
const BRACKET: usize = 3;

/// How much stack a statement can take, in operators: all that can open another level, outside strings and comments, and
/// the deepest brackets again at their own price.
pub(super) fn nesting(statement: &str) -> usize {
    let mut count: usize = 0;
    let (mut depth, mut deepest): (usize, usize) = (0, 0);
    let mut characters = statement.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '/' if characters.peek() == Some(&'/') => {
                while characters.next_if(|next| *next != '\n').is_some() {}
            }
            '"' => {
                let mut escaped = false;
                for inner in characters.by_ref() {
                    match inner {
                        '"' if !escaped => break,
                        '\\' => escaped = !escaped,
                        _ => escaped = false,
                    }
                }
            }
            'i' if characters.peek() == Some(&'f') => count += 1,
            '(' | '[' | '{' => {
                count += 1;
                depth += 1;
                deepest = deepest.max(depth);
            }
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '&' | '|' | '+' | '-' | '*' | '!' | '.' => count += 1,
            _ => {}
        }
    }
    count.saturating_add(deepest.saturating_mul(BRACKET))
}

#[cfg(test)]
mod tests {
    use super::{nesting, statements};

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

    #[test]
    fn only_what_nests_is_counted() {
        assert_eq!(nesting("a && b"), 2);
        assert_eq!(nesting("\"((\\\"((\" // (((\n!a"), 1);
        assert_eq!(nesting("(a) || [b] || {c}"), 3 + 4 + 3);
        assert_eq!(nesting("((a))"), 2 + 6);
        assert_eq!(nesting("if a then b else if c then d else e"), 2);
    }
}
