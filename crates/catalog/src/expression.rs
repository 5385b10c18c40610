//! Small sums over placeholders: what an action costs, how much it touches, whether taking it back is safe.
//!
//! Numbers are decimals with nine digits behind the point, exact: money is never a float.

use crate::pattern::Bindings;
use std::fmt;

/// A decimal, in billionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal(i128);

const ONE: i128 = 1_000_000_000;

/// Why an expression can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the expression `{text}` can't be read: {why}")]
pub struct ExpressionError {
    /// It.
    pub text: String,
    /// What is wrong.
    pub why: &'static str,
}

/// An amount of something: `{count} * 0.0416 USD/hour`, `targets pods`.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    sum: Sum,
    /// Of what: a currency, a thing; with `/` what it is paid for.
    pub unit: String,
}

/// Something that holds or not: `{previous_count} > 0`.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    left: Sum,
    compare: Compare,
    right: Sum,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, PartialEq)]
enum Sum {
    Number(Decimal),
    Text(String),
    Placeholder(String),
    Targets,
    Apply(char, Box<Self>, Box<Self>),
}

/// What an expression comes to.
#[derive(Debug, Clone, PartialEq)]
enum Amount {
    Number(Decimal),
    Text(String),
}

impl Decimal {
    /// A whole number.
    #[must_use]
    pub fn whole(number: i64) -> Self {
        Self(i128::from(number) * ONE)
    }

    /// From digits with at most one point.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 20 || fraction.len() > 9 || !plain(whole) || !plain(fraction) {
            return None;
        }
        let whole: i128 = whole.parse().ok()?;
        let fraction: i128 = format!("{fraction:0<9}").parse().ok()?;
        let value = whole.checked_mul(ONE)?.checked_add(fraction)?;
        Some(Self(if negative { -value } else { value }))
    }

    fn apply(self, sign: char, other: Self) -> Option<Self> {
        let value = match sign {
            '+' => self.0.checked_add(other.0)?,
            '-' => self.0.checked_sub(other.0)?,
            '*' => self.0.checked_mul(other.0)? / ONE,
            _ => self.0.checked_mul(ONE)?.checked_div(other.0)?,
        };
        Some(Self(value))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let value = self.0.unsigned_abs();
        let one = ONE.unsigned_abs();
        let fraction = format!("{:09}", value % one);
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        write!(f, "{sign}{}{point}{fraction}", value / one)
    }
}

impl Measure {
    /// From `EXPRESSION UNIT`.
    ///
    /// # Errors
    /// It is no such thing.
    pub fn new(text: &str) -> Result<Self, ExpressionError> {
        let fail = |why| ExpressionError {
            text: text.to_owned(),
            why,
        };
        let (sum, unit) = text
            .trim()
            .rsplit_once(' ')
            .ok_or_else(|| fail("it has no unit"))?;
        if unit.is_empty()
            || !unit
                .bytes()
                .all(|byte| byte.is_ascii_alphabetic() || byte == b'/' || byte == b'_')
        {
            return Err(fail("its unit is no word"));
        }
        let sum = Reader::all(sum).map_err(fail)?;
        Ok(Self {
            sum,
            unit: unit.to_owned(),
        })
    }

    /// What it comes to; `None` while a placeholder is not known or is no number.
    #[must_use]
    pub fn amount(&self, bound: &Bindings, targets: usize) -> Option<Decimal> {
        match self.sum.amount(bound, targets)? {
            Amount::Number(number) => Some(number),
            Amount::Text(_) => None,
        }
    }
}

impl Condition {
    /// From `LEFT COMPARISON RIGHT`.
    ///
    /// # Errors
    /// It is no such thing.
    pub fn new(text: &str) -> Result<Self, ExpressionError> {
        let fail = |why| ExpressionError {
            text: text.to_owned(),
            why,
        };
        let signs = [
            (" == ", Compare::Equal),
            (" != ", Compare::Unequal),
            (" <= ", Compare::LessOrEqual),
            (" >= ", Compare::GreaterOrEqual),
            (" < ", Compare::Less),
            (" > ", Compare::Greater),
        ];
        let found = signs
            .into_iter()
            .find_map(|(sign, compare)| text.split_once(sign).map(|(left, right)| (left, compare, right)));
        let (left, compare, right) = found.ok_or_else(|| fail("it compares nothing"))?;
        Ok(Self {
            left: Reader::all(left).map_err(fail)?,
            compare,
            right: Reader::all(right).map_err(fail)?,
        })
    }

    /// Whether it holds; `None` while a placeholder is not known.
    #[must_use]
    pub fn holds(&self, bound: &Bindings) -> Option<bool> {
        let left = self.left.amount(bound, 1)?;
        let right = self.right.amount(bound, 1)?;
        let order = match (&left, &right) {
            (Amount::Number(left), Amount::Number(right)) => left.cmp(right),
            _ => left.text().cmp(&right.text()),
        };
        Some(match self.compare {
            Compare::Equal => order.is_eq(),
            Compare::Unequal => order.is_ne(),
            Compare::Less => order.is_lt(),
            Compare::LessOrEqual => order.is_le(),
            Compare::Greater => order.is_gt(),
            Compare::GreaterOrEqual => order.is_ge(),
        })
    }
}

