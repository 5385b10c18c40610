//! Pages of a list, by keyset: a cursor says behind which row to go on, so that a page costs the same wherever it is.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most rows of a page.
pub const LARGEST_PAGE: usize = 500;

/// Which way a list goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The newest first.
    #[default]
    Newest,
    /// The oldest first.
    Oldest,
}

/// Which page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Page {
    /// [`Paged::next`] of the page before; none: the first.
    pub cursor: Option<String>,
    /// At most so many rows, up to [`LARGEST_PAGE`].
    pub limit: usize,
    /// Which way.
    pub order: Order,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            cursor: None,
            limit: 50,
            order: Order::Newest,
        }
    }
}

impl Page {
    /// The first page with at most so many rows, newest first.
    #[must_use]
    pub fn first(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// The rows of a page, at least one.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.limit.clamp(1, LARGEST_PAGE)
    }

    /// The row behind which the page begins.
    pub(crate) fn behind(&self) -> Result<Option<i64>> {
        let Some(cursor) = &self.cursor else {
            return Ok(None);
        };
        let error = || Error::Cursor {
            cursor: cursor.clone(),
        };
        let digits = cursor.strip_prefix('k').ok_or_else(error)?;
        i64::from_str_radix(digits, 36).map(Some).map_err(|_| error())
    }
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Paged<T> {
    /// Its rows.
    pub rows: Vec<T>,
    /// Where the next one begins; none: this is the last.
    pub next: Option<String>,
    /// Whether the search stopped for time before the page was full: there may be more rows, and `next` goes on.
    pub cut: bool,
}

/// The cursor behind a row.
pub(crate) fn cursor(id: i64) -> String {
    let mut rest = id.unsigned_abs();
    let mut digits = Vec::new();
    while digits.is_empty() || rest > 0 {
        let digit = u32::try_from(rest % 36).unwrap_or(0);
        digits.push(char::from_digit(digit, 36).unwrap_or('0'));
        rest /= 36;
    }
    digits.push('k');
    digits.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::{Page, cursor};

    #[test]
    fn a_cursor_says_its_row_and_anything_else_is_refused() {
        for id in [0, 1, 35, 36, i64::MAX] {
            let page = Page {
                cursor: Some(cursor(id)),
                ..Page::default()
            };
            assert_eq!(page.behind().unwrap(), Some(id));
        }
        for wrong in ["", "1", "k", "k!", "kzzzzzzzzzzzzzzzzz"] {
            let page = Page {
                cursor: Some(wrong.into()),
                ..Page::default()
            };
            assert!(page.behind().is_err(), "{wrong}");
        }
    }
}
