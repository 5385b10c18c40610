//! A session drawn by time and surface: actions as marks on lanes, what they changed below, failures, holds and denials on top.

use super::parts::count;
use maud::{Markup, html};
use rescind_index::{Mark, Timeline};

const WIDTH: u64 = 1_000;
const LEFT: u64 = 84;
const LANE: u64 = 46;
const TOP: u64 = 8;
const AXIS: u64 = 26;

/// The picture, with a legend. Lists below it say the same in words.
#[must_use]
pub fn draw(timeline: &Timeline) -> Markup {
    let mut surfaces: Vec<&str> = timeline.marks.iter().map(|mark| mark.surface.as_str()).collect();
    surfaces.sort_unstable();
    surfaces.dedup();
    let lanes = surfaces.len().max(1) as u64;
    let height = TOP + lanes * LANE + AXIS;
    let length = timeline.length.max(1);
    let x = |at: u64| LEFT + at.min(length).saturating_mul(WIDTH - LEFT - 12) / length;
    let total = |of: fn(&Mark) -> u64| timeline.marks.iter().map(of).sum::<u64>();
    let words = format!(
        "{}, {}, {}, {} in {}",
        count(total(|mark| mark.actions), "action", "actions"),
        count(
            total(|mark| mark.effects),
            "resource changed",
            "resources changed"
        ),
        count(total(|mark| mark.failures), "failure", "failures"),
        count(total(|mark| mark.holds), "hold", "holds"),
        span(timeline.length),
    );
    html! {
        div.stack {
            div.timeline-box tabindex="0" role="region" aria-label="Timeline" { svg.timeline viewBox=(format!("0 0 {WIDTH} {height}")) role="group" aria-label=(words) preserveAspectRatio="xMinYMin meet" {
                @for (at, surface) in surfaces.iter().enumerate() {
                    @let y = TOP + at as u64 * LANE;
                    rect.lane x=(LEFT) y=(y) width=(WIDTH - LEFT) height=(LANE - 6) rx="6" {}
                    text x="0" y=(y + 24) { (surface) }
                }
                @for mark in &timeline.marks {
                    @let lane = surfaces.iter().position(|own| *own == mark.surface).unwrap_or(0) as u64;
                    (draw_mark(timeline, mark, TOP + lane * LANE, &x))
                }
                @for tick in 0..=4_u64 {
                    @let at = length * tick / 4;
                    line.axis x1=(x(at)) x2=(x(at)) y1=(TOP) y2=(height - AXIS + 4) {}
                    text x=(x(at)) y=(height - 8) text-anchor=(if tick == 4 { "end" } else if tick == 0 { "start" } else { "middle" }) { (span(at)) }
                }
            } }
            (legend())
        }
    }
}

fn draw_mark(timeline: &Timeline, mark: &Mark, y: u64, x: &impl Fn(u64) -> u64) -> Markup {
    let (from, to) = (x(mark.at), x(mark.at + mark.length.max(timeline.bin)));
    let width = (to.saturating_sub(from)).max(4);
    let middle = from + width / 2;
    let what = format!(
        "{}, {}",
        count(mark.actions, "action", "actions"),
        count(mark.effects, "resource changed", "resources changed")
    );
    // A taller mark stands for more: 4 to 14 units, by the number of digits.
    let tall = (4 + 5 * u64::from(mark.actions.max(1).ilog10())).min(14);
    html! {
        a href={ "/actions/" (timeline.session) "." (mark.first) } aria-label=(what) tabindex="-1" {
            title { (what) }
            @if mark.actions > 0 { rect.m-action x=(from) y=(y + 21 - tall / 2) width=(width) height=(tall) rx="2" {} }
            @if mark.effects > 0 { rect.m-effect x=(from) y=(y + 31) width=(width) height="4" rx="2" {} }
            @if mark.failures > 0 { path.m-failure d=(format!("M{} {}l5 9h-10z", middle, y + 3)) {} }
            @if mark.holds > 0 { path.m-hold d=(format!("M{} {}l5 5l-5 5l-5 -5z", middle, y + 2)) {} }
            @if mark.denials > 0 { circle.m-denial cx=(middle) cy=(y + 7) r="4" {} }
        }
    }
}

fn legend() -> Markup {
    let sign = |inner: Markup| html! { svg.timeline viewBox="0 0 12 12" aria-hidden="true" { (inner) } };
    html! {
        div.legend aria-hidden="true" {
            span { (sign(html! { rect.m-action y="3" width="12" height="6" rx="2" {} })) "actions" }
            span { (sign(html! { rect.m-effect y="4" width="12" height="4" rx="2" {} })) "changed something" }
            span { (sign(html! { path.m-failure d="M6 1l5 9h-10z" {} })) "failed" }
            span { (sign(html! { path.m-hold d="M6 1l5 5l-5 5l-5 -5z" {} })) "held" }
            span { (sign(html! { circle.m-denial cx="6" cy="6" r="4" {} })) "denied" }
        }
    }
}

/// A time from the beginning, in words.
#[must_use]
pub fn span(milliseconds: u64) -> String {
    let seconds = milliseconds / 1_000;
    match seconds {
        0 => format!("{milliseconds} ms"),
        1..60 => format!("{seconds}.{} s", milliseconds % 1_000 / 100),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::{Mark, Timeline, draw};

    #[test]
    fn a_picture_says_in_words_what_it_shows_and_stays_in_its_frame() {
        let mark = |at, actions| Mark {
            at,
            surface: "files".to_owned(),
            actions,
            failures: 1,
            ..Mark::default()
        };
        let timeline = Timeline {
            session: "s".to_owned(),
            length: 90_000,
            marks: vec![mark(0, 1), mark(90_000, 5_000_000)],
            ..Timeline::default()
        };
        let page = draw(&timeline).into_string();
        assert!(page.contains("2 failures, 0 holds in 1 min 30 s"), "{page}");
        assert!(draw(&Timeline::default()).into_string().contains("0 actions"));
    }
}
