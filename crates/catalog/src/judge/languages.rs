//! Arguments that are texts in a language of their own.

use super::awk::{self, Awk};
use super::input::Input;
use super::sed::{self, Sed};
use super::walk::Judge;
use super::{Doubt, Part, Place};
use crate::catalog::Match;
use crate::entry::{Effects, Entry, Language};
use crate::field::Field;
use rescind_model::{Class, Reversibility};

impl Judge<'_> {
    /// Judge the texts in a language that a program's description names. `true`: there were some.
    pub(super) fn languages(&mut self, found: &Match<'_>, fields: &[Field], input: &Input) -> bool {
        let mut judged = false;
        for (place, language) in &found.tool.spec.languages {
            if language != "sql" {
                continue;
            }
            if place == "stdin" {
                let own = found
                    .best
                    .as_ref()
                    .is_some_and(|best| best.entry.reversibility != Class::Unknown);
                if own {
                    continue;
                }
                match input {
                    Input::Text(text) | Input::About(text) => {
                        self.sql(text, &found.tool.spec.name);
                        judged = true;
                    }
                    Input::Own | Input::Unknown => {}
                }
                continue;
            }
            let texts: Vec<Field> = match place
                .strip_prefix("word:")
                .and_then(|index| index.parse::<usize>().ok())
            {
                Some(index) => found.line.words.get(index).cloned().into_iter().collect(),
                None => found
                    .line
                    .flags
                    .iter()
                    .filter(|flag| *flag.name == **place)
                    .filter_map(|flag| flag.value.clone())
                    .collect(),
            };
            for text in texts {
                judged = true;
                self.sql(&text.text, &found.tool.spec.name);
                if text.many {
                    self.doubt(
                        &super::walk::words(fields),
                        Doubt::Word,
                        "a part of the SQL is only known when it runs",
                    );
                }
            }
        }
        judged
    }

    /// What an entry's language adds to it.
    pub(super) fn in_language(&self, entry: &Entry, part: &mut Part, found: &Match<'_>) {
        let verdict = match entry.language {
            None => return,
            Some(Language::Copy) => {
                copy(part, found);
                return;
            }
            Some(Language::Sed) => sed::judge(&found.line),
            Some(Language::Awk) => match awk::judge(&found.line) {
                Awk::Reads => Sed::Edits,
                Awk::Writes => Sed::Writes,
                Awk::Runs(why) => Sed::Runs(why),
            },
        };
        match verdict {
            Sed::Edits => {}
            Sed::Writes => {
                let state = Class::Known(Reversibility::ReversibleWithState);
                let lost = Class::Known(Reversibility::Irreversible);
                let here = part.place == Place::Here;
                part.class = part.class.worst(if here { state } else { lost });
                part.uncaptured = part.uncaptured.worst(lost);
                part.effects = if here {
                    Effects::LocalFiles
                } else {
                    Effects::Remote
                };
                "its script writes files".clone_into(&mut part.why);
            }
            Sed::Runs(why) => {
                part.class = part.class.worst(Class::Unknown);
                part.uncaptured = part.uncaptured.worst(Class::Unknown);
                part.doubt = Some(Doubt::Code);
                why.clone_into(&mut part.why);
            }
        }
    }
}

/// A copy to a path of this machine writes nothing but files here, wherever they come from.
fn copy(part: &mut Part, found: &Match<'_>) {
    let here = |word: &Field| {
        let host = word.text.split('/').next().unwrap_or_default();
        word.exact().is_some() && !host.contains(':')
    };
    let takes = found.line.flag("--remove-source-files").is_some();
    if part.place != Place::Here
        || takes
        || found.line.words.len() < 2
        || !found.line.words.last().is_some_and(here)
    {
        return;
    }
    let state = Class::Known(Reversibility::ReversibleWithState);
    part.class = part.class.min(state);
    part.effects = Effects::LocalFiles;
    "it copies to files of this machine, each of which is captured before it changes"
        .clone_into(&mut part.why);
}
