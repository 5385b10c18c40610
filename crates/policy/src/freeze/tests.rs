use super::Zones;
use crate::fixture::session;
use crate::{Bounds, Session};
use jiff::tz::TimeZone;
use rescind_model::Timestamp;

/// Berlin's rules, written out, so that no time zone data is needed.
fn zones(name: &str) -> Option<TimeZone> {
    match name {
        "Europe/Berlin" => TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").ok(),
        "UTC" => Some(TimeZone::UTC),
        _ => None,
    }
}

fn holds(text: &str, session: &Session, at: &str) -> bool {
    let zones: Zones<'_> = &zones;
    let bounds = Bounds::parse("limits.toml", text, zones).unwrap_or_else(|error| panic!("{error}"));
    let now: jiff::Timestamp = at.parse().unwrap();
    let now = Timestamp(i64::try_from(now.as_nanosecond()).unwrap());
    bounds.freezes.holding(session, now).next().is_some()
}

#[test]
fn a_freeze_holds_from_its_beginning_up_to_its_end() {
    let text = "[[freeze]]\nid = \"a\"\nreason = \"r\"\nfrom = \"2026-12-20T18:00:00+01:00\"\nuntil = \"2027-01-02T00:00:00Z\"\n";
    let held = |at: &str| holds(text, &session(), at);
    assert!(!held("2026-12-20T16:59:59.999Z"));
    assert!(held("2026-12-20T17:00:00Z"));
    assert!(held("2027-01-01T23:59:59Z"));
    assert!(!held("2027-01-02T00:00:00Z"));
}

#[test]
fn a_weekly_freeze_goes_by_the_clocks_of_its_zone_and_over_the_end_of_the_week() {
    let text = "[[freeze]]\nid = \"weekend\"\nreason = \"r\"\nweekly = { from = \"fri 16:00\", until = \"mon 08:00\", zone = \"Europe/Berlin\" }\n";
    let held = |at: &str| holds(text, &session(), at);
    // Winter: Berlin is an hour ahead of UTC. 2026-11-20 is a Friday.
    assert!(!held("2026-11-20T14:59:59Z"));
    assert!(held("2026-11-20T15:00:00Z"));
    assert!(held("2026-11-22T12:00:00Z"));
    assert!(held("2026-11-23T06:59:59Z"));
    assert!(!held("2026-11-23T07:00:00Z"));
    // Summer: two hours. 2026-07-17 is a Friday.
    assert!(!held("2026-07-17T13:59:59Z"));
    assert!(held("2026-07-17T14:00:00Z"));
    assert!(!held("2026-07-20T06:00:00Z"));
}

#[test]
fn a_freeze_of_a_domain_holds_within_it_and_nowhere_else() {
    let text = "[[freeze]]\nid = \"a\"\nreason = \"r\"\nfrom = \"2026-01-01T00:00:00Z\"\nuntil = \"2027-01-01T00:00:00Z\"\ndomain = \"web\"\nenvironment = \"production\"\n";
    let at = "2026-06-01T00:00:00Z";
    let mut session = session();
    assert!(holds(text, &session, at));
    session.domain = "website/prod".to_owned();
    assert!(!holds(text, &session, at));
    session.domain = "web".to_owned();
    assert!(holds(text, &session, at));
    session.environment = crate::Environment::Staging;
    assert!(!holds(text, &session, at));
}

#[test]
fn mistakes_in_freezes_are_named_with_their_place() {
    let zones: Zones<'_> = &zones;
    let wrong = |text: &str| {
        Bounds::parse("limits.toml", text, zones)
            .unwrap_err()
            .problems
            .to_string()
    };
    let freeze = |rest: &str| wrong(&format!("\n[[freeze]]\nid = \"a\"\nreason = \"r\"\n{rest}\n"));
    assert_eq!(
        freeze("weekly = { from = \"fri 16:00\", until = \"mon 08:00\", zone = \"Mars/Olympus\" }"),
        "limits.toml:2:1: `Mars/Olympus` is not a time zone known here, such as Europe/Berlin"
    );
    assert!(
        freeze("from = \"2026-01-01\"\nuntil = \"2026-01-02\"")
            .contains("`2026-01-01` is not an RFC 3339 time")
    );
    assert!(
        freeze("from = \"2026-01-02T00:00:00Z\"\nuntil = \"2026-01-01T00:00:00Z\"")
            .contains("ends before it begins")
    );
    assert!(freeze("").contains("either `from` and `until`, or `weekly`"));
    assert!(
        freeze("weekly = { from = \"fri 25:00\", until = \"mon 08:00\", zone = \"UTC\" }")
            .contains("fri 25:00")
    );
    assert!(freeze("forever = true").contains("unknown field `forever`"));
}
