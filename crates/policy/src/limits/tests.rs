use super::{Ask, Counters, Exceeded, Limits, Reservation, Spent, release, settle};
use crate::fixture::{proposal, session};
use crate::{Bounds, Spend};
use proptest::prelude::*;
use rescind_model::{Operation, Timestamp};

fn limits(text: &str) -> Limits {
    Bounds::parse("limits.toml", text, &|_| None)
        .unwrap_or_else(|error| panic!("{error}"))
        .limits
}

fn ask() -> Ask {
    let mut proposal = proposal("x");
    proposal.operation = Operation::Delete;
    proposal.blast.files = Some(1);
    Ask::of(&proposal, &session())
}

fn money(text: &str) -> Spend {
    Spend::of([text.parse().unwrap()])
}

const SECOND: i64 = 1_000_000_000;
const FIVE: &str = "[[limit]]\nid = \"deletes\"\nper = \"session\"\nmeasure = \"actions\"\noperation = \"delete\"\ncap = 5\n";

/// Reserve, and take over what changed.
fn take(limits: &Limits, counters: &mut Counters, ask: &Ask, now: i64) -> Result<Reservation, Exceeded> {
    let granted = limits.reserve(counters, ask, Timestamp(now))?;
    counters.apply(granted.changed);
    Ok(granted.reservation)
}

#[test]
fn the_sixth_of_five_deletes_is_held_and_says_so() {
    let limits = limits(FIVE);
    let mut counters = Counters::default();
    for _ in 0..5 {
        let reservation = take(&limits, &mut counters, &ask(), 0).unwrap();
        counters.apply(settle(&counters, &reservation, &Spent::default(), Timestamp(0)).changed);
    }
    let held = take(&limits, &mut counters, &ask(), 0).unwrap_err();
    assert_eq!(
        held.to_string(),
        format!(
            "limit `deletes` of session `{}`: 5 used, 1 asked, 5 allowed",
            session().id
        )
    );
    let mut other = ask();
    other.operation = Operation::Write;
    assert!(take(&limits, &mut counters, &other, 0).is_ok());
    other = ask();
    other.session = "another".to_owned();
    assert!(take(&limits, &mut counters, &other, 0).is_ok());
}

#[test]
fn what_is_reserved_counts_and_what_is_released_does_not() {
    let limits = limits(FIVE);
    let mut counters = Counters::default();
    let held: Vec<Reservation> = (0..5)
        .map(|_| take(&limits, &mut counters, &ask(), 0).unwrap())
        .collect();
    assert!(take(&limits, &mut counters, &ask(), 0).is_err());
    counters.apply(release(&counters, &held[0]).changed);
    assert!(take(&limits, &mut counters, &ask(), 0).is_ok());
    assert!(take(&limits, &mut counters, &ask(), 0).is_err());
}

#[test]
fn a_cap_on_money_is_exact_and_not_passed_in_another_currency_or_without_an_amount() {
    let limits =
        limits("[[limit]]\nid = \"spend\"\nper = \"agent\"\nmeasure = \"money\"\ncap = \"0.30 USD\"\n");
    let mut counters = Counters::default();
    let mut ask = ask();
    for _ in 0..3 {
        ask.spent.spend = money("0.1 USD");
        let reservation = take(&limits, &mut counters, &ask, 0).unwrap();
        counters.apply(settle(&counters, &reservation, &ask.spent, Timestamp(0)).changed);
    }
    ask.spent.spend = money("0.000000001 USD");
    assert_eq!(
        take(&limits, &mut counters, &ask, 0).unwrap_err().to_string(),
        "limit `spend` of agent `coder`: 0.30 used, 0.000000001 asked, 0.30 allowed"
    );
    ask.spent.spend = money("0.01 EUR");
    assert!(matches!(
        take(&limits, &mut counters, &ask, 0),
        Err(Exceeded::Currency { .. })
    ));
    ask.spent.spend = Spend::Unknown;
    assert!(matches!(
        take(&limits, &mut counters, &ask, 0),
        Err(Exceeded::Unknown { .. })
    ));
    ask.spent.spend = Spend::None;
    assert!(take(&limits, &mut counters, &ask, 0).is_ok());
}

#[test]
fn more_than_was_reserved_is_counted_and_holds_the_next() {
    let limits = limits("[[limit]]\nid = \"files\"\nper = \"session\"\nmeasure = \"files\"\ncap = 10\n");
    let mut counters = Counters::default();
    let mut ask = ask();
    ask.spent.files = 2;
    let reservation = take(&limits, &mut counters, &ask, 0).unwrap();
    let spent = Spent {
        files: 40,
        ..Spent::default()
    };
    counters.apply(settle(&counters, &reservation, &spent, Timestamp(0)).changed);
    ask.spent.files = 0;
    let held = take(&limits, &mut counters, &ask, 0).unwrap_err().to_string();
    assert!(held.contains("40 used, 0 asked, 10 allowed"), "{held}");
}

