//! What the compiler of a policy works out beforehand, so that a call only looks up.

use super::plan::{Charge, RateCharge};
use super::table::NameHasher;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;

/// For each plan (and for none) and each operation, the limits and rates that a call can meet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Charges {
    rows: Box<[ChargeRow]>,
    operations: usize,
}

/// The limits and rates of one operation under one plan.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChargeRow {
    pub(crate) limits: Box<[Charge]>,
    pub(crate) rates: Box<[RateCharge]>,
}

impl Charges {
    /// `rows` holds one row per operation for no plan, then for plan 0, and so on.
    pub(crate) fn new(rows: Vec<ChargeRow>, operations: usize) -> Self {
        Self { rows: rows.into_boxed_slice(), operations }
    }

    pub(crate) fn row(&self, plan: Option<u16>, operation: u16) -> Option<&ChargeRow> {
        let block = plan.map_or(0, |index| usize::from(index) + 1);
        self.rows.get(block * self.operations + usize::from(operation))
    }
}

/// MCP names that lead to operations.
#[derive(Clone, Debug, Default)]
pub(crate) struct McpIndex {
    pub(crate) tools: NameIndex,
    pub(crate) resources: NameIndex,
    pub(crate) prompts: NameIndex,
}

/// Exact names, and perhaps one operation for all others.
#[derive(Clone, Debug, Default)]
pub(crate) struct NameIndex {
    exact: HashMap<Box<str>, u16, BuildHasherDefault<NameHasher>>,
    other: Option<u16>,
}

impl NameIndex {
    /// Adds a name, `*` for all others; the operation that has it already, if one has.
    pub(crate) fn insert(&mut self, name: &str, operation: u16) -> Result<(), u16> {
        let taken = match name {
            "*" => self.other.replace(operation),
            _ => self.exact.insert(name.into(), operation),
        };
        taken.map_or(Ok(()), Err)
    }

    pub(crate) fn find(&self, name: &str) -> Option<u16> {
        self.exact.get(name).copied().or(self.other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exact_name_beats_the_one_for_all_others() {
        let mut index = NameIndex::default();
        assert_eq!(index.insert("*", 1), Ok(()));
        assert_eq!(index.insert("search", 2), Ok(()));
        assert_eq!(
            (index.find("search"), index.find("Search"), index.find("*")),
            (Some(2), Some(1), Some(1))
        );
        assert_eq!(index.insert("search", 3), Err(2));
        assert_eq!(index.insert("*", 3), Err(1));
    }
}
