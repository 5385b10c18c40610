//! SQL texts: statements, each as words for the catalog's entries of the pseudo-program `sql`.
//!
//! Not a parser: strings, comments, dollar quotes and identifiers are told apart, which is enough to find where a
//! statement ends and what it begins with. Whatever a statement does besides (functions, triggers) is the business of
//! the database's own guard.

use super::Doubt;
use super::walk::{Judge, shorten};
use crate::entry::Effects;
use crate::field::{Field, HOLE};
use rescind_model::Class;

/// Words behind which a statement that begins as a query changes something.
const CHANGES: [&str; 16] = [
    "INSERT", "UPDATE", "DELETE", "MERGE", "INTO", "DROP", "TRUNCATE", "ALTER", "CREATE", "GRANT", "REVOKE",
    "COPY", "CALL", "DO", "OUTFILE", "DUMPFILE",
];

/// Functions that are known to change nothing.
const FUNCTIONS: [&str; 163] = [
    "COUNT",
    "SUM",
    "MIN",
    "MAX",
    "AVG",
    "COALESCE",
    "NULLIF",
    "LOWER",
    "UPPER",
    "LENGTH",
    "SUBSTR",
    "SUBSTRING",
    "TRIM",
    "CAST",
    "NOW",
    "DATE",
    "DATE_TRUNC",
    "EXTRACT",
    "TO_CHAR",
    "ROUND",
    "ABS",
    "FLOOR",
    "CEIL",
    "ROW_NUMBER",
    "RANK",
    "ARRAY_AGG",
    "STRING_AGG",
    "JSON_AGG",
    "JSONB_AGG",
    "JSON_BUILD_OBJECT",
    "ROW_TO_JSON",
    "TO_JSON",
    "CONCAT",
    "GROUP_CONCAT",
    "VERSION",
    "CURRENT_DATABASE",
    "CURRENT_SCHEMA",
    "DATABASE",
    "USER",
    "PG_SIZE_PRETTY",
    "PG_DATABASE_SIZE",
    "PG_TOTAL_RELATION_SIZE",
    "PG_RELATION_SIZE",
    "PG_IS_IN_RECOVERY",
    "GENERATE_SERIES",
    "UNNEST",
    "EXISTS",
    "IN",
    "ANY",
    "ALL",
    "VALUES",
    "OVER",
    "FILTER",
    "AND",
    "OR",
    "NOT",
    "WHERE",
    "ON",
    "AS",
    "FROM",
    "SELECT",
    "USING",
    "EXPLAIN",
    "LEFT",
    "RIGHT",
    "REPLACE",
    "SPLIT_PART",
    "REGEXP_REPLACE",
    "REGEXP_MATCHES",
    "REGEXP_MATCH",
    "GREATEST",
    "LEAST",
    "DATE_PART",
    "AGE",
    "TO_DATE",
    "TO_TIMESTAMP",
    "LAG",
    "LEAD",
    "DENSE_RANK",
    "NTILE",
    "FIRST_VALUE",
    "LAST_VALUE",
    "PERCENTILE_CONT",
    "PERCENTILE_DISC",
    "BOOL_OR",
    "BOOL_AND",
    "STDDEV",
    "VARIANCE",
    "POWER",
    "SQRT",
    "MOD",
    "SIGN",
    "RANDOM",
    "MD5",
    "ENCODE",
    "DECODE",
    "TO_NUMBER",
    "FORMAT",
    "CHAR_LENGTH",
    "POSITION",
    "STRPOS",
    "INITCAP",
    "IF",
    "IFNULL",
    "ISNULL",
    "DATE_FORMAT",
    "DATE_ADD",
    "DATE_SUB",
    "DATEDIFF",
    "UNIX_TIMESTAMP",
    "FROM_UNIXTIME",
    "CURDATE",
    "JSON_EXTRACT",
    "JSON_VALUE",
    "PG_GET_INDEXDEF",
    "PG_GET_VIEWDEF",
    "PG_GET_FUNCTIONDEF",
    "PG_GET_CONSTRAINTDEF",
    "CURRENT_SETTING",
    "OBJ_DESCRIPTION",
    "COL_DESCRIPTION",
    "FORMAT_TYPE",
    "TO_REGCLASS",
    "ARRAY_LENGTH",
    "CARDINALITY",
    "JSON_OBJECT_AGG",
    "JSONB_OBJECT_AGG",
    "JSONB_ARRAY_ELEMENTS",
    "JSON_ARRAY_ELEMENTS",
    "JSONB_EACH",
    "ROW",
    "ARRAY",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "BETWEEN",
    "LIKE",
    "ILIKE",
    "BY",
    "HAVING",
    "LIMIT",
    "OFFSET",
    "JOIN",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "DISTINCT",
    "INTERVAL",
    "NUMERIC",
    "DECIMAL",
    "VARCHAR",
    "CHAR",
    "TIMESTAMP",
    "SOME",
    "WITHIN",
    "GROUPING",
    "ROLLUP",
    "CUBE",
    "SETS",
    "PARTITION",
    "IS",
    "LATERAL",
];

