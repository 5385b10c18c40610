//! Errors as one line.

use std::error::Error;

/// An error with all that is behind it, in one line; what the line says already is not said again.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::chain;
    use std::io;

    #[derive(Debug, thiserror::Error)]
    #[error("{said}")]
    struct Outer {
        said: &'static str,
        source: Option<Box<Outer>>,
    }

    fn of(said: &[&'static str]) -> Option<Box<Outer>> {
        let (said, behind) = said.split_first()?;
        let source = of(behind);
        Some(Box::new(Outer { said, source }))
    }

    #[test]
    fn every_cause_is_said_and_none_twice() {
        let error = of(&["can't write `a`: disk full", "disk full", "ENOSPC"]).unwrap();
        assert_eq!(chain(&*error), "can't write `a`: disk full: ENOSPC");
        assert_eq!(chain(&io::Error::other("alone")), "alone");
    }
}
