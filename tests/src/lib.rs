//! What the scenarios share: a place with a tree and a state directory, the real binary, and an oracle of its own.
//!
//! Nothing here uses a crate of the product: what judges it shares no code with it.

mod binary;
mod browser;
mod collector;
mod counts;
mod http;
mod manifest;
mod postgres;
mod processes;
mod provider;
mod random;
mod remote;
mod scenario;
mod served;
mod stream;
mod visitor;
mod wait;

pub use binary::rescind_binary;
pub use browser::{Browser, LOOKS, Person};
pub use collector::Collector;
pub use counts::{Seed, count, proved, proving};
pub use http::{Answer, Ask, Coming};
pub use manifest::Manifest;
pub use postgres::Postgres;
pub use processes::{Process, descendants, kill, process_named};
pub use provider::{Provider, SECRET};
pub use random::Random;
pub use remote::{Made, Remote, Stopped, Then};
pub use scenario::{Outcome, Place, Scenario, Who, text};
pub use served::Served;
pub use stream::{Follower, Told};
pub use visitor::Visitor;
pub use wait::{until, within};
