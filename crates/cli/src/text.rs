//! Words for people: cleaning what agents wrote, sizes, durations, times.

mod clean;
mod units;

pub use clean::{clean, clean_lines, json_text};
pub use units::{ago, bytes, count, duration, local_time, parse_duration, seconds};
