//! The pages of `docs/errors`, taken into the binary.

/// Code and page, in the order of codes.
pub const PAGES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// The page for a code.
#[must_use]
pub fn page(code: &str) -> Option<&'static str> {
    PAGES.iter().find(|(own, _)| *own == code).map(|(_, page)| *page)
}