#[test]
fn a_rate_forgets_what_left_its_window_and_not_before() {
    let limits = limits(
        "[[limit]]\nid = \"rate\"\nper = \"domain\"\nmeasure = \"actions\"\nwindow = \"1m\"\ncap = 2\n",
    );
    let mut counters = Counters::default();
    for at in [0, 30] {
        let reservation = take(&limits, &mut counters, &ask(), at * SECOND).unwrap();
        counters.apply(settle(&counters, &reservation, &ask().spent, Timestamp(at * SECOND)).changed);
    }
    assert!(take(&limits, &mut counters, &ask(), 60 * SECOND).is_err());
    let reservation = take(&limits, &mut counters, &ask(), 62 * SECOND).unwrap();
    counters.apply(settle(&counters, &reservation, &ask().spent, Timestamp(62 * SECOND)).changed);
    assert!(take(&limits, &mut counters, &ask(), 63 * SECOND).is_err());
    // A clock that goes back opens nothing.
    assert!(take(&limits, &mut counters, &ask(), SECOND).is_err());
}

#[test]
fn a_session_lasts_as_long_as_it_may() {
    let limits =
        limits("[[limit]]\nid = \"long\"\nper = \"session\"\nmeasure = \"duration\"\ncap = \"2h\"\n");
    let mut counters = Counters::default();
    assert!(take(&limits, &mut counters, &ask(), 7_199 * SECOND).is_ok());
    assert!(take(&limits, &mut counters, &ask(), 7_200 * SECOND).is_err());
}

#[test]
fn a_limit_on_a_domain_counts_what_happens_within_it() {
    let limits = limits(
        "[[limit]]\nid = \"a\"\nper = \"domain\"\nmeasure = \"actions\"\ncap = 1\ndomain = \"web\"\nagent = \"co*\"\nkind = \"files.*\"\n",
    );
    let mut counters = Counters::default();
    assert!(take(&limits, &mut counters, &ask(), 0).is_ok());
    let mut other = ask();
    other.domains = vec!["web/stage".to_owned(), "web".to_owned()];
    assert!(take(&limits, &mut counters, &other, 0).is_err());
    other.domains = vec!["website".to_owned()];
    assert!(take(&limits, &mut counters, &other, 0).is_ok());
}

#[test]
fn one_limit_that_is_hit_reserves_nothing_of_the_others() {
    let limits = limits(&format!(
        "{FIVE}[[limit]]\nid = \"files\"\nper = \"session\"\nmeasure = \"files\"\ncap = 0\n"
    ));
    let mut counters = Counters::default();
    assert!(take(&limits, &mut counters, &ask(), 0).is_err());
    assert_eq!(counters, Counters::default());
}

#[test]
fn counters_and_reservations_survive_being_written_down() {
    let text = format!(
        "{FIVE}[[limit]]\nid = \"m\"\nper = \"domain\"\nmeasure = \"money\"\ncap = \"9 USD\"\nwindow = \"1h\"\n"
    );
    let limits = limits(&text);
    let mut counters = Counters::default();
    let mut ask = ask();
    ask.spent.spend = money("1.5 USD");
    let first = take(&limits, &mut counters, &ask, 0).unwrap();
    counters.apply(settle(&counters, &first, &ask.spent, Timestamp(0)).changed);
    let second = take(&limits, &mut counters, &ask, 0).unwrap();
    let written = serde_json::to_string(&(&counters, &second)).unwrap();
    assert!(written.contains("\"m/domain/web/prod\""), "{written}");
    let read: (Counters, Reservation) = serde_json::from_str(&written).unwrap();
    assert_eq!(read, (counters, second));
}

