//! Tests end the process at a step of its work, as `kill -9` would.

/// Where this process is to die.
#[derive(Debug, Default)]
pub struct Faults {
    /// The step, and at which pass of it.
    pub die_at: Option<(String, u64)>,
}

impl Faults {
    /// Whether the next pass of this step is the last.
    pub fn is_next(&self, step: &str) -> bool {
        self.die_at
            .as_ref()
            .is_some_and(|(name, left)| name == step && *left <= 1)
    }

    /// A step is passed.
    pub fn pass(&mut self, step: &str) {
        if self.is_next(step) {
            let own = rustix::process::getpid();
            rustix::process::kill_process(own, rustix::process::Signal::KILL).unwrap();
            loop {
                std::thread::park();
            }
        }
        if let Some((name, left)) = &mut self.die_at
            && name == step
        {
            *left -= 1;
        }
    }
}
