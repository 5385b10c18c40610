//! Domains: names of parts of production, one below another (`payments/prod` is below `payments`).

/// Whether `domain` is `around` or below it: `payments` covers `payments/prod`, not `payments2`. A slash at the end of
/// `around` says nothing; an empty one covers nothing.
#[must_use]
pub fn covers(around: &str, domain: &str) -> bool {
    let around = around.trim_end_matches('/');
    !around.is_empty()
        && domain
            .strip_prefix(around)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn a_domain_covers_itself_and_what_is_below_it() {
        for (around, domain, covered) in [
            ("payments", "payments", true),
            ("payments", "payments/prod", true),
            ("payments/", "payments/prod", true),
            ("payments/prod", "payments", false),
            ("payments", "payments2", false),
            ("payments", "pay", false),
            ("payments", "", false),
            ("", "payments", false),
            ("", "", false),
            ("/", "/x", false),
        ] {
            assert_eq!(covers(around, domain), covered, "{around:?} {domain:?}");
        }
    }
}
