//! How much of everything: a slice in the test command, all of it in `cargo xtask prove`.

use std::fmt::Display;

/// The number in the environment variable `name`, else `slice`.
///
/// # Panics
/// The variable holds no number.
pub fn count(name: &str, slice: usize) -> usize {
    std::env::var(name).map_or(slice, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name}=`{text}` is no number"))
    })
}

/// The seed of this run: `RESCIND_SEED`, else a fixed one, so that a failure can be repeated.
#[derive(Debug, Clone, Copy)]
pub struct Seed(pub u64);

impl Seed {
    /// From the environment.
    pub fn from_environment() -> Self {
        Self(count("RESCIND_SEED", 20_261_121) as u64)
    }
}

/// Whether this is `cargo xtask prove`.
pub fn proving() -> bool {
    std::env::var_os("RESCIND_PROVE").is_some()
}

/// One line of evidence, which `cargo xtask prove` collects.
pub fn proved(item: &str, numbers: impl Display) {
    println!("proved: {item}: {numbers}");
}
