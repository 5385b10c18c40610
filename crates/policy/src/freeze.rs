//! Freezes: times in which nothing is changed, whatever the agent was told. A freeze denies.

use crate::{Environment, Session};
use jiff::tz::TimeZone;
use jiff::{Timestamp as Instant, Zoned};
use rescind_model::{Pattern, Timestamp};

/// Finds a time zone by its name. Zones come from outside: reading them is I/O.
pub type Zones<'z> = &'z dyn Fn(&str) -> Option<TimeZone>;

/// All freezes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Freezes {
    freezes: Vec<Freeze>,
}

/// One freeze.
#[derive(Debug, Clone, PartialEq)]
pub struct Freeze {
    /// Its name.
    pub id: String,
    /// Why, for who meets it.
    pub reason: String,
    /// When.
    pub span: Span,
    /// In which domains; `None` is all.
    pub domain: Option<Pattern>,
    /// In which environment; `None` is all.
    pub environment: Option<Environment>,
}

/// When a freeze holds. The beginning belongs to it, the end does not.
#[derive(Debug, Clone, PartialEq)]
pub enum Span {
    /// Once.
    Once {
        /// From.
        from: Timestamp,
        /// Until.
        until: Timestamp,
    },
    /// Every week, by the clocks of a time zone: minutes since Monday 00:00. From an hour that a clock skips it holds
    /// when the next one begins; an hour that comes twice counts twice. Where `from` is after `until`, it goes over
    /// the end of the week.
    Weekly {
        /// From.
        from: u16,
        /// Until.
        until: u16,
        /// Whose clocks.
        zone: TimeZone,
    },
}

/// Minutes of a week.
pub(crate) const WEEK: u16 = 7 * 24 * 60;

impl Freezes {
    /// These freezes.
    #[must_use]
    pub fn new(freezes: Vec<Freeze>) -> Self {
        Self { freezes }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.freezes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.freezes.is_empty()
    }

    /// Those that hold for a session now.
    pub fn holding<'f>(&'f self, session: &'f Session, now: Timestamp) -> impl Iterator<Item = &'f Freeze> {
        self.freezes
            .iter()
            .filter(move |freeze| freeze.applies(session) && freeze.span.holds(now))
    }
}

impl Freeze {
    fn applies(&self, session: &Session) -> bool {
        let domain = self
            .domain
            .as_ref()
            .is_none_or(|pattern| session.domains().any(|domain| pattern.fits(domain)));
        domain
            && self
                .environment
                .is_none_or(|environment| environment == session.environment)
    }
}

impl Span {
    /// Whether it holds at a time. A time that no calendar has is frozen.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        match self {
            Self::Once { from, until } => *from <= now && now < *until,
            Self::Weekly { from, until, zone } => {
                let Ok(instant) = Instant::from_nanosecond(i128::from(now.0)) else {
                    return true;
                };
                let minute = minute_of_week(&instant.to_zoned(zone.clone()));
                if from < until {
                    (*from..*until).contains(&minute)
                } else {
                    minute >= *from || minute < *until
                }
            }
        }
    }
}

fn minute_of_week(time: &Zoned) -> u16 {
    let days = u16::from(time.weekday().to_monday_zero_offset().unsigned_abs());
    let hours = u16::from(time.hour().unsigned_abs());
    (days * 24 + hours) * 60 + u16::from(time.minute().unsigned_abs())
}

#[cfg(test)]
mod tests;
