//! What was read before a command runs, on record with its way back.

use super::{Read, Waits};
use crate::gateway::Gateway;
use rescind_model::{Digest, Fields, Surface, Value};
use rescind_supervisor::journal::{
    BeforeForm, InputForm, KeptForm, OutcomeForm, Record, RejudgedForm, StateForm, WayForm, text_from_bytes,
};
use rescind_supervisor::{Around, Judged, Seen};

impl Gateway {
    /// What a reading said, if it can be used: whole, and without a secret that the record must not have.
    pub(super) fn complete(&self, reading: &Result<Seen, String>) -> Result<String, String> {
        let seen = reading.as_ref().map_err(Clone::clone)?;
        if let Some(why) = &seen.lacks {
            return Err(why.clone());
        }
        let texts = seen.state.fields().into_iter().flat_map(Fields::iter);
        for (name, value) in texts {
            if let Value::Text(text) = value
                && self.rules.redact(text).text != text.as_str()
            {
                return Err(format!("its {name} holds a secret, which no record may have"));
            }
        }
        String::from_utf8(seen.output.clone()).map_err(|_| "what it said is no text".to_owned())
    }

    /// Put what was read on record, each with its way back, and what the judgement came to by it.
    pub(super) fn record_ways(
        &mut self,
        waits: &Waits,
        ways: Vec<WayForm>,
        readings: &[Result<Seen, String>],
        said: &[Result<String, String>],
        judged: &Judged,
    ) -> std::io::Result<()> {
        let node = waits.started.n;
        // Those that lead nowhere were left out: the others stand in the order of the readings that can be used.
        let used = readings
            .iter()
            .zip(said)
            .zip(&waits.programs)
            .zip(&waits.judged.ways);
        let mut used = used.filter_map(|(((reading, said), programs), open)| {
            let usable = said.is_ok();
            usable.then_some((reading.as_ref().ok()?, programs.as_ref().ok()?, open))
        });
        let mut reads = Vec::new();
        for way in ways {
            let own = used.by_ref().find(|(_, _, open)| open.read == way.read);
            let Some((seen, programs, _)) = own else { continue };
            let form = WayForm {
                n: node,
                programs: programs.clone(),
                ..way
            };
            reads.push(self.record_way(form, seen, waits)?);
        }
        self.waiting.looking.taken += reads.len() as u64;
        if let Some(info) = self.nodes.get_mut(&node) {
            info.ways_taken = reads.len() as u64;
            info.ways = reads;
        }
        if Some(&judged.form) != waits.started.judged.as_deref() {
            let again = RejudgedForm {
                n: node,
                judged: judged.form.clone(),
            };
            self.write(Record::Rejudged(Box::new(again)))?;
        }
        self.flush()
    }

    /// Whether a way has words that no record may have: it leads nowhere then, and `said` says so.
    pub(super) fn find_secrets(
        &self,
        waits: &Waits,
        ways: &[WayForm],
        said: &mut [Result<String, String>],
    ) -> bool {
        let mut found = false;
        for way in ways {
            let Err(why) = self.without_secrets(way) else {
                continue;
            };
            let place = waits.judged.ways.iter().position(|open| open.read == way.read);
            if let Some(said) = place.and_then(|place| said.get_mut(place)) {
                *said = Err(why);
                found = true;
            }
        }
        found
    }

    fn without_secrets(&self, way: &WayForm) -> Result<(), String> {
        let text = match &way.input {
            Some(InputForm::Text(text)) => Some(text),
            _ => None,
        };
        let commands = [&way.read, &way.back, &way.verify, &way.check];
        let kept = commands.iter().all(|argv| self.rules.redact_argv(argv) == **argv);
        let kept = kept && text.is_none_or(|text| self.rules.redact(text).text == text.as_str());
        if kept {
            Ok(())
        } else {
            Err("what would take it back holds a secret, which no record may have".to_owned())
        }
    }

    fn record_way(&mut self, mut way: WayForm, seen: &Seen, waits: &Waits) -> std::io::Result<Read> {
        let (digest, kept) = self.log.put(&seen.output, false)?;
        self.seq += 1;
        way.s = self.seq;
        way.output = Some(KeptForm {
            bytes: seen.output.len() as u64,
            digest: digest.to_string(),
            kept: kept.0,
        });
        let name = text_from_bytes(name(&way).as_bytes());
        let key = key(&way, &waits.around);
        let before = BeforeForm {
            s: self.seq,
            n: waits.started.n,
            f: Surface::Shell.name().to_owned(),
            k: key.clone(),
            p: name.clone(),
            b: StateForm::from(&seen.state),
            i: None,
            w: OutcomeForm::Intended,
        };
        self.write(Record::Before(before))?;
        self.write(Record::Way(Box::new(way.clone())))?;
        Ok(Read {
            way,
            name,
            key,
            before: seen.state.clone(),
            around: waits.around.clone(),
        })
    }
}

/// What people call what a way is about: the words that read it.
fn name(way: &WayForm) -> String {
    way.read.join(" ")
}

/// What is read by the same words in the same place is the same.
pub(super) fn key(way: &WayForm, around: &Around) -> String {
    let mut place: Vec<String> = around
        .environment
        .iter()
        .filter_map(|pair| std::str::from_utf8(pair).ok())
        .filter(|pair| says_where(pair))
        .map(str::to_owned)
        .collect();
    place.sort();
    if way.read.first().is_some_and(|program| program == "git") {
        place.push(around.cwd.display().to_string());
    }
    let exact = format!("{:?}\0{:?}\0{place:?}", way.programs, way.read);
    let key = format!("{} {}", way.read.join(" "), Digest::of(exact.as_bytes()));
    text_from_bytes(key.as_bytes())
}

/// Variables that say which account, cluster or host a command is about.
fn says_where(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or_default();
    let beginnings = [
        "KUBE",
        "AWS_",
        "AZURE_",
        "ARM_",
        "CLOUDSDK_",
        "GOOGLE_",
        "DOCKER_",
        "HELM_",
        "PG",
        "VAULT_",
    ];
    beginnings.iter().any(|beginning| name.starts_with(beginning))
        && !name.contains("SECRET")
        && !name.contains("TOKEN")
}
