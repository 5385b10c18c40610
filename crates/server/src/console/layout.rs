//! What all pages have around them: head, the kill control, foot.

use maud::{DOCTYPE, Markup, PreEscaped, html};

/// The icon, as part of the page.
const ICON: &str = include_str!("../../assets/icon.svg");

/// Who looks at a page, as far as its head says it.
#[derive(Debug, Clone, Default)]
pub struct Reader {
    /// The name; empty where nobody is signed in.
    pub name: String,
    /// What forms are sent with.
    pub csrf: String,
    /// Whether there is anything that they may stop.
    pub may_stop: bool,
    /// Whether they manage people.
    pub may_manage: bool,
    /// How many holds they could decide.
    pub holds: u64,
    /// How many stops are in force.
    pub stopped: u64,
}

/// A page.
pub struct Page<'p> {
    /// What stands in the browser's title.
    pub title: &'p str,
    /// The path of the main page it belongs to: `/sessions`.
    pub place: &'p str,
    /// Whether it hears of changes.
    pub live: bool,
    /// Who looks at it.
    pub reader: &'p Reader,
}

const PLACES: [(&str, &str); 4] = [
    ("/", "Now"),
    ("/holds", "Holds"),
    ("/sessions", "Sessions"),
    ("/actions", "Actions"),
];

impl Page<'_> {
    /// The whole of it around `body`.
    #[must_use]
    pub fn render(&self, body: &Markup) -> Markup {
        let reader = self.reader;
        let signed_in = !reader.name.is_empty();
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " · rescind" }
                    link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
                    link rel="stylesheet" href="/assets/console.css";
                    script src="/assets/console.js" defer {}
                }
                body {
                    a.skip href="#main" { "Skip to the content" }
                    @if signed_in { (self.head()) }
                    main #main tabindex="-1" { (body) }
                    @if signed_in { (self.foot()) (keys()) }
                }
            }
        }
    }

    fn head(&self) -> Markup {
        let reader = self.reader;
        html! {
            header.head {
                div.head-in {
                    a.brand href="/" { (PreEscaped(ICON)) "rescind" }
                    nav aria-label="Main" {
                        @for (path, name) in PLACES {
                            a href=(path) aria-current=[(path == self.place).then_some("page")] {
                                (name)
                                @if path == "/holds" {
                                    span.badge data-badge="holds" hidden[reader.holds == 0] { (reader.holds) }
                                }
                            }
                        }
                        @if reader.may_manage {
                            a href="/people" aria-current=[(self.place == "/people").then_some("page")] { "People" }
                        }
                    }
                    div.end {
                        @if self.live { span.live data-live data-state="wait" role="status" { "connecting" } }
                        @if reader.may_stop {
                            a.button.danger href="/stop" aria-current=[(self.place == "/stop").then_some("page")] {
                                @if reader.stopped > 0 { "Stopped: " (reader.stopped) } @else { "Stop…" }
                            }
                        }
                    }
                }
            }
        }
    }

    fn foot(&self) -> Markup {
        let reader = self.reader;
        html! {
            footer.foot {
                span { "Signed in as " a href="/me" { (reader.name) } }
                button.quiet.tiny type="button" data-themes { "theme: system" }
                button.quiet.tiny type="button" data-open="keys" { "keys" }
                a href="/record" { "The record" }
                a href="/api/v1/openapi.json" { "API" }
                form method="post" action="/signout" {
                    (csrf(reader))
                    button.quiet.tiny { "Sign out" }
                }
            }
        }
    }
}

/// What each form that changes something carries.
#[must_use]
pub fn csrf(reader: &Reader) -> Markup {
    html! { input type="hidden" name="csrf" value=(reader.csrf); }
}

fn keys() -> Markup {
    let rows = [
        ("g n", "now"),
        ("g h", "holds"),
        ("g s", "sessions"),
        ("g a", "actions"),
        ("g x", "stop"),
        ("j, k", "the next and the one before in a list"),
        ("/", "search"),
        ("?", "this"),
    ];
    html! {
        dialog #keys aria-labelledby="keys-head" {
            form method="dialog" {
                h2 #keys-head { "Keys" }
                dl.facts {
                    @for (key, what) in rows {
                        dt { code { (key) } }
                        dd { (what) }
                    }
                }
                div.row { button data-close { "Close" } }
            }
        }
    }
}