/// A piece of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// A keyword or a name without quotes.
    Word(String),
    /// Anything else: a string, a name in quotes, a number, a sign.
    Other(char),
}

impl Judge<'_> {
    /// Judge each statement of a text.
    pub(super) fn sql(&mut self, text: &str, program: &str) {
        if text.len() > 256 * 1024 {
            self.doubt(&shorten(text), Doubt::Limit, "the SQL is too long to be read");
            return;
        }
        if text.contains(HOLE) {
            self.doubt(
                &shorten(text),
                Doubt::Word,
                "a part of the SQL is only known when it runs",
            );
            // Whatever the part is, the rest is not better than what it says.
            let known = text.replace(HOLE, "unknown_part");
            self.no_better_than(|judge| judge.sql(&known, program));
            return;
        }
        let mut rest = text;
        loop {
            rest = rest.trim_start();
            if rest.is_empty() {
                return;
            }
            if !self.step() {
                return;
            }
            if rest.starts_with('\\') {
                let line = rest.lines().next().unwrap_or_default();
                rest = rest.get(line.len()..).unwrap_or_default();
                self.backslash(line);
                continue;
            }
            match statement(rest) {
                Some((tokens, length)) => {
                    let shown = rest.get(..length).unwrap_or(rest);
                    self.statement(&tokens, shown.trim().trim_end_matches(';'), program);
                    rest = rest.get(length..).unwrap_or_default();
                }
                None => {
                    self.doubt(&shorten(rest), Doubt::Syntax, "the SQL is not understood");
                    return;
                }
            }
        }
    }

    /// psql's own commands.
    fn backslash(&mut self, line: &str) {
        let command = line.split_whitespace().next().unwrap_or_default();
        let reads = [
            "\\l",
            "\\l+",
            "\\conninfo",
            "\\x",
            "\\pset",
            "\\timing",
            "\\q",
            "\\echo",
            "\\z",
            "\\a",
            "\\t",
            "\\encoding",
            "\\?",
            "\\h",
        ];
        if (command.starts_with("\\d") || reads.contains(&command))
            && !line.contains(['`', '|'])
            && line.matches('\\').count() == 1
        {
            self.plain(
                &[Field::known(line)],
                Class::NoEffect,
                Effects::None,
                "it lists or shows",
            );
        } else {
            self.doubt(
                line,
                Doubt::Code,
                "a command of psql that can read files or run programs",
            );
        }
    }

    fn statement(&mut self, tokens: &[Token], shown: &str, program: &str) {
        let words: Vec<&str> = tokens
            .iter()
            .filter_map(|token| match token {
                Token::Word(word) => Some(word.as_str()),
                Token::Other(_) => None,
            })
            .collect();
        if tokens.is_empty() {
            return;
        }
        let shown = Field::known(shorten(shown));
        let first = words.first().copied().unwrap_or_default();
        let query = matches!(
            first,
            "SELECT" | "WITH" | "VALUES" | "TABLE" | "SHOW" | "EXPLAIN" | "DESCRIBE" | "DESC"
        );
        let runs = first == "EXPLAIN" && words.iter().any(|word| *word == "ANALYZE" || *word == "ANALYSE");
        let shows = matches!(words.as_slice(), ["SHOW", "CREATE" | "GRANTS", ..]);
        let changes = !shows && !changes_at(&words).is_empty();
        if query && (!changes || (first == "EXPLAIN" && !runs)) {
            match unknown_function(tokens) {
                None => self.plain(&[shown], Class::NoEffect, Effects::None, "it only reads"),
                Some(name) => {
                    let why = format!("the function `{name}` may change something");
                    self.doubt(&shown.text, Doubt::Code, &why);
                }
            }
            return;
        }
        for part in effects_of(&words, query) {
            self.changes(&part, &shown, program);
        }
    }

    /// What the catalog says of words that change something.
    fn changes(&mut self, words: &[&str], shown: &Field, program: &str) {
        let name = if self.catalog.knows(&format!("sql-{program}")) {
            format!("sql-{program}")
        } else {
            "sql".to_owned()
        };
        let before = self.parts.len();
        let mut line = vec![Field::known("sql")];
        line.extend(words.iter().map(|word| Field::known(*word)));
        self.only_catalog(&name, &line);
        for part in self.parts.iter_mut().skip(before) {
            part.text.clone_from(&shown.text);
        }
    }

    /// What the catalog says of a command, without looking for wrappers.
    pub(super) fn only_catalog(&mut self, name: &str, fields: &[Field]) {
        let arguments = fields.get(1..).unwrap_or_default();
        self.known(name, fields, arguments, &super::input::Input::Own);
    }
}

