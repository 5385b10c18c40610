//! Holds that wait, as a gateway would leave them.

use rescind_model::Timestamp;
use rescind_supervisor::holds::HoldForm;
use rescind_supervisor::{now, process_mark};

/// How long they wait for: an hour.
const LASTS: i64 = 3_600_000_000_000;

/// One that this process waits for.
pub fn hold(number: u64) -> HoldForm {
    let now = now();
    HoldForm {
        v: 1,
        action: format!("06ezzzzzzz{:03}.{number}", number % 200),
        agent: "bot".into(),
        requester: "ann".into(),
        argv: ["kubectl", "delete", &format!("ns-{number}")]
            .map(str::to_owned)
            .to_vec(),
        cwd: "/".into(),
        domain: String::new(),
        environment: String::new(),
        since: now.to_string(),
        expires: Timestamp(now.0 + LASTS).to_string(),
        judged: super::judged("hold", "irreversible", 85),
        digest: "d1".into(),
        waiter: process_mark(std::process::id()),
        learnable: true,
        tiers: Vec::new(),
        reasoning: None,
        preview: None,
        moved: 0,
    }
}
