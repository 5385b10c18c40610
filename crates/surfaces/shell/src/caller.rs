//! Compensation, for an undo: run the command that takes an action back, once, where the state is still the one that the
//! action left, and look whether it is back.

use crate::command::{Answer, CommandError, run};
use crate::looks::{look, own};
use crate::programs::{Trusted, is_program};
use rescind_model::{Effect, EffectId, State, Surface, command_line};
use rescind_supervisor::journal::WayForm;
use rescind_supervisor::{Around, Called, Caller, Permit};
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

/// The variable in which a compensating command finds the key by which it can be told from its repetitions.
pub const KEY_VARIABLE: &str = "RESCIND_IDEMPOTENCY_KEY";

/// A compensating command that takes longer is in doubt.
const WITHIN: Duration = Duration::from_secs(120);
/// What proves it may wait for others.
const PROOF_WITHIN: Duration = Duration::from_secs(150);

/// How one effect is taken back.
#[derive(Debug, Clone)]
pub struct Remedy {
    /// What the action did.
    pub effect: Effect,
    /// The idempotency key of its compensation.
    pub key: String,
    /// What the record says of the way back.
    pub way: WayForm,
    /// What the action had around it; or the variables whose values are not kept.
    pub around: Result<Around, Vec<String>>,
    /// What the compensating command reads; or why that is lost.
    pub input: Result<Vec<u8>, String>,
}

/// The calling half of the surface of commands.
#[derive(Debug)]
pub struct ShellCaller {
    trusted: Trusted,
    /// In the order in which their actions were completed.
    remedies: Vec<Remedy>,
    places: HashMap<EffectId, usize>,
}

impl ShellCaller {
    /// For these, in the order in which their actions were completed.
    #[must_use]
    pub fn new(trusted: Trusted, remedies: Vec<Remedy>) -> Self {
        let places = remedies.iter().enumerate().map(|(at, own)| (own.effect.id(), at));
        Self {
            trusted,
            places: places.collect(),
            remedies,
        }
    }

    fn place(&self, effect: &EffectId) -> Option<usize> {
        self.places.get(effect).copied()
    }

    fn remedy(&self, effect: &Effect) -> Option<&Remedy> {
        self.remedies.get(self.place(&effect.id())?)
    }

    fn run(&self, remedy: &Remedy, argv: &[String], key: &str, within: Duration) -> Result<Answer, Trouble> {
        let around = remedy
            .around
            .as_ref()
            .map_err(|lacks| Trouble::No(not_kept(lacks)))?;
        let mut own = own(&self.trusted, &remedy.way, argv, around, within).map_err(Trouble::No)?;
        if argv == remedy.way.back {
            own.input = remedy.input.clone().map_err(Trouble::No)?;
            own.writes = true;
        }
        own.environment.push((KEY_VARIABLE.into(), OsString::from(key)));
        run(&own).map_err(|error| match error {
            CommandError::NotStarted { .. } => Trouble::No(error.to_string()),
            _ => Trouble::Doubt,
        })
    }

    fn look_at(&self, remedy: &Remedy) -> Result<State, String> {
        let around = remedy.around.as_ref().map_err(|lacks| not_kept(lacks))?;
        let unread = |why: String| {
            format!(
                "it can't be read now: `{}`: {why}",
                command_line(&remedy.way.read)
            )
        };
        let seen = look(&self.trusted, &remedy.way, around).map_err(unread)?;
        let known = [&remedy.effect.before, &remedy.effect.after];
        match seen.lacks {
            // A state that can't be read is one only if it is the one that was found then.
            Some(why) if !known.iter().any(|known| known.same(&seen.state)) => Err(unread(why)),
            _ => Ok(seen.state),
        }
    }

    /// Whether what is back stands the entry's own proof.
    fn proved(&self, remedy: &Remedy, key: &str) -> Called {
        if remedy.way.verify.is_empty() {
            return Called::Done(format!("it reads {} again", values(&remedy.effect.before)));
        }
        let text = command_line(&remedy.way.verify);
        match self.run(remedy, &remedy.way.verify, key, PROOF_WITHIN) {
            Ok(answer) if answer.code == 0 => Called::Done(format!("verified by `{text}`")),
            Ok(answer) => Called::Failed(format!("it reads as before, and `{text}` {}", ended(&answer))),
            Err(Trouble::No(why)) => Called::Failed(format!("it reads as before, and `{text}`: {why}")),
            Err(Trouble::Doubt) => Called::Failed(format!("it reads as before, and `{text}` gave no answer")),
        }
    }