impl Amount {
    fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

impl Sum {
    fn amount(&self, bound: &Bindings, targets: usize) -> Option<Amount> {
        Some(match self {
            Self::Number(number) => Amount::Number(*number),
            Self::Text(text) => Amount::Text(text.clone()),
            Self::Targets => Amount::Number(Decimal::whole(i64::try_from(targets).ok()?)),
            Self::Placeholder(name) => {
                let text = bound.get(name)?;
                Decimal::parse(text).map_or_else(|| Amount::Text(text.clone()), Amount::Number)
            }
            Self::Apply(sign, left, right) => {
                match (left.amount(bound, targets)?, right.amount(bound, targets)?) {
                    (Amount::Number(left), Amount::Number(right)) => {
                        Amount::Number(left.apply(*sign, right)?)
                    }
                    _ => return None,
                }
            }
        })
    }
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn all(text: &'a str) -> Result<Sum, &'static str> {
        let mut reader = Self { rest: text, depth: 0 };
        let sum = reader.sum(&['+', '-'])?;
        if reader.rest.trim().is_empty() {
            return Ok(sum);
        }
        Err("something follows it")
    }

    fn sum(&mut self, signs: &[char]) -> Result<Sum, &'static str> {
        let outer = signs.contains(&'+');
        let mut left = if outer {
            self.sum(&['*', '/'])?
        } else {
            self.value()?
        };
        loop {
            self.rest = self.rest.trim_start();
            let Some(sign) = self.rest.chars().next().filter(|sign| signs.contains(sign)) else {
                return Ok(left);
            };
            self.rest = self.rest.get(1..).unwrap_or_default();
            let right = if outer {
                self.sum(&['*', '/'])?
            } else {
                self.value()?
            };
            left = Sum::Apply(sign, Box::new(left), Box::new(right));
        }
    }

    fn value(&mut self) -> Result<Sum, &'static str> {
        self.rest = self.rest.trim_start();
        if let Some(inside) = self.rest.strip_prefix('(') {
            self.depth += 1;
            if self.depth > 16 {
                return Err("it is nested too deep");
            }
            self.rest = inside;
            let sum = self.sum(&['+', '-'])?;
            self.rest = self.rest.trim_start().strip_prefix(')').ok_or("`)` is missing")?;
            self.depth -= 1;
            return Ok(sum);
        }
        if let Some(inside) = self.rest.strip_prefix('{') {
            let (name, rest) = inside.split_once('}').ok_or("`}` is missing")?;
            self.rest = rest;
            return Ok(Sum::Placeholder(name.to_owned()));
        }
        if let Some(inside) = self.rest.strip_prefix('"') {
            let (text, rest) = inside.split_once('"').ok_or("a quotation is not ended")?;
            self.rest = rest;
            return Ok(Sum::Text(text.to_owned()));
        }
        let length = self
            .rest
            .bytes()
            .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'.' || *byte == b'_')
            .count();
        let (word, rest) = self.rest.split_at(length);
        self.rest = rest;
        if word == "targets" {
            return Ok(Sum::Targets);
        }
        if word.is_empty() {
            return Err("a value is missing");
        }
        if word.starts_with(|sign: char| sign.is_ascii_digit()) {
            return Decimal::parse(word)
                .map(Sum::Number)
                .ok_or("a number is not a decimal");
        }
        Ok(Sum::Text(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Condition, Decimal, Measure};
    use crate::pattern::Bindings;

    fn bound(pairs: &[(&str, &str)]) -> Bindings {
        pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    }

    #[test]
    fn money_is_exact() {
        let measure = Measure::new("{count} * 0.1 + 0.2 * (1 + targets) USD/hour").unwrap();
        let amount = measure.amount(&bound(&[("count", "3")]), 2).unwrap();
        assert_eq!(
            (amount.to_string().as_str(), measure.unit.as_str()),
            ("0.9", "USD/hour")
        );
        assert_eq!(measure.amount(&bound(&[]), 2), None);
        assert_eq!(measure.amount(&bound(&[("count", "many")]), 2), None);
        assert_eq!(
            Decimal::parse("170141183460469231731").map(|number| number.to_string()),
            None
        );
    }

    #[test]
    fn conditions_compare_numbers_as_numbers_and_texts_as_texts() {
        let holds = |text: &str, pairs| Condition::new(text).unwrap().holds(&bound(pairs));
        assert_eq!(holds("{n} > 9", &[("n", "10")]), Some(true));
        assert_eq!(holds("{n} == none", &[("n", "none")]), Some(true));
        assert_eq!(holds("{n} != {m}", &[("n", "a"), ("m", "a")]), Some(false));
        assert_eq!(holds("{n} > 9", &[]), None);
        assert!(Condition::new("{n}").is_err());
        assert!(Measure::new("1 +").is_err());
    }
}
