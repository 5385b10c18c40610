//! Pages of a list that is narrowed by several things at once.
//!
//! One of them leads: the rarest that has an index, found by probing. Its rows are gone through in order, and the others
//! are compared, until the page is full or the time is up; then the page says so and the next one goes on. So no
//! question takes longer than this, however much it narrows.

use crate::Result;
use crate::page::{Order, Page, Paged, cursor};
use rusqlite::Connection;
use rusqlite::types::Value;
use std::time::{Duration, Instant};

/// How long a page is searched for.
const PATIENCE: Duration = Duration::from_millis(80);
/// After how many rows the time is looked at.
const LOOK: usize = 512;
/// Counting stops here: what is more frequent than this is frequent.
const PROBED: i64 = 2000;
/// The most values of what leads that are gone through side by side.
const SIDE_BY_SIDE: usize = 16;

/// What a list is narrowed by.
#[derive(Default)]
pub(super) struct Narrowed {
    /// Conditions with numbers only, so that they can stand in the statement.
    conditions: Vec<String>,
    /// Those that could lead.
    leads: Vec<Lead>,
    /// The first and the last place that can be.
    pub bounds: (Option<i64>, Option<i64>),
    /// A question to the full text, which leads where it is there.
    pub text: Option<String>,
    /// The only places there can be, few and in order: they lead before all else.
    pub among: Option<Vec<i64>>,
    /// Whether nothing can be found.
    pub nothing: bool,
}

struct Lead {
    index: String,
    column: String,
    values: Vec<i64>,
}

impl Narrowed {
    /// A condition that no index helps with.
    pub fn only(&mut self, condition: impl Into<String>) {
        self.conditions.push(condition.into());
    }

    /// A column has one of these values. `index`: the index over it.
    pub fn equal(&mut self, column: &str, index: &str, values: Vec<i64>) {
        if values.is_empty() {
            self.nothing = true;
        }
        let list = values.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
        self.conditions.push(format!("r.{column} IN ({list})"));
        if !index.is_empty() && values.len() <= SIDE_BY_SIDE {
            self.leads.push(Lead {
                index: index.to_owned(),
                column: column.to_owned(),
                values,
            });
        }
    }

    /// A condition that an index is made for: its rows are those of the index.
    pub fn partial(&mut self, condition: &str, index: &str) {
        self.conditions.push(format!("r.{condition}"));
        self.leads.push(Lead {
            index: index.to_owned(),
            column: condition.to_owned(),
            values: Vec::new(),
        });
    }
}

impl Lead {
    /// The conditions of the streams that it is made of.
    fn streams(&self) -> Vec<String> {
        if self.values.is_empty() {
            return vec![format!("r.{}", self.column)];
        }
        let streams = self.values.iter();
        streams
            .map(|value| format!("r.{} = {value}", self.column))
            .collect()
    }
}

/// A stream of rows in order.
struct Stream {
    statement: String,
    values: Vec<Value>,
}

/// The places of a page's rows in `table`, in order.
pub(super) fn page(
    connection: &Connection,
    table: &str,
    narrowed: &Narrowed,
    page: &Page,
) -> Result<Paged<i64>> {
    let empty = Paged {
        rows: Vec::new(),
        next: None,
        cut: false,
    };
    if narrowed.nothing {
        return Ok(empty);
    }
    let window = window(narrowed, page)?;
    let streams = streams(connection, table, narrowed, page.order, window)?;
    let mut found = Paged { ..empty };
    let mut at = None;
    let deadline = Instant::now() + PATIENCE;
    merge(connection, &streams, page.order, |id, fits, looked| {
        if found.rows.len() == page.rows() {
            found.next = found.rows.last().map(|last| cursor(*last));
            return false;
        }
        at = Some(id);
        if fits {
            found.rows.push(id);
        }
        if looked % LOOK == LOOK - 1 && Instant::now() > deadline {
            found.cut = true;
            return false;
        }
        true
    })?;
    if found.cut {
        found.next = at.map(cursor);
    }
    Ok(found)
}

/// The first and last place of a page.
fn window(narrowed: &Narrowed, page: &Page) -> Result<(i64, i64)> {
    let (mut first, mut last) = (
        narrowed.bounds.0.unwrap_or(0),
        narrowed.bounds.1.unwrap_or(i64::MAX),
    );
    if let Some(behind) = page.behind()? {
        match page.order {
            Order::Newest => last = last.min(behind.saturating_sub(1)),
            Order::Oldest => first = first.max(behind.saturating_add(1)),
        }
    }
    Ok((first, last))
}

