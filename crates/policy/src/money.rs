//! Money: exact decimal amounts with their currency named. Nothing is ever rounded, and nothing converts.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// An exact amount with up to nine decimals, in billionths: far finer than any price, and up to 10^23.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Amount(i128);

/// A currency by its three capital letters, as in ISO 4217.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

/// An amount of a currency. Written `500 USD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Money {
    /// How much.
    pub amount: Amount,
    /// Of what.
    pub currency: Currency,
}

/// A text that is no money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// It is no exact amount.
    #[error(
        "`{text}` is not an amount such as `500` or `0.25`, with at most nine decimals and not below zero"
    )]
    Amount {
        /// What was given.
        text: String,
    },
    /// It is no currency.
    #[error("`{text}` is not a currency's three capital letters, such as `USD`")]
    Currency {
        /// What was given.
        text: String,
    },
    /// One of both is missing.
    #[error("`{text}` is not an amount and a currency, such as `500 USD`")]
    Money {
        /// What was given.
        text: String,
    },
}

const DECIMALS: usize = 9;
const UNIT: i128 = 1_000_000_000;
/// So that sums of any number of amounts that memory can hold stay within an `i128`.
const MOST: i128 = i128::MAX >> 20;

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// A whole number.
    #[must_use]
    pub fn whole(units: u32) -> Self {
        Self(i128::from(units) * UNIT)
    }

    /// In billionths.
    #[must_use]
    pub fn billionths(self) -> i128 {
        self.0
    }

    /// Whether it is at the end of the range, so that sums may have been cut there.
    #[must_use]
    pub fn is_full(self) -> bool {
        self.0 >= MOST
    }

    /// The sum; at the end of the range it stays there, which no cap is above.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0).min(MOST))
    }

    /// The difference, and nothing where it would be below.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0).max(0))
    }

    /// So many times: a price for a number of things.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(i128::from(count)).min(MOST))
    }
}

impl FromStr for Amount {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let wrong = || MoneyError::Amount {
            text: text.to_owned(),
        };
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > DECIMALS {
            return Err(wrong());
        }
        let whole: i128 = whole.parse().map_err(|_| wrong())?;
        let part: i128 = format!("{part:0<DECIMALS$}").parse().map_err(|_| wrong())?;
        let sum = whole.checked_mul(UNIT).and_then(|whole| whole.checked_add(part));
        sum.filter(|sum| *sum <= MOST).map(Self).ok_or_else(wrong)
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        match *text.as_bytes() {
            [a, b, c] if text.bytes().all(|byte| byte.is_ascii_uppercase()) => Ok(Self([a, b, c])),
            _ => Err(MoneyError::Currency {
                text: text.to_owned(),
            }),
        }
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let (amount, currency) = text.split_once(' ').ok_or_else(|| MoneyError::Money {
            text: text.to_owned(),
        })?;
        Ok(Self {
            amount: amount.parse()?,
            currency: currency.parse()?,
        })
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = format!("{:09}", self.0.rem_euclid(UNIT));
        let part = part.trim_end_matches('0');
        write!(f, "{}.{part:0<2}", self.0.div_euclid(UNIT))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(f, "{}", char::from(*byte)))
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}

macro_rules! as_text {
    ($($name:ident)*) => {$(
        impl TryFrom<String> for $name {
            type Error = MoneyError;

            fn try_from(text: String) -> Result<Self, MoneyError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    )*};
}

as_text! { Amount Currency Money }

#[cfg(test)]
mod tests {
    use super::{Amount, Money};

    #[test]
    fn tenths_add_up_exactly() {
        let tenth: Amount = "0.1".parse().unwrap();
        let sum = (0..10).fold(Amount::ZERO, |sum, _| sum.plus(tenth));
        assert_eq!(sum, Amount::whole(1));
        assert_eq!(tenth.times(3).to_string(), "0.30");
        assert_eq!("0.000000001".parse::<Amount>().unwrap().billionths(), 1);
    }

    #[test]
    fn what_would_have_to_be_rounded_or_is_unclear_is_refused() {
        for text in [
            "0.0000000001",
            "-1",
            "+1",
            "1e3",
            "",
            ".",
            "1.",
            ".5",
            "1,5",
            "99999999999999999999999999999999",
        ] {
            assert!(text.parse::<Amount>().is_err(), "{text}");
        }
        for text in ["5", "5 usd", "5USD", "5 US", "5  USD", "USD 5"] {
            assert!(text.parse::<Money>().is_err(), "{text}");
        }
    }

    #[test]
    fn text_and_amount_agree() {
        for text in [
            "500.00 USD",
            "0.25 EUR",
            "0.123456789 JPY",
            "12345678901234567890.10 USD",
        ] {
            assert_eq!(text.parse::<Money>().unwrap().to_string(), text);
        }
    }
}
