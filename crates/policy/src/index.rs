//! Which policies can match at all. For each dimension a table from values to sets of policies, as bits; a proposal's
//! candidates are what is left when all tables have been asked. A thousand policies are sixteen words of bits.

use crate::facts::{Dimension, Facts};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What a policy demands before it can match: for some dimensions, one of these values. None is anything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Demands {
    pub(crate) values: BTreeMap<Dimension, BTreeSet<String>>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    words: usize,
    tables: Vec<Table>,
}

#[derive(Debug, Clone)]
struct Table {
    dimension: Dimension,
    /// The policies that demand nothing here.
    any: Vec<u64>,
    by_value: HashMap<String, Vec<u64>>,
}

const BITS: usize = 64;

impl Demands {
    /// Also demand one of these values.
    pub(crate) fn add(&mut self, dimension: Dimension, values: BTreeSet<String>) {
        match self.values.get_mut(&dimension) {
            Some(own) => own.retain(|value| values.contains(value)),
            None => drop(self.values.insert(dimension, values)),
        }
    }
}

impl Index {
    /// The index of policies by their numbers.
    pub(crate) fn new(demands: &[Demands]) -> Self {
        let words = demands.len().div_ceil(BITS);
        let used = Dimension::ALL.into_iter().filter(|dimension| {
            demands
                .iter()
                .any(|demands| demands.values.contains_key(dimension))
        });
        let table = |dimension| {
            let mut table = Table {
                dimension,
                any: vec![0; words],
                by_value: HashMap::new(),
            };
            for (number, demands) in demands.iter().enumerate() {
                match demands.values.get(&dimension) {
                    None => set(&mut table.any, number),
                    Some(values) => {
                        for value in values {
                            let bits = table
                                .by_value
                                .entry(value.clone())
                                .or_insert_with(|| vec![0; words]);
                            set(bits, number);
                        }
                    }
                }
            }
            table
        };
        let mut index = Self {
            words,
            tables: used.map(table).collect(),
        };
        index.tables.shrink_to_fit();
        index
    }

    /// The numbers of the policies that can match, in order. `all` is how many there are.
    pub(crate) fn candidates(&self, facts: &Facts<'_>, all: usize) -> Vec<usize> {
        let mut left = vec![u64::MAX; self.words];
        let mut fits = vec![0_u64; self.words];
        for table in &self.tables {
            fits.copy_from_slice(&table.any);
            facts.values(table.dimension, |value| {
                if let Some(bits) = table.by_value.get(value) {
                    fits.iter_mut().zip(bits).for_each(|(fits, bits)| *fits |= bits);
                }
            });
            left.iter_mut().zip(&fits).for_each(|(left, fits)| *left &= fits);
        }
        let mut numbers = Vec::new();
        for (place, word) in left.into_iter().enumerate() {
            let mut word = word;
            while word != 0 {
                let number = place * BITS + word.trailing_zeros() as usize;
                word &= word - 1;
                if number < all {
                    numbers.push(number);
                }
            }
        }
        numbers
    }
}

fn set(bits: &mut [u64], number: usize) {
    if let Some(word) = bits.get_mut(number / BITS) {
        *word |= 1 << (number % BITS);
    }
}