fn streams(
    connection: &Connection,
    table: &str,
    narrowed: &Narrowed,
    order: Order,
    (first, last): (i64, i64),
) -> Result<Vec<Stream>> {
    let way = match order {
        Order::Newest => "DESC",
        Order::Oldest => "ASC",
    };
    let fits = match narrowed.conditions.as_slice() {
        [] => "1".to_owned(),
        conditions => conditions
            .iter()
            .map(|condition| format!("({condition})"))
            .collect::<Vec<_>>()
            .join(" AND "),
    };
    if let Some(among) = &narrowed.among {
        let list = among.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
        let (matches, values) = match &narrowed.text {
            Some(text) => (
                "AND r.id IN (SELECT rowid FROM texts WHERE texts MATCH ?1)",
                vec![Value::Text(text.clone())],
            ),
            None => ("", Vec::new()),
        };
        return Ok(vec![Stream {
            statement: format!(
                "SELECT r.id, {fits} FROM {table} r WHERE r.id IN ({list}) {matches}
                 AND r.id BETWEEN {first} AND {last} ORDER BY r.id {way}"
            ),
            values,
        }]);
    }
    if let Some(text) = &narrowed.text {
        return Ok(vec![Stream {
            statement: format!(
                "SELECT t.rowid, {fits} FROM texts t CROSS JOIN {table} r ON r.id = t.rowid
                 WHERE texts MATCH ?1 AND t.rowid BETWEEN {first} AND {last} ORDER BY t.rowid {way}"
            ),
            values: vec![Value::Text(text.clone())],
        }]);
    }
    let whole = |from: String, lead: &str| Stream {
        statement: format!(
            "SELECT r.id, {fits} FROM {table} r {from} WHERE {lead} r.id BETWEEN {first} AND {last} ORDER BY r.id {way}"
        ),
        values: Vec::new(),
    };
    let mut rarest: Option<(i64, &Lead)> = None;
    for lead in &narrowed.leads {
        let mut count = 0;
        for stream in lead.streams() {
            let ask = format!(
                "SELECT count(*) FROM (SELECT 1 FROM {table} r INDEXED BY {} WHERE {stream}
                 AND r.id BETWEEN {first} AND {last} LIMIT {PROBED})",
                lead.index
            );
            let found: i64 = connection.prepare_cached(&ask)?.query_row([], |row| row.get(0))?;
            count += found;
        }
        if rarest.is_none_or(|(rare, _)| count < rare) {
            rarest = Some((count, lead));
        }
    }
    Ok(match rarest {
        Some((_, lead)) => lead
            .streams()
            .into_iter()
            .map(|stream| whole(format!("INDEXED BY {}", lead.index), &format!("{stream} AND")))
            .collect(),
        None => vec![whole("NOT INDEXED".to_owned(), "")],
    })
}

/// Go through streams side by side, in order of their places. `each` gets a row's place, whether it fits, and how many
/// came before; it says whether to go on.
fn merge(
    connection: &Connection,
    streams: &[Stream],
    order: Order,
    mut each: impl FnMut(i64, bool, usize) -> bool,
) -> Result<()> {
    let mut statements = Vec::with_capacity(streams.len());
    for stream in streams {
        statements.push(connection.prepare_cached(&stream.statement)?);
    }
    let mut open = Vec::with_capacity(streams.len());
    for (statement, stream) in statements.iter_mut().zip(streams) {
        let mut rows = statement.query(rusqlite::params_from_iter(&stream.values))?;
        let head = head(&mut rows)?;
        open.push((rows, head));
    }
    let mut looked = 0;
    loop {
        let heads = open.iter().enumerate();
        let heads = heads.filter_map(|(place, (_, head))| head.map(|(id, fits)| (id, fits, place)));
        let next = match order {
            Order::Newest => heads.max_by_key(|(id, ..)| *id),
            Order::Oldest => heads.min_by_key(|(id, ..)| *id),
        };
        let Some((id, fits, place)) = next else {
            return Ok(());
        };
        if !each(id, fits, looked) {
            return Ok(());
        }
        looked += 1;
        if let Some((rows, current)) = open.get_mut(place) {
            *current = head(rows)?;
        }
    }
}

fn head(rows: &mut rusqlite::Rows<'_>) -> Result<Option<(i64, bool)>> {
    match rows.next()? {
        Some(row) => Ok(Some((
            row.get(0)?,
            row.get::<_, Option<bool>>(1)?.unwrap_or(false),
        ))),
        None => Ok(None),
    }
}
