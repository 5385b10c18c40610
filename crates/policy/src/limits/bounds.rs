//! The file that says limits, freezes and when the breaker trips: TOML, described in `docs/guide/policy.md`.

use super::{Limit, Limits, Measure, Per, Quantity};
use crate::freeze::WEEK;
use crate::{Breaker, Environment, Freeze, Freezes, Money, Place, Problem, Problems, Span, Zones};
use rescind_model::{Operation, Pattern, Surface, Timestamp, read_span};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::time::Duration;
use toml::Spanned;

/// What such a file says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bounds {
    /// The limits.
    pub limits: Limits,
    /// The freezes.
    pub freezes: Freezes,
    /// The breaker.
    pub breaker: Breaker,
}

/// What is wrong with such a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("limits and freezes can't be used: {problems}")]
pub struct BoundsError {
    /// Where and what.
    pub problems: Problems,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct BoundsForm {
    #[serde(default)]
    limit: Vec<Spanned<LimitForm>>,
    #[serde(default)]
    freeze: Vec<Spanned<FreezeForm>>,
    #[serde(default)]
    breaker: BreakerForm,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct BreakerForm {
    denials_in_a_row: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitForm {
    id: String,
    per: PerForm,
    measure: MeasureForm,
    cap: CapForm,
    window: Option<String>,
    kind: Option<String>,
    operation: Option<String>,
    surface: Option<String>,
    agent: Option<String>,
    domain: Option<String>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a number, money such as \"500 USD\", or a time such as \"2h\""
)]
enum CapForm {
    Count(u64),
    Text(String),
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum PerForm {
    Session,
    Agent,
    Domain,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum MeasureForm {
    Actions,
    Files,
    Rows,
    Objects,
    Money,
    Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FreezeForm {
    id: String,
    reason: String,
    from: Option<String>,
    until: Option<String>,
    weekly: Option<WeeklyForm>,
    domain: Option<String>,
    environment: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WeeklyForm {
    from: String,
    until: String,
    zone: String,
}

impl Bounds {
    /// Read a file. `file` is its name, for messages; `zones` finds time zones.
    ///
    /// # Errors
    /// Everything that is wrong, with line and column. Nothing of the file is used then.
    pub fn parse(file: &str, text: &str, zones: Zones<'_>) -> Result<Self, BoundsError> {
        let form: BoundsForm = toml::from_str(text).map_err(|error| BoundsError {
            problems: Problems(vec![Problem::toml(file, text, &error)]),
        })?;
        let mut problems = Vec::new();
        let bounds = form.bounds(file, text, zones, &mut problems);
        if problems.is_empty() {
            return Ok(bounds);
        }
        Err(BoundsError {
            problems: Problems(problems),
        })
    }
}

impl BoundsForm {
    /// What it says; what is wrong goes to `problems`.
    pub(crate) fn bounds(
        self,
        file: &str,
        text: &str,
        zones: Zones<'_>,
        problems: &mut Vec<Problem>,
    ) -> Bounds {
        let mut names = BTreeSet::new();
        let mut named = |id: &str| {
            if id.is_empty() || id.contains('/') {
                return Err(format!("`{id}` can't be an id: it is empty or holds a `/`"));
            }
            if !names.insert(id.to_owned()) {
                return Err(format!("there are two with the id `{id}`"));
            }
            Ok(())
        };
        let mut limits = Vec::new();
        let mut freezes = Vec::new();
        for spanned in self.limit {
            let place = Place::of(file, text, spanned.span().start);
            let form = spanned.into_inner();
            match named(&form.id).and_then(|()| form.limit()) {
                Ok(limit) => limits.push(limit),
                Err(message) => problems.push(Problem::new(place, message)),
            }
        }
        for spanned in self.freeze {
            let place = Place::of(file, text, spanned.span().start);
            let form = spanned.into_inner();
            match named(&form.id).and_then(|()| form.freeze(zones)) {
                Ok(freeze) => freezes.push(freeze),
                Err(message) => problems.push(Problem::new(place, message)),
            }
        }
        let standard = Breaker::default();
        Bounds {
            limits: Limits::new(limits),
            freezes: Freezes::new(freezes),
            breaker: Breaker {
                denials: self.breaker.denials_in_a_row.unwrap_or(standard.denials),
            },
        }
    }
}

impl LimitForm {
    fn limit(self) -> Result<Limit, String> {
        let (measure, cap) = self.cap()?;
        let window = self.window.as_deref().map(length).transpose()?;
        if measure == Measure::Duration && window.is_some() {
            return Err(
                "a limit on duration has no window: it counts from the session's beginning".to_owned(),
            );
        }
        if measure == Measure::Duration && !matches!(self.per, PerForm::Session) {
            return Err(
                "a limit on duration is `per = \"session\"`: nothing else has a beginning".to_owned(),
            );
        }
        Ok(Limit {
            id: self.id,
            per: match self.per {
                PerForm::Session => Per::Session,
                PerForm::Agent => Per::Agent,
                PerForm::Domain => Per::Domain,
            },
            measure,
            cap,
            window,
            kind: self.kind.map(Pattern::new),
            operation: self.operation.as_deref().map(operation).transpose()?,
            surface: self.surface.as_deref().map(surface).transpose()?,
            agent: self.agent.map(Pattern::new),
            domain: self.domain.map(Pattern::new),
        })
    }

    fn cap(&self) -> Result<(Measure, Quantity), String> {
        let plain = |measure| match &self.cap {
            CapForm::Count(count) => Ok((measure, Quantity::Count(*count))),
            CapForm::Text(text) => Err(format!("`{text}` is not a number, which this measure needs")),
        };
        match (self.measure, &self.cap) {
            (MeasureForm::Actions, _) => plain(Measure::Actions),
            (MeasureForm::Files, _) => plain(Measure::Files),
            (MeasureForm::Rows, _) => plain(Measure::Rows),
            (MeasureForm::Objects, _) => plain(Measure::Objects),
            (MeasureForm::Money, CapForm::Text(text)) => {
                let money: Money = text.parse().map_err(|error| format!("{error}"))?;
                Ok((Measure::Money(money.currency), Quantity::Amount(money.amount)))
            }
            (MeasureForm::Money, CapForm::Count(count)) => Err(format!(
                "`{count}` has no currency: write money as \"{count} USD\""
            )),
            (MeasureForm::Duration, CapForm::Text(text)) => {
                Ok((Measure::Duration, Quantity::Count(length(text)?.as_secs())))
            }
            (MeasureForm::Duration, CapForm::Count(count)) => Err(format!(
                "`{count}` has no unit: write a time as \"{count}s\", \"{count}m\" or \"{count}h\""
            )),
        }
    }
}

impl FreezeForm {
    fn freeze(self, zones: Zones<'_>) -> Result<Freeze, String> {
        let span = match (&self.from, &self.until, &self.weekly) {
            (Some(from), Some(until), None) => once(from, until)?,
            (None, None, Some(weekly)) => weekly.span(zones)?,
            _ => return Err("a freeze has either `from` and `until`, or `weekly`".to_owned()),
        };
        let environment = self
            .environment
            .as_deref()
            .map(str::parse::<Environment>)
            .transpose();
        Ok(Freeze {
            id: self.id,
            reason: self.reason,
            span,
            domain: self.domain.map(Pattern::new),
            environment: environment.map_err(|error| error.to_string())?,
        })
    }
}

fn once(from: &str, until: &str) -> Result<Span, String> {
    let time = |text: &str| {
        let instant: jiff::Timestamp = text.parse().map_err(|_| {
            format!("`{text}` is not an RFC 3339 time with an offset, such as 2026-12-20T18:00:00+01:00")
        })?;
        i64::try_from(instant.as_nanosecond())
            .map(Timestamp)
            .map_err(|_| format!("`{text}` is beyond what times can hold"))
    };
    let (from, until) = (time(from)?, time(until)?);
    if from >= until {
        return Err("the freeze ends before it begins".to_owned());
    }
    Ok(Span::Once { from, until })
}

impl WeeklyForm {
    fn span(&self, zones: Zones<'_>) -> Result<Span, String> {
        let zone = zones(&self.zone).ok_or_else(|| {
            format!(
                "`{}` is not a time zone known here, such as Europe/Berlin",
                self.zone
            )
        })?;
        let (from, until) = (minute(&self.from)?, minute(&self.until)?);
        if from == until {
            return Err("the freeze ends where it begins: for all time, leave the week out".to_owned());
        }
        Ok(Span::Weekly { from, until, zone })
    }
}

/// `fri 16:00` as minutes since Monday 00:00.
fn minute(text: &str) -> Result<u16, String> {
    let wrong = || format!("`{text}` is not a time of the week such as `fri 16:00`");
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let (day, clock) = text.split_once(' ').ok_or_else(wrong)?;
    let (hour, minute) = clock.split_once(':').ok_or_else(wrong)?;
    let day = days.iter().position(|known| *known == day).ok_or_else(wrong)?;
    let number = |text: &str, below: u16| match text.parse::<u16>() {
        Ok(number) if number < below && text.len() == 2 => Some(number),
        _ => None,
    };
    let (hour, minute) = (
        number(hour, 24).ok_or_else(wrong)?,
        number(minute, 60).ok_or_else(wrong)?,
    );
    let day = u16::try_from(day).map_err(|_| wrong())?;
    Ok(((day * 24 + hour) * 60 + minute).min(WEEK - 1))
}

/// `90s`, `5m`, `2h` or `7d`.
fn length(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a time such as `90s`, `5m`, `2h` or `7d`, of at most ten years");
    read_span(text)
        .filter(|span| (1..=315_360_000).contains(&span.as_secs()))
        .ok_or_else(wrong)
}

pub(crate) fn operation(text: &str) -> Result<Operation, String> {
    let known = Operation::ALL.into_iter().find(|known| known.name() == text);
    known.ok_or_else(|| format!("`{text}` is not an operation: they are read, write, delete, admin"))
}

pub(crate) fn surface(text: &str) -> Result<Surface, String> {
    let known = Surface::ALL.into_iter().find(|known| known.name() == text);
    let names: Vec<&str> = Surface::ALL.iter().map(|known| known.name()).collect();
    known.ok_or_else(|| format!("`{text}` is not a surface: they are {}", names.join(", ")))
}
