//! The order of steps: what is in a table depends on the table.

use crate::agent::resource;
use crate::driver::{key, kind_of};
use crate::edit::parent;
use crate::{Record, Records};
use rescind_supervisor::{Arranged, Held, HeldCause, Step};
use std::collections::{BTreeMap, BTreeSet};

impl Records<'_> {
    /// The steps in order, without those that can't be carried out.
    pub(crate) fn arranged(&self, steps: Vec<Step>) -> Arranged {
        let mut steps: BTreeMap<String, Step> = steps
            .into_iter()
            .map(|step| (key(&step.resource), step))
            .collect();
        let mut held = Vec::new();
        while let Some((key, cause, by)) = self.first_held(&steps) {
            let Some(step) = steps.remove(&key) else { break };
            let why = match cause {
                HeldCause::Stays => "it holds what is not in the plan, so it stays",
                HeldCause::NoPlace => "the table it was in is gone",
            };
            held.push(Held {
                step,
                cause,
                why: why.to_owned(),
                by: by.iter().map(|key| resource(key)).collect(),
            });
        }
        let disturbed = self.disturbed(&steps);
        // What goes, the innermost first; then the rest, the outermost first.
        let (mut gone, rest): (Vec<_>, Vec<_>) = steps.into_values().partition(|step| !step.target.exists());
        gone.reverse();
        gone.extend(rest);
        Arranged {
            steps: gone,
            held,
            disturbed,
        }
    }

    /// The first step that can't be carried out given the others.
    fn first_held(&self, steps: &BTreeMap<String, Step>) -> Option<(String, HeldCause, Vec<String>)> {
        let records = self.0.records.borrow();
        steps.iter().find_map(|(key, step)| {
            let becomes_table = kind_of(&step.target) == Some("table");
            if records.get(key).is_some_and(Record::is_table) && !becomes_table {
                let prefix = format!("{key}/");
                let inside = records.range(prefix.clone()..).map(|(key, _)| key);
                let stays = |key: &&String| steps.get(*key).is_none_or(|step| step.target.exists());
                let by: Vec<String> = inside
                    .take_while(|key| key.starts_with(&prefix))
                    .filter(stays)
                    .cloned()
                    .collect();
                if !by.is_empty() {
                    return Some((key.clone(), HeldCause::Stays, by));
                }
            }
            let table = parent(key).filter(|_| step.target.exists())?;
            let there = match steps.get(table) {
                Some(step) => kind_of(&step.target) == Some("table"),
                None => records.get(table).is_some_and(Record::is_table),
            };
            (!there).then(|| (key.clone(), HeldCause::NoPlace, vec![table.to_owned()]))
        })
    }

    /// Tables that something is put into or taken out of, with the `touched` they should have in the end.
    fn disturbed(&self, steps: &BTreeMap<String, Step>) -> Vec<Step> {
        let moving = steps
            .values()
            .filter(|step| kind_of(&step.expected) != kind_of(&step.target));
        let tables: BTreeSet<String> = moving
            .filter_map(|step| parent(&key(&step.resource)).map(str::to_owned))
            .collect();
        let disturbed = tables.into_iter().filter_map(|table| match steps.get(&table) {
            Some(step) => step.target.exists().then(|| step.clone()),
            None => {
                let now = self.found(&table, None);
                let (resource, name) = (resource(&table), format!("/{table}"));
                Some(Step {
                    resource,
                    name,
                    expected: now.clone(),
                    target: now,
                })
            }
        });
        disturbed.collect()
    }
}
