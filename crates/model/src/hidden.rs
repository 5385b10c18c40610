//! Characters that deceive a reader.

/// Whether a character is not to be seen, or makes others appear in another place: with it, what a person reads is not what is there. Control
/// characters are told by [`char::is_control`].
#[must_use]
pub fn is_hidden(character: char) -> bool {
    matches!(character,
        '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use super::is_hidden;

    #[test]
    fn what_turns_text_or_is_not_seen_is_hidden_and_letters_are_not() {
        for hidden in [
            '\u{ad}',
            '\u{200b}',
            '\u{200d}',
            '\u{202e}',
            '\u{2066}',
            '\u{feff}',
            '\u{e0041}',
        ] {
            assert!(is_hidden(hidden), "{hidden:?}");
        }
        for seen in ['a', ' ', '~', 'ü', '中', 'ע', '\u{202f}', '😀'] {
            assert!(!is_hidden(seen), "{seen:?}");
        }
    }
}