/// What a statement changes by, as statements of their own: a query may change by several.
fn effects_of<'t>(words: &[&'t str], query: bool) -> Vec<Vec<&'t str>> {
    let first = words.first().copied().unwrap_or_default();
    let has = |word: &str| words.contains(&word);
    match first {
        // An upsert is an update of what is there.
        "INSERT" if has("UPDATE") => return vec![vec!["UPDATE"]],
        "ALTER" if loses(words) => return vec![vec!["ALTER", "TABLE", "T", "DROP"]],
        "ALTER" if words.get(1) == Some(&"TABLE") => return vec![vec!["ALTER", "TABLE", "T"]],
        // Some databases need no semicolon between statements.
        _ if !query => {
            let light = [
                "USE", "SET", "BEGIN", "START", "DECLARE", "PREPARE", "LOCK", "COMMIT", "IF", "PRINT", "GO",
                "EXPLAIN",
            ];
            let strong = ["DELETE", "DROP", "TRUNCATE", "ALTER", "UPDATE", "MERGE"];
            let behind = words.iter().skip(1).position(|word| strong.contains(word));
            let behind = behind
                .filter(|_| light.contains(&first))
                .and_then(|at| words.get(at + 1..));
            return [Some(words), behind]
                .into_iter()
                .flatten()
                .map(<[&str]>::to_vec)
                .collect();
        }
        _ => {}
    }
    let places = changes_at(words);
    let strong = ["INSERT", "UPDATE", "DELETE", "MERGE", "DROP", "TRUNCATE", "ALTER"];
    let is_strong = |at: &usize| words.get(*at).is_some_and(|word| strong.contains(word));
    let mut chosen: Vec<usize> = places.iter().copied().filter(is_strong).collect();
    if chosen.is_empty() {
        chosen.extend(places.first());
    }
    let from = |at: usize| words.get(at..).map(<[&str]>::to_vec);
    chosen.into_iter().filter_map(from).collect()
}

/// Where the words stand by which a query changes something. `FOR UPDATE` only locks.
fn changes_at(words: &[&str]) -> Vec<usize> {
    let locks = |at: usize| at > 0 && matches!(words.get(at - 1), Some(&("FOR" | "KEY")));
    words
        .iter()
        .enumerate()
        .skip(1)
        .filter(|(at, word)| CHANGES.contains(word) && !(**word == "UPDATE" && locks(*at)))
        .map(|(at, _)| at)
        .collect()
}

