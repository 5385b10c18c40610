//! The API, one file for each kind of thing. Who may call what stands in each handler's arguments, and in the document.

pub mod actions;
pub mod agent;
pub mod events;
pub mod health;
pub mod holds;
pub mod kills;
pub mod me;
pub mod people;
pub mod sessions;
pub mod undos;

use crate::problem::Problem;
use rescind_index::Paged;
use rescind_model::{ActionId, SessionId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    /// Its rows.
    pub items: Vec<T>,
    /// What `cursor` is for the next page; none: this is the last.
    pub next: Option<String>,
    /// Whether the search stopped for time before the page was full; `next` goes on.
    pub cut: bool,
}

impl<T> From<Paged<T>> for List<T> {
    fn from(page: Paged<T>) -> Self {
        Self {
            items: page.rows,
            next: page.next,
            cut: page.cut,
        }
    }
}

/// Which page of a list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// `next` of the page before.
    pub cursor: Option<String>,
    /// At most so many, up to 500.
    pub limit: Option<usize>,
    /// `newest` or `oldest` first.
    pub order: Option<rescind_index::Order>,
}

impl PageQuery {
    /// For the index.
    #[must_use]
    pub fn page(&self) -> rescind_index::Page {
        rescind_index::Page {
            cursor: self.cursor.clone(),
            limit: self.limit.unwrap_or(50),
            order: self.order.unwrap_or_default(),
        }
    }
}

/// The id of a session in a path.
///
/// # Errors
/// It is none.
pub fn session_id(text: &str) -> Result<SessionId, Problem> {
    text.parse().map_err(|_| {
        Problem::not_found(format!(
            "`{}` is no session",
            crate::console::parts::short(text, 80)
        ))
    })
}

/// The id of an action in a path.
///
/// # Errors
/// It is none.
pub fn action_id(text: &str) -> Result<ActionId, Problem> {
    text.parse().map_err(|_| {
        Problem::not_found(format!(
            "`{}` is no action",
            crate::console::parts::short(text, 80)
        ))
    })
}

/// A field of a form that was left empty is none.
pub(crate) fn empty_is_none<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let text = Option::<String>::deserialize(from)?.filter(|text| !text.is_empty());
    text.map(|text| text.parse().map_err(serde::de::Error::custom))
        .transpose()
}
