//! The metrics: few, in base units, each with labels of few values (docs/guide/observability.md).

use crate::said;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use rescind_index::Event;
use rescind_ledger::Ledger;
use rescind_supervisor::journal::SystemForm;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, UNIX_EPOCH};

/// What the encoded text is.
pub const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Seconds, from a millisecond to a minute: answers, deliveries, kills.
const SHORT: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0,
];

/// Seconds, from one to a day: how long people take.
const LONG: [f64; 10] = [
    1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 43_200.0, 86_400.0,
];

/// What a metric's label may be; anything else is `other`, so that nothing that an agent says can make a new series.
macro_rules! known {
    ($name:ident, $($word:literal)*) => {
        fn $name(text: &str) -> &'static str {
            match text { $($word => $word,)* _ => "other" }
        }
    };
}
known!(class, "trivially_reversible" "reversible_with_state" "reversible_with_backup" "partially_reversible" "irreversible" "unknown");
known!(verdict, "allow" "hold" "deny" "unjudged");
known!(ended, "approved" "changed" "rejected" "expired" "void");
known!(scope, "session" "agent" "domain" "everything");
known!(result, "proved" "not_proved" "failed");
known!(channel, "webhook" "slack" "email" "command");
known!(outcome, "delivered" "retried" "given_up");
known!(method, "GET" "HEAD" "POST" "PUT" "PATCH" "DELETE" "OPTIONS");

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ActionLabels {
    class: &'static str,
    verdict: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndedLabels {
    ended: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ScopeLabels {
    scope: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChannelLabels {
    channel: &'static str,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VersionLabels {
    version: String,
}

/// A histogram with these limits.
#[derive(Clone)]
struct Limits(&'static [f64]);

impl MetricConstructor<Histogram> for Limits {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

/// What is measured when somebody asks.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Gauges {
    /// Holds that wait for a person.
    pub holds_waiting: u64,
    /// Sessions that run.
    pub sessions_running: u64,
    /// Gateways whose lease is good.
    pub gateways_serving: u64,
    /// Gateways that hold everything.
    pub gateways_held: u64,
    /// Entries of the ledger.
    pub ledger_entries: u64,
    /// Bytes of its segments.
    pub ledger_bytes: u64,
    /// When the last checkpoint was signed, seconds since 1970; 0: never.
    pub checkpoint_seconds: f64,
    /// Mirrors that have the last checkpoint.
    pub mirrors_current: u64,
    /// Mirrors that don't.
    pub mirrors_behind: u64,
    /// Notifications that wait to be delivered.
    pub notifications_queued: u64,
}

impl Gauges {
    /// What the ledger and its files say: entries, bytes, when it was signed last, mirrors. A mirror is behind where the
    /// background service of this process could not bring it up to date at its latest try.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub fn of_ledger(ledger: &Ledger) -> rescind_ledger::Result<Self> {
        let (mut bytes, mut signed) = (0_u64, 0.0_f64);
        for entry in std::fs::read_dir(ledger.dir()).into_iter().flatten().flatten() {
            let (name, Ok(data)) = (entry.file_name(), entry.metadata()) else {
                continue;
            };
            let name = name.to_string_lossy();
            if name.starts_with("log.") {
                bytes = bytes.saturating_add(data.len());
            } else if name.starts_with("checkpoint.")
                && let Ok(time) = data.modified()
                && let Ok(since) = time.duration_since(UNIX_EPOCH)
            {
                signed = signed.max(since.as_secs_f64());
            }
        }
        let mirrors = ledger.mirror_list().map_or(0, |places| places.len() as u64);
        let trouble = ledger.trouble();
        let behind = trouble.keys().filter(|task| task.starts_with("mirror ")).count() as u64;
        Ok(Self {
            ledger_entries: ledger.len()?,
            ledger_bytes: bytes,
            checkpoint_seconds: signed,
            mirrors_current: mirrors.saturating_sub(behind),
            mirrors_behind: behind.min(mirrors),
            ..Self::default()
        })
    }
}

type Number = Gauge<f64, AtomicU64>;

/// The registry with everything in it. Shared by reference between threads.
pub struct Metrics {
    registry: Registry,
    actions: Family<ActionLabels, Counter>,
    holds_waiting: Number,
    hold_duration: Family<EndedLabels, Histogram, Limits>,
    decision_delivery: Histogram,
    kill_duration: Family<ScopeLabels, Histogram, Limits>,
    sessions_running: Number,
    gateways: Family<StateLabels, Number>,
    undos: Family<ResultLabels, Counter>,
    ledger_entries: Number,
    ledger_bytes: Number,
    checkpoint: Number,
    mirrors: Family<StateLabels, Number>,
    notifications_queued: Number,
    notifications: Family<ChannelLabels, Counter>,
    requests: Family<RequestLabels, Histogram, Limits>,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// All at zero.
    #[must_use]
    pub fn new(version: &str) -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("rescind"),
            actions: Family::default(),
            holds_waiting: Number::default(),
            hold_duration: Family::new_with_constructor(Limits(&LONG)),
            decision_delivery: Limits(&SHORT).new_metric(),
            kill_duration: Family::new_with_constructor(Limits(&SHORT)),
            sessions_running: Number::default(),
            gateways: Family::default(),
            undos: Family::default(),
            ledger_entries: Number::default(),
            ledger_bytes: Number::default(),
            checkpoint: Number::default(),
            mirrors: Family::default(),
            notifications_queued: Number::default(),
            notifications: Family::default(),
            requests: Family::new_with_constructor(Limits(&SHORT)),
        };
        metrics.register(version);
        metrics
    }

    fn register(&mut self, version: &str) {
        let registry = &mut self.registry;
        let build = Family::<VersionLabels, Number>::default();
        let labels = VersionLabels {
            version: version.to_owned(),
        };
        build.get_or_create(&labels).set(1.0);
        registry.register("build_info", "The version that runs; always 1", build);
        let actions = "Actions recorded, by reversibility class and verdict";
        registry.register("actions", actions, self.actions.clone());
        let waiting = "Actions that wait for a person";
        registry.register("holds_waiting", waiting, self.holds_waiting.clone());
        let held = "Time from a hold to its end";
        registry.register("hold_duration_seconds", held, self.hold_duration.clone());
        let told = "Time from a decision to the waiting program's being told";
        registry.register("decision_delivery_seconds", told, self.decision_delivery.clone());
        let killed = "Time from the call of a kill to its answer";
        registry.register("kill_duration_seconds", killed, self.kill_duration.clone());
        let running = "Sessions that run";
        registry.register("sessions_running", running, self.sessions_running.clone());
        let gateways = "Gateways, by whether they serve or hold everything";
        registry.register("gateways", gateways, self.gateways.clone());
        let undos = "Undos that ended, by result";
        registry.register("undos", undos, self.undos.clone());
        let entries = "Entries of the ledger";
        registry.register("ledger_entries", entries, self.ledger_entries.clone());
        let bytes = "Bytes of the ledger's segments";
        registry.register("ledger_size_bytes", bytes, self.ledger_bytes.clone());
        let signed = "When the last checkpoint was signed, since 1970";
        registry.register("checkpoint_timestamp_seconds", signed, self.checkpoint.clone());
        let mirrors = "Mirrors of the ledger, by whether they have the last checkpoint";
        registry.register("mirrors", mirrors, self.mirrors.clone());
        let queued = "Notifications that wait to be delivered";
        registry.register("notifications_queued", queued, self.notifications_queued.clone());
        let sent = "Attempts to deliver a notification, by channel and result";
        registry.register("notifications", sent, self.notifications.clone());
        let requests = "Time of HTTP requests, by route, method and status";
        registry.register("http_request_duration_seconds", requests, self.requests.clone());
    }

    /// Count what an event of the ledger says: actions, and undos that ended.
    pub fn see(&self, event: &Event) {
        match event.kind.as_str() {
            "action.started" => {
                let node = said::started(event);
                let judged = node.as_ref().and_then(said::verdict);
                let (class, verdict) =
                    judged.map_or(("unknown", "unjudged"), |judged| (&judged.class, &judged.verdict));
                self.action(class, verdict);
            }
            "undo.receipt" => {
                let Some(SystemForm::Receipt { receipt }) = said::system(event) else {
                    return;
                };
                self.undo(match crate::ocsf::undo_status(&receipt) {
                    1 => "proved",
                    _ => "not_proved",
                });
            }
            _ => {}
        }
    }

    /// An action of this reversibility class and verdict.
    pub fn action(&self, of: &str, judged: &str) {
        let labels = ActionLabels {
            class: class(of),
            verdict: verdict(judged),
        };
        self.actions.get_or_create(&labels).inc();
    }

    /// A hold ended: `approved`, `changed`, `rejected`, `expired` or `void`, after so long.
    pub fn hold_ended(&self, how: &str, waited: Duration) {
        let labels = EndedLabels { ended: ended(how) };
        self.hold_duration
            .get_or_create(&labels)
            .observe(waited.as_secs_f64());
    }

    /// A decision reached the waiting program after so long.
    pub fn decision_delivered(&self, took: Duration) {
        self.decision_delivery.observe(took.as_secs_f64());
    }

    /// A kill of `session`, `agent`, `domain` or `everything` was answered after so long.
    pub fn kill_answered(&self, of: &str, took: Duration) {
        let labels = ScopeLabels { scope: scope(of) };
        self.kill_duration
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    /// An undo ended: `proved`, `not_proved` or `failed`. Those with a receipt are counted by [`Metrics::see`] already.
    pub fn undo(&self, how: &str) {
        self.undos
            .get_or_create(&ResultLabels { result: result(how) })
            .inc();
    }

    /// A notification by `webhook`, `slack`, `email` or `command` was `delivered`, is to be `retried`, or was `given_up`.
    pub fn notification(&self, by: &str, how: &str) {
        let labels = ChannelLabels {
            channel: channel(by),
            result: outcome(how),
        };
        self.notifications.get_or_create(&labels).inc();
    }

    /// A request was answered. `route` is the pattern that matched (`/v1/sessions/{session}`), never the path that was
    /// asked for; empty: none matched.
    pub fn request(&self, route: &str, by: &str, status: u16, took: Duration) {
        let labels = RequestLabels {
            route: if route.is_empty() { "none" } else { route }.to_owned(),
            method: method(by),
            status,
        };
        self.requests.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// What is so now.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a gauge is a float; counts stay far below 2^53"
    )]
    pub fn set(&self, now: &Gauges) {
        let state = |family: &Family<StateLabels, Number>, state, value: u64| {
            family.get_or_create(&StateLabels { state }).set(value as f64);
        };
        self.holds_waiting.set(now.holds_waiting as f64);
        self.sessions_running.set(now.sessions_running as f64);
        state(&self.gateways, "serving", now.gateways_serving);
        state(&self.gateways, "held", now.gateways_held);
        self.ledger_entries.set(now.ledger_entries as f64);
        self.ledger_bytes.set(now.ledger_bytes as f64);
        self.checkpoint.set(now.checkpoint_seconds);
        state(&self.mirrors, "current", now.mirrors_current);
        state(&self.mirrors, "behind", now.mirrors_behind);
        self.notifications_queued.set(now.notifications_queued as f64);
    }

    /// In Prometheus' text format, to be served as [`METRICS_TYPE`].
    #[must_use]
    pub fn encode(&self) -> String {
        let mut open = String::new();
        // Writing to a string can't fail.
        let _infallible = encode_registry(&mut open, &self.registry);
        prometheus_text(&open)
    }
}

/// OpenMetrics names a counter without the `_total` of its samples; Prometheus' text format names it with it.
fn prometheus_text(open: &str) -> String {
    let counters: Vec<&str> = open
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut text = String::with_capacity(open.len());
    for line in open.lines() {
        let named = ["# HELP ", "# TYPE "].into_iter().find_map(|head| {
            let (name, rest) = line.strip_prefix(head)?.split_once(' ')?;
            counters
                .contains(&name)
                .then(|| format!("{head}{name}_total {rest}"))
        });
        text.push_str(named.as_deref().unwrap_or(line));
        text.push('\n');
    }
    text
}
