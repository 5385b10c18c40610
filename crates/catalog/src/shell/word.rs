//! Words: quoting, parameters, substitutions.

use super::MAX_DEPTH;
use super::parse::{Parsed, Parser, Problem, parse_nested};
use super::tree::{ParamOp, Piece, Word};

/// Pieces as they come; text next to text is one piece.
#[derive(Debug, Default)]
struct Pieces {
    list: Vec<Piece>,
}

impl Pieces {
    fn text(&mut self, text: &str) {
        if let Some(Piece::Text(last)) = self.list.last_mut() {
            last.push_str(text);
        } else {
            self.list.push(Piece::Text(text.to_owned()));
        }
    }

    fn quoted(&mut self, text: &str) {
        if let Some(Piece::Quoted(last)) = self.list.last_mut() {
            last.push_str(text);
        } else {
            self.list.push(Piece::Quoted(text.to_owned()));
        }
    }

    fn word(self) -> Word {
        Word { pieces: self.list }
    }
}

/// Where a word ends that is not an ordinary one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// The closing brace of a parameter expansion.
    Brace,
    /// The closing parenthesis of an extended pattern.
    Paren,
}

impl Parser<'_> {
    /// The word that begins here; without pieces where none does.
    pub(super) fn word(&mut self) -> Parsed<Word> {
        let mut pieces = Pieces::default();
        loop {
            let Some(sign) = self.peek() else {
                return Ok(pieces.word());
            };
            match sign {
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'&' | b'|' | b')' => return Ok(pieces.word()),
                b'<' | b'>' if self.peek_at(1) == Some(b'(') => {
                    self.at += 2;
                    let list = self.list()?;
                    self.want(")")?;
                    pieces.list.push(Piece::Process(list));
                }
                b'<' | b'>' => return Ok(pieces.word()),
                b'(' => {
                    let pattern = matches!(pieces.list.last(), Some(Piece::Text(text)) if text.ends_with(['?', '*', '+', '@', '!']));
                    if !pattern {
                        return Ok(pieces.word());
                    }
                    self.at += 1;
                    let inside = self.nested(|parser| parser.until(Until::Paren, false))?;
                    pieces.text("(");
                    pieces.list.extend(inside.pieces);
                    pieces.text(")");
                }
                _ => self.piece(sign, &mut pieces)?,
            }
        }
    }

    /// One piece outside of double quotes.
    fn piece(&mut self, sign: u8, pieces: &mut Pieces) -> Parsed<()> {
        match sign {
            b'\'' => {
                self.at += 1;
                let text = self.raw_until('\'')?;
                pieces.quoted(&text);
            }
            b'"' => {
                self.at += 1;
                self.double_quoted(pieces)?;
            }
            b'\\' => {
                self.at += 1;
                match self.next() {
                    None => pieces.quoted("\\"),
                    Some('\n') => {}
                    Some(sign) => pieces.quoted(sign.encode_utf8(&mut [0; 4])),
                }
            }
            b'$' => self.dollar(false, pieces)?,
            b'`' => self.backticks(false, pieces)?,
            _ => {
                if let Some(sign) = self.next() {
                    pieces.text(sign.encode_utf8(&mut [0; 4]));
                }
            }
        }
        Ok(())
    }

    fn raw_until(&mut self, end: char) -> Parsed<String> {
        let mut text = String::new();
        loop {
            match self.next() {
                None => return self.fail(Problem::Unended("a quotation")),
                Some(sign) if sign == end => return Ok(text),
                Some(sign) => text.push(sign),
            }
        }
    }

    fn double_quoted(&mut self, pieces: &mut Pieces) -> Parsed<()> {
        // Even an empty quotation makes a word.
        pieces.quoted("");
        loop {
            match self.peek() {
                None => return self.fail(Problem::Unended("a quotation")),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(sign) => self.quoted_piece(sign, pieces)?,
            }
        }
    }

    /// One piece inside of double quotes.
    fn quoted_piece(&mut self, sign: u8, pieces: &mut Pieces) -> Parsed<()> {
        match sign {
            b'\\' => {
                self.at += 1;
                match self.next() {
                    None => pieces.quoted("\\"),
                    Some('\n') => {}
                    Some(sign @ ('$' | '`' | '"' | '\\')) => pieces.quoted(sign.encode_utf8(&mut [0; 4])),
                    Some(sign) => {
                        pieces.quoted("\\");
                        pieces.quoted(sign.encode_utf8(&mut [0; 4]));
                    }
                }
            }
            b'$' => self.dollar(true, pieces)?,
            b'`' => self.backticks(true, pieces)?,
            _ => {
                if let Some(sign) = self.next() {
                    pieces.quoted(sign.encode_utf8(&mut [0; 4]));
                }
            }
        }
        Ok(())
    }

    /// The text of a here-document whose delimiter is not quoted.
    pub(super) fn here_text(&mut self) -> Parsed<Word> {
        let mut pieces = Pieces::default();
        pieces.quoted("");
        while let Some(sign) = self.peek() {
            self.quoted_piece(sign, &mut pieces)?;
        }
        Ok(pieces.word())
    }

    fn dollar(&mut self, quoted: bool, pieces: &mut Pieces) -> Parsed<()> {
        self.at += 1;
        match self.peek() {
            Some(b'\'') if !quoted => {
                self.at += 1;
                let text = self.ansi_c()?;
                pieces.quoted(&text);
            }
            Some(b'"') if !quoted => {
                self.at += 1;
                self.double_quoted(pieces)?;
            }
            Some(b'(') if self.peek_at(1) == Some(b'(') => {
                self.at += 2;
                let inside = self.arithmetic()?;
                pieces.list.push(Piece::Arithmetic(inside));
            }
            Some(b'(') => {
                self.at += 1;
                let list = self.list()?;
                self.want(")")?;
                pieces.list.push(Piece::Command { list, quoted });
            }
            Some(b'{') => {
                self.at += 1;
                let piece = self.nested(|parser| parser.braced(quoted))?;
                pieces.list.push(piece);
            }
            Some(b'[') => return self.fail(Problem::NotRead("`$[`")),
            Some(sign) if sign.is_ascii_alphabetic() || sign == b'_' => {
                let name = self.name();
                pieces.list.push(Piece::Param {
                    name,
                    op: ParamOp::Plain,
                    quoted,
                });
            }
            Some(sign) if sign.is_ascii_digit() || b"@*#?-$!".contains(&sign) => {
                self.at += 1;
                pieces.list.push(Piece::Param {
                    name: char::from(sign).to_string(),
                    op: ParamOp::Plain,
                    quoted,
                });
            }
            _ if quoted => pieces.quoted("$"),
            _ => pieces.text("$"),
        }
        Ok(())
    }

    fn name(&mut self) -> String {
        let rest = self.rest();
        let length = rest
            .bytes()
            .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
            .count();
        self.at += length;
        rest.get(..length).unwrap_or_default().to_owned()
    }

    /// Behind `${`.
    fn braced(&mut self, quoted: bool) -> Parsed<Piece> {
        let plain_start =
            |sign: Option<u8>| sign.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let mut name = self.name();
        if name.is_empty() {
            // `${#x}`, `${!x}`, and the special parameters.
            let sign = self.next();
            if matches!(sign, Some('#' | '!')) && plain_start(self.peek()) {
                let rest = self.until(Until::Brace, quoted)?;
                return Ok(Piece::Param {
                    name: String::new(),
                    op: ParamOp::Other(rest),
                    quoted,
                });
            }
            match sign {
                Some(sign @ ('@' | '*' | '#' | '?' | '-' | '$' | '!')) => name.push(sign),
                _ => return self.fail(Problem::Unexpected),
            }
        }
        if self.eat("}") {
            return Ok(Piece::Param {
                name,
                op: ParamOp::Plain,
                quoted,
            });
        }
        let colon = self.peek() == Some(b':') && matches!(self.peek_at(1), Some(b'-' | b'=' | b'+'));
        if colon {
            self.at += 1;
        }
        let op = match self.peek() {
            Some(sign @ (b'-' | b'=')) => {
                self.at += 1;
                ParamOp::Default {
                    word: self.until(Until::Brace, quoted)?,
                    colon,
                    assign: sign == b'=',
                }
            }
            Some(b'+') => {
                self.at += 1;
                ParamOp::Alternate {
                    word: self.until(Until::Brace, quoted)?,
                    colon,
                }
            }
            _ => ParamOp::Other(self.until(Until::Brace, quoted)?),
        };
        Ok(Piece::Param { name, op, quoted })
    }

    /// A word with blanks and signs in it, up to what closes it.
    fn until(&mut self, until: Until, quoted: bool) -> Parsed<Word> {
        let mut pieces = Pieces::default();
        let mut open = 0usize;
        loop {
            let Some(sign) = self.peek() else {
                return self.fail(Problem::Unended("a parameter or pattern"));
            };
            match (until, sign) {
                (Until::Brace, b'}') => {
                    self.at += 1;
                    return Ok(pieces.word());
                }
                (Until::Paren, b')') if open == 0 => {
                    self.at += 1;
                    return Ok(pieces.word());
                }
                (Until::Paren, b')') => {
                    open -= 1;
                    self.at += 1;
                    pieces.text(")");
                }
                (Until::Paren, b'(') => {
                    open += 1;
                    self.at += 1;
                    pieces.text("(");
                }
                (_, b'"') => {
                    self.at += 1;
                    self.double_quoted(&mut pieces)?;
                }
                (_, sign) if quoted => self.quoted_piece(sign, &mut pieces)?,
                (_, sign) => self.piece(sign, &mut pieces)?,
            }
        }
    }

    /// Behind `((`: an expression, in which only parameters and substitutions matter.
    pub(super) fn arithmetic(&mut self) -> Parsed<Word> {
        self.nested(|parser| {
            let mut pieces = Pieces::default();
            let mut open = 0usize;
            loop {
                match parser.peek() {
                    None => return parser.fail(Problem::Unended("an expression")),
                    Some(b'(') => {
                        open += 1;
                        parser.at += 1;
                    }
                    Some(b')') if open > 0 => {
                        open -= 1;
                        parser.at += 1;
                    }
                    Some(b')') => {
                        // `((a);(b))` is no expression but two subshells.
                        if !parser.eat("))") {
                            return parser.fail(Problem::NotRead("a subshell that looks like an expression"));
                        }
                        return Ok(pieces.word());
                    }
                    Some(b'"') => {
                        parser.at += 1;
                        parser.double_quoted(&mut pieces)?;
                    }
                    Some(sign) => parser.piece(sign, &mut pieces)?,
                }
            }
        })
    }

    fn backticks(&mut self, quoted: bool, pieces: &mut Pieces) -> Parsed<()> {
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.next() {
                None => return self.fail(Problem::Unended("a command in backticks")),
                Some('`') => break,
                Some('\\') => match self.next() {
                    Some(sign @ ('`' | '\\' | '$')) => text.push(sign),
                    Some('"') if quoted => text.push('"'),
                    Some(sign) => {
                        text.push('\\');
                        text.push(sign);
                    }
                    None => return self.fail(Problem::Unended("a command in backticks")),
                },
                Some(sign) => text.push(sign),
            }
        }
        if self.depth >= MAX_DEPTH {
            return self.fail(Problem::TooDeep);
        }
        let (list, error) = parse_nested(&text, self.depth + 1);
        if let Some(error) = error {
            return self.fail(error.problem);
        }
        pieces.list.push(Piece::Command { list, quoted });
        Ok(())
    }

    /// Behind `$'`: escapes as in C.
    fn ansi_c(&mut self) -> Parsed<String> {
        let mut bytes: Vec<u8> = Vec::new();
        loop {
            match self.next() {
                None => return self.fail(Problem::Unended("a quotation")),
                Some('\'') => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
                Some('\\') => self.ansi_escape(&mut bytes)?,
                Some(sign) => bytes.extend_from_slice(sign.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }

    fn ansi_escape(&mut self, bytes: &mut Vec<u8>) -> Parsed<()> {
        let Some(sign) = self.next() else {
            return self.fail(Problem::Unended("a quotation"));
        };
        let simple = match sign {
            'a' => Some(0x07),
            'b' => Some(0x08),
            'e' | 'E' => Some(0x1b),
            'f' => Some(0x0c),
            'n' => Some(b'\n'),
            'r' => Some(b'\r'),
            't' => Some(b'\t'),
            'v' => Some(0x0b),
            '\\' => Some(b'\\'),
            '\'' => Some(b'\''),
            '"' => Some(b'"'),
            '?' => Some(b'?'),
            _ => None,
        };
        if let Some(byte) = simple {
            bytes.push(byte);
            return Ok(());
        }
        match sign {
            '0'..='7' => {
                self.at -= 1;
                let value = self.number(8, 3);
                self.not_zero(value)?;
                bytes.push(u8::try_from(value & 0xff).unwrap_or(b'?'));
            }
            'x' => {
                let value = self.number(16, 2);
                self.not_zero(value)?;
                bytes.push(u8::try_from(value & 0xff).unwrap_or(b'?'));
            }
            'u' | 'U' => {
                let value = self.number(16, if sign == 'u' { 4 } else { 8 });
                let sign = char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER);
                bytes.extend_from_slice(sign.encode_utf8(&mut [0; 4]).as_bytes());
            }
            'c' => return self.fail(Problem::NotRead("`\\c`")),
            other => {
                bytes.push(b'\\');
                bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        Ok(())
    }

    /// Shells end the quotation at a zero, each in its own way.
    fn not_zero(&self, value: u32) -> Parsed<()> {
        if value == 0 {
            return self.fail(Problem::NotRead("a zero in a quotation"));
        }
        Ok(())
    }

    fn number(&mut self, radix: u32, digits: usize) -> u32 {
        let mut value = 0u32;
        for _ in 0..digits {
            let Some(digit) = self.peek().and_then(|byte| char::from(byte).to_digit(radix)) else {
                break;
            };
            value = value.wrapping_mul(radix).wrapping_add(digit);
            self.at += 1;
        }
        value
    }
}