#[test]
fn mistakes_in_limits_are_named_with_their_place() {
    let wrong = |text: &str| {
        Bounds::parse("limits.toml", text, &|_| None)
            .unwrap_err()
            .problems
            .to_string()
    };
    let limit = |rest: &str| {
        wrong(&format!(
            "# mine\n[[limit]]\nid = \"a\"\nper = \"session\"\n{rest}\n"
        ))
    };
    let table = [
        (
            "measure = \"money\"\ncap = 500",
            "2:1: `500` has no currency: write money as \"500 USD\"",
        ),
        (
            "measure = \"money\"\ncap = \"500 usd\"",
            "2:1: `usd` is not a currency",
        ),
        (
            "measure = \"files\"\ncap = \"many\"",
            "2:1: `many` is not a number",
        ),
        ("measure = \"duration\"\ncap = 2", "2:1: `2` has no unit"),
        (
            "measure = \"duration\"\ncap = \"2h\"\nwindow = \"1m\"",
            "2:1: a limit on duration has no window",
        ),
        (
            "measure = \"files\"\ncap = 2\nwindow = \"1 week\"",
            "2:1: `1 week` is not a time",
        ),
        (
            "measure = \"files\"\ncap = 2\nsurface = \"disk\"",
            "2:1: `disk` is not a surface",
        ),
        ("measure = \"filez\"\ncap = 2", "5:11: unknown variant `filez`"),
        ("measure = \"files\"\ncap = -1", "6:7: "),
        (
            "measure = \"files\"\ncap = 1\nkid = \"x\"",
            "7:1: unknown field `kid`",
        ),
    ];
    for (rest, expected) in table {
        let told = limit(rest);
        assert!(
            told.starts_with(&format!("limits.toml:{expected}")),
            "{rest}: {told}"
        );
    }
    assert!(wrong(&format!("{FIVE}{FIVE}")).contains("7:1: there are two with the id `deletes`"));
    assert!(wrong("[[limit]\n").starts_with("limits.toml:1:"));
}

#[derive(Debug, Clone)]
enum Step {
    Reserve {
        files: u64,
        cents: u32,
    },
    /// Settle one that runs, with a part of what it reserved.
    Settle {
        which: usize,
        percent: u64,
    },
    Release {
        which: usize,
    },
    Wait {
        seconds: i64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u64..8, 0_u32..400).prop_map(|(files, cents)| Step::Reserve { files, cents }),
        2 => (any::<usize>(), 0_u64..=100).prop_map(|(which, percent)| Step::Settle { which, percent }),
        1 => any::<usize>().prop_map(|which| Step::Release { which }),
        1 => (0_i64..90).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

proptest! {
    /// An own account, kept naively, of everything that was granted: no cap is ever exceeded, in no window, and nothing
    /// that fits is held.
    #[test]
    fn no_order_of_steps_exceeds_a_cap(steps in proptest::collection::vec(step(), 1..120)) {
        let limits = limits(
            "[[limit]]\nid = \"f\"\nper = \"session\"\nmeasure = \"files\"\ncap = 20\n\
             [[limit]]\nid = \"m\"\nper = \"agent\"\nmeasure = \"money\"\ncap = \"10 USD\"\n\
             [[limit]]\nid = \"r\"\nper = \"domain\"\nmeasure = \"actions\"\nwindow = \"1m\"\ncap = 6\n",
        );
        let mut counters = Counters::default();
        let mut running: Vec<(Reservation, u64, u32)> = Vec::new();
        let (mut files, mut cents, mut ends) = (0, 0, Vec::new());
        let mut now = 0_i64;
        for step in steps {
            match step {
                Step::Reserve { files: asked, cents: price } => {
                    let mut ask = ask();
                    ask.spent.files = asked;
                    ask.spent.spend = money(&format!("{}.{:02} USD", price / 100, price % 100));
                    let reserved_files: u64 = running.iter().map(|(_, files, _)| files).sum();
                    let reserved_cents: u32 = running.iter().map(|(_, _, cents)| cents).sum();
                    let recent = |length: i64| ends.iter().filter(|end| now - **end < length).count() + running.len();
                    let fits = files + reserved_files + asked <= 20 && cents + reserved_cents + price <= 1_000;
                    match take(&limits, &mut counters, &ask, now * SECOND) {
                        Ok(reservation) => {
                            prop_assert!(fits && recent(60) < 6);
                            running.push((reservation, asked, price));
                        }
                        // A window forgets up to one part of sixty late.
                        Err(held) => prop_assert!(!fits || recent(62) >= 6, "{held}"),
                    }
                }
                Step::Settle { which, percent } if !running.is_empty() => {
                    let (reservation, asked, price) = running.swap_remove(which % running.len());
                    let used = (asked * percent / 100, u32::try_from(u64::from(price) * percent / 100).unwrap());
                    let spent = Spent {
                        files: used.0,
                        spend: money(&format!("{}.{:02} USD", used.1 / 100, used.1 % 100)),
                        ..Spent::default()
                    };
                    counters.apply(settle(&counters, &reservation, &spent, Timestamp(now * SECOND)).changed);
                    files += used.0;
                    cents += used.1;
                    ends.push(now);
                }
                Step::Release { which } if !running.is_empty() => {
                    let (reservation, _, _) = running.swap_remove(which % running.len());
                    counters.apply(release(&counters, &reservation).changed);
                }
                Step::Wait { seconds } => now += seconds,
                _ => {}
            }
            prop_assert!(files <= 20 && cents <= 1_000);
        }
    }
}