    fn call(&self, remedy: &Remedy, key: &str, expected: &State) -> Result<Called, Trouble> {
        let before = &remedy.effect.before;
        let now = self.look_at(remedy).map_err(Trouble::No)?;
        if now.same(before) {
            return Ok(self.proved(remedy, key));
        }
        if !now.same(expected) {
            let why = "others changed it since the plan was made";
            return Err(Trouble::No(format!(
                "{why}: it reads {}, and was left as it is",
                values(&now)
            )));
        }
        if !remedy.way.check.is_empty() {
            let text = command_line(&remedy.way.check);
            match self.run(remedy, &remedy.way.check, key, PROOF_WITHIN) {
                Ok(answer) if answer.code == 0 => {}
                Ok(answer) => {
                    return Err(Trouble::No(format!(
                        "it is not safe now: `{text}` {}",
                        ended(&answer)
                    )));
                }
                Err(_) => {
                    return Err(Trouble::No(format!(
                        "whether it is safe is not known: `{text}` gave no answer"
                    )));
                }
            }
        }
        let answer = self.run(remedy, &remedy.way.back, key, WITHIN)?;
        // Whatever it says: what counts is the state.
        let Ok(now) = self.look_at(remedy) else {
            return Err(Trouble::Doubt);
        };
        if now.same(before) {
            return Ok(self.proved(remedy, key));
        }
        let text = command_line(&remedy.way.back);
        Ok(Called::Failed(format!(
            "`{text}` {}, and it reads {} instead of {}",
            ended(&answer),
            values(&now),
            values(before)
        )))
    }
}

/// Why there is no answer.
enum Trouble {
    /// Nothing was sent, for this reason.
    No(String),
    /// It was sent, and nobody knows what became of it.
    Doubt,
}

impl Caller for ShellCaller {
    fn surface(&self) -> Surface {
        Surface::Shell
    }

    fn compensates(&self, effect: &Effect) -> bool {
        effect.resource.surface == Surface::Shell
    }

    fn happened(&self, effect: &Effect) -> Called {
        let Some(remedy) = self.remedy(effect) else {
            return Called::InDoubt;
        };
        match self.look_at(remedy) {
            Ok(now) if now.same(&effect.before) => Called::Failed("it reads as before".to_owned()),
            _ => Called::InDoubt,
        }
    }

    fn look(&self, effect: &Effect) -> Result<Option<State>, String> {
        let remedy = self.remedy(effect).ok_or("its way back is not on record")?;
        self.look_at(remedy).map(Some)
    }

    fn completed(&self, effect: &Effect) -> Option<u64> {
        // What is not known comes last, and is not called.
        Some(self.place(&effect.id()).map_or(u64::MAX, |at| at as u64))
    }

    fn wording(&self, effect: &Effect) -> Option<String> {
        self.remedy(effect).map(|remedy| command_line(&remedy.way.back))
    }

    fn obstacle(&self, effect: &Effect) -> Option<String> {
        let Some(remedy) = self.remedy(effect) else {
            return Some(
                "what an undo compensated is not done again: let the agent run its command again".to_owned(),
            );
        };
        let by_hand = |why: String| format!("{why}; by hand: {}", command_line(&remedy.way.back));
        if let Err(lacks) = &remedy.around {
            return Some(by_hand(not_kept(lacks)));
        }
        if let Err(why) = &remedy.input {
            return Some(by_hand(why.clone()));
        }
        let gone = remedy
            .way
            .programs
            .values()
            .find(|file| !is_program(Path::new(file)));
        gone.map(|file| by_hand(format!("`{file}` is not there any more")))
    }

    fn compensate(&self, _permit: &Permit, effect: &Effect, key: &str, expected: Option<&State>) -> Called {
        let Some(remedy) = self.remedy(effect) else {
            return Called::Failed("its way back is not on record".to_owned());
        };
        match self.call(remedy, key, expected.unwrap_or(&effect.after)) {
            Ok(called) => called,
            Err(Trouble::No(why)) => Called::Failed(why),
            Err(Trouble::Doubt) => Called::InDoubt,
        }
    }

    fn probe(&self, key: &str) -> Called {
        let Some(remedy) = self.remedies.iter().find(|own| own.key == key) else {
            return Called::InDoubt;
        };
        match self.look_at(remedy) {
            Ok(now) if now.same(&remedy.effect.before) => self.proved(remedy, key),
            Ok(now) if now.same(&remedy.effect.after) => Called::Failed("it was not made".to_owned()),
            _ => Called::InDoubt,
        }
    }
}

fn not_kept(lacks: &[String]) -> String {
    format!(
        "it needs secrets that are not kept: set {} as the action had them, and run the undo again",
        lacks.join(", ")
    )
}

fn ended(answer: &Answer) -> String {
    let line = answer.complaint.lines().next().unwrap_or_default();
    let text = format!(
        "ended with {}: {}",
        answer.code,
        line.chars().take(200).collect::<String>()
    );
    text.trim_end_matches([':', ' ']).to_owned()
}

/// The values of a state, for a person.
fn values(state: &State) -> String {
    let Some(fields) = state.fields() else {
        return "nothing".to_owned();
    };
    let texts = fields
        .iter()
        .filter_map(|(name, _)| fields.text(name).map(|text| format!("{name} {text}")));
    texts.collect::<Vec<_>>().join(", ")
}