/// Whether an `ALTER TABLE` throws values away: a column goes, or its values are made to fit.
fn loses(words: &[&str]) -> bool {
    let kept = [
        "CONSTRAINT",
        "DEFAULT",
        "NOT",
        "IDENTITY",
        "EXPRESSION",
        "FOREIGN",
        "INDEX",
        "KEY",
        "CHECK",
        "PRIMARY",
        "TRIGGER",
    ];
    let behind = words.get(2..).unwrap_or_default();
    let drops = behind
        .windows(2)
        .any(|pair| matches!(pair, ["DROP", next] if !kept.contains(next)));
    let last = behind.last() == Some(&"DROP");
    let alters = behind.iter().position(|word| *word == "ALTER");
    let retyped = alters.is_some_and(|at| behind.iter().skip(at).any(|word| *word == "TYPE"));
    let other = ["MODIFY", "CHANGE", "TRUNCATE", "DISCARD", "EXCHANGE", "CONVERT"];
    matches!(words.get(1), Some(&("TABLE" | "TYPE")))
        && (drops || last || retyped || behind.iter().any(|word| other.contains(word)))
}

/// A function in a query that is not known to be harmless.
fn unknown_function(tokens: &[Token]) -> Option<String> {
    tokens.windows(2).find_map(|pair| match pair {
        [Token::Word(name), Token::Other('(')] if !FUNCTIONS.contains(&name.as_str()) => Some(name.clone()),
        // A name in quotes is not read.
        [Token::Other('"' | '`'), Token::Other('(')] => Some("in quotes".to_owned()),
        _ => None,
    })
}

/// The tokens of the first statement, and its length with the semicolon.
fn statement(text: &str) -> Option<(Vec<Token>, usize)> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(sign) = text.get(at..)?.chars().next() {
        let rest = text.get(at..)?;
        if sign == ';' {
            return Some((tokens, at + 1));
        }
        // MySQL's end of a statement that is shown in another form.
        let shown = rest.strip_prefix("\\G").or_else(|| rest.strip_prefix("\\g"));
        if shown.is_some_and(|behind| behind.is_empty() || behind.starts_with(['\n', ';'])) {
            return Some((tokens, at + 2));
        }
        if sign == '\\' {
            // A command of psql in the middle of a statement (`\g`, `\gexec`).
            return None;
        }
        let length = if sign.is_whitespace() {
            sign.len_utf8()
        } else if rest.starts_with("--") || sign == '#' {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*!") || rest.starts_with("/*+") {
            // MySQL runs these.
            return None;
        } else if rest.starts_with("/*") {
            rest.find("*/")? + 2
        } else if matches!(sign, '\'' | '"' | '`') {
            tokens.push(Token::Other(sign));
            quoted(rest, sign)?
        } else if sign == '$' && dollar_quoted(rest).is_some() {
            tokens.push(Token::Other('$'));
            dollar_quoted(rest)?
        } else if sign.is_alphabetic() || sign == '_' {
            let length = rest
                .find(|sign: char| !(sign.is_alphanumeric() || sign == '_' || sign == '$'))
                .unwrap_or(rest.len());
            let word = rest.get(..length)?;
            let text_before_string = rest.get(length..)?.starts_with('\'');
            if text_before_string && word.eq_ignore_ascii_case("e") {
                // Escapes in strings: where it ends is not worked out here.
                return None;
            }
            tokens.push(Token::Word(word.to_ascii_uppercase()));
            length
        } else {
            tokens.push(Token::Other(sign));
            sign.len_utf8()
        };
        at += length;
    }
    Some((tokens, text.len()))
}

/// The length of a text in quotes; doubled quotes are part of it. A backslash before a quote is understood in two ways
/// by two databases, and therefore not at all.
fn quoted(text: &str, mark: char) -> Option<usize> {
    let mut signs = text.char_indices().skip(1).peekable();
    while let Some((at, sign)) = signs.next() {
        if sign == '\\'
            && signs
                .peek()
                .is_some_and(|(_, next)| *next == mark || *next == '\\')
        {
            return None;
        }
        if sign == mark {
            if signs.peek().is_some_and(|(_, next)| *next == mark) {
                signs.next();
                continue;
            }
            return Some(at + mark.len_utf8());
        }
    }
    None
}

/// The length of a text in dollar quotes.
fn dollar_quoted(text: &str) -> Option<usize> {
    let end = text.get(1..)?.find('$')? + 2;
    let tag = text.get(..end)?;
    let inside = tag.get(1..end - 1)?;
    if !inside
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        || inside.starts_with(|sign: char| sign.is_ascii_digit())
    {
        return None;
    }
    let close = text.get(end..)?.find(tag)?;
    Some(end + close + tag.len())
}
