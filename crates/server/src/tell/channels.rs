//! Channels that can't be told are said in the log: nobody else hears of what nobody hears.

use rescind_model::Timestamp;
use rescind_notify::{ChannelStatus, Outbox};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How often the channels are looked at.
const EVERY: Duration = Duration::from_secs(5);

/// What was said of each channel.
#[derive(Default)]
pub struct Channels {
    looked: Option<Instant>,
    said: HashMap<String, Said>,
}

#[derive(PartialEq, Eq)]
struct Said {
    gave_up: u64,
    /// Whether its last try failed.
    failing: bool,
}

impl Said {
    fn of(status: &ChannelStatus) -> Self {
        let failed = status.last_failure.as_ref().map(|(at, _)| *at);
        let told = status.last_told.unwrap_or(Timestamp(i64::MIN));
        Self {
            gave_up: status.gave_up,
            failing: failed.is_some_and(|failed| failed > told),
        }
    }
}

impl Channels {
    /// Look, if it is time, and say what is new.
    pub fn look(&mut self, outbox: &Outbox) {
        if outbox.channels().is_empty() || self.looked.is_some_and(|at| at.elapsed() < EVERY) {
            return;
        }
        self.looked = Some(Instant::now());
        let all = match outbox.status() {
            Ok(all) => all,
            Err(error) => {
                tracing::error!(
                    error = rescind_model::chain(&error),
                    "the channels can't be looked at"
                );
                return;
            }
        };
        for status in all {
            let now = Said::of(&status);
            // What was given up before this server began was said then.
            let known = || Said {
                gave_up: now.gave_up,
                failing: false,
            };
            let before = self.said.entry(status.name.clone()).or_insert_with(known);
            if *before == now {
                continue;
            }
            let why = status.last_failure.as_ref().map_or("", |(_, why)| why);
            let (channel, waiting) = (&status.name, status.waiting);
            if now.gave_up > before.gave_up {
                let number = now.gave_up - before.gave_up;
                tracing::error!(
                    channel,
                    why,
                    "{number} messages were given up: nobody is told of them"
                );
            } else if now.failing {
                tracing::warn!(
                    channel,
                    waiting,
                    why,
                    "the channel can't be told just now; it is tried again"
                );
            } else if before.failing {
                tracing::info!(channel, "the channel is told again");
            }
            *before = now;
        }
    }
}
