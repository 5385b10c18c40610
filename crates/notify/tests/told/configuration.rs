//! A configuration is judged as a whole, and no secret of it is shown.

use crate::place::Place;
use rescind_notify::{Channels, Way};
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn every_fault_is_named_with_its_line_and_key() {
    let place = Place::new();
    let open = place.secret("open", "x");
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
    let text = format!(
        r#"listen = "127.0.0.1:8080"

[[notify]]
kind = "webhook"
name = "pager"
url = "http://pager.example/x"
secret_file = "/nonexistent/key"
events = ["held", "hold"]
retries = 3

[[notify]]
kind = "webhook"
name = "pager"
url = "https://user:hunter2@pager.example/x"
secret_environment = "RESCIND_TEST_THERE_IS_NONE"

[[notify]]
kind = "slack"
url = "https://hooks.example/services/secret"
domains = "payments"

[[notify]]
kind = "smtp"
name = "mail"
server = "mail.example.com"
port = 70000
tls = "none"
from = "nobody"
to = []
user = "me"
password_file = "{open}"

[[notify]]
name = "what"
"#
    );
    let error = Channels::parse(&text).unwrap_err();
    let faults: Vec<(usize, &str)> = error
        .faults
        .iter()
        .map(|fault| (fault.line, fault.key.as_str()))
        .collect();
    let expected = [
        (6, "notify.pager.url"),
        (7, "notify.pager.secret_file"),
        (8, "notify.pager.events"),
        (9, "notify.pager.retries"),
        (13, "notify.pager.name"),
        (14, "notify.pager.url"),
        (15, "notify.pager.secret_environment"),
        (17, "notify.3.name"),
        (17, "notify.3.url_file"),
        (19, "notify.3.url"),
        (20, "notify.3.domains"),
        (22, "notify.mail.to"),
        (26, "notify.mail.port"),
        (28, "notify.mail.from"),
        (31, "notify.mail.password_file"),
        (33, "notify.what.kind"),
    ];
    assert_eq!(faults, expected, "{error}");
    assert!(!error.to_string().contains("hunter2"));
    assert!(error.to_string().contains("chmod o-rwx"));
}

#[test]
fn a_text_that_is_no_toml_has_a_place_too() {
    let error = Channels::parse("a = 1\n[[notify]\n").unwrap_err();
    assert_eq!(error.faults[0].line, 2);
    let error = Channels::parse("notify = 3").unwrap_err();
    assert_eq!(error.faults[0].key, "notify");
    assert!(Channels::parse("a = 1").unwrap().is_empty());
}

#[test]
fn mail_without_tls_goes_to_this_machine_only() {
    let mail = |more: &str| {
        let text = format!(
            "[[notify]]\nkind = \"smtp\"\nname = \"m\"\nfrom = \"Rescind <r@example.com>\"\nto = [\"a@example.com\"]\n{more}\n"
        );
        Channels::parse(&text)
    };
    assert!(mail("server = \"127.0.0.1\"\ntls = \"none\"").is_ok());
    assert!(mail("server = \"mail.example.com\"\ntls = \"none\"").is_err());
    assert!(mail("server = \"mail.example.com\"\ntls = \"none\"\ninsecure = true").is_ok());
    let place = Place::new();
    let password = place.secret("password", "pw");
    let user = format!("user = \"u\"\npassword_file = \"{password}\"");
    assert!(
        mail(&format!(
            "server = \"mail.example.com\"\ntls = \"none\"\ninsecure = true\n{user}"
        ))
        .is_err()
    );
    let good = mail(&format!("server = \"mail.example.com\"\n{user}")).unwrap();
    let channel = good.get("m").unwrap();
    assert_eq!(
        (channel.way(), channel.shown().as_str()),
        (Way::Smtp, "mail.example.com:587")
    );
}
