//! A file of the configuration, as it is read: all that is wrong with it, each with its place.

use rescind_policy::{Place, Problem, Problems};
use serde::de::DeserializeOwned;

/// A file that is being read.
pub(crate) struct Reading<'f> {
    file: &'f str,
    text: &'f str,
    problems: Vec<Problem>,
}

impl<'f> Reading<'f> {
    /// Begin with its TOML. What is none, or has other tables than its form, is a problem, and reads as an empty file.
    pub fn of<T: DeserializeOwned + Default>(file: &'f str, text: &'f str) -> (Self, T) {
        let mut reading = Self {
            file,
            text,
            problems: Vec::new(),
        };
        let form = toml::from_str(text).unwrap_or_else(|error| {
            reading.problems.push(Problem::toml(file, text, &error));
            T::default()
        });
        (reading, form)
    }

    /// Something is wrong at this byte.
    pub fn wrong(&mut self, at: usize, message: String) {
        self.problems.push(Problem {
            place: Place::of(self.file, self.text, at),
            message,
            help: None,
        });
    }

    /// What was read, if nothing was wrong.
    pub fn end<T>(self, read: T) -> Result<T, Problems> {
        if self.problems.is_empty() {
            return Ok(read);
        }
        Err(Problems(self.problems))
    }
}
