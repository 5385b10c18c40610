//! What is learned from a decision besides that something runs.

use super::Gateway;
use rescind_supervisor::Judged;
use rescind_supervisor::holds::{ClosedForm, HoldForm};

impl Gateway {
    /// People want the same to run again without asking: whoever judges keeps that, once the decision is on record.
    pub(super) fn learn(&mut self, form: &HoldForm, judged: &Judged, closed: &ClosedForm) {
        let (Some(lesson), Some(desk)) = (closed.lesson(form), &mut self.desk) else {
            return;
        };
        if let Err(why) = desk.learn(judged, &lesson) {
            eprintln!("rescind: {} runs this once only: {why}", form.action);
        }
    }
}
