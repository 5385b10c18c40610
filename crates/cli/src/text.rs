//! Words for people and shells: quoting, cleaning what agents wrote, sizes, durations, times.

mod clean;
mod quote;
mod units;

pub use clean::{clean, clean_lines, json_text};
pub use quote::{command_line, quote};
pub use units::{ago, bytes, count, duration, local_time, parse_duration, seconds};
