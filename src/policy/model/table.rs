//! Small immutable tables of named things, found by name or by index.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Something with a name that is unique in its table.
pub trait Named {
    /// The name, as the policy writes it.
    fn name(&self) -> &str;
}

/// The things one section of a policy lists, in the order in which it lists them.
#[derive(Clone, Debug)]
pub struct Table<T> {
    items: Box<[T]>,
    by_name: HashMap<Box<str>, u16, BuildHasherDefault<NameHasher>>,
}

impl<T: Named> Table<T> {
    /// A table of `items`; of two with one name the first is found by it. At most 65,535 items.
    pub(crate) fn new(items: Vec<T>) -> Self {
        let mut by_name = HashMap::with_capacity_and_hasher(items.len(), BuildHasherDefault::default());
        for (index, item) in (0..=u16::MAX).zip(&items) {
            by_name.entry(item.name().into()).or_insert(index);
        }
        Self { items: items.into_boxed_slice(), by_name }
    }

    /// The item with this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&T> {
        self.index(name).and_then(|index| self.at(index))
    }

    /// Where the item with this name stands.
    #[must_use]
    pub fn index(&self, name: &str) -> Option<u16> {
        self.by_name.get(name).copied()
    }

    /// The item at `index`.
    #[must_use]
    pub fn at(&self, index: u16) -> Option<&T> {
        self.items.get(usize::from(index))
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.items.iter().map(Named::name)
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { items: Box::default(), by_name: HashMap::default() }
    }
}

impl<T> std::ops::Deref for Table<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<'a, T> IntoIterator for &'a Table<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

/// FNV-1a. Unkeyed, because the entries are the policy's own names: whoever chooses what is *looked up* cannot add one,
/// and the policy's author has no reason to make them collide.
#[derive(Clone, Copy)]
pub(crate) struct NameHasher(u64);

impl Default for NameHasher {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Named for &str {
        fn name(&self) -> &str {
            self
        }
    }

    #[test]
    fn items_are_found_by_name_and_keep_their_order() {
        let table = Table::new(vec!["live", "test", "live"]);
        assert_eq!(table.index("test"), Some(1));
        assert_eq!(table.index("live"), Some(0));
        assert_eq!(table.named("liv"), None);
        assert_eq!(table.names().collect::<Vec<_>>(), ["live", "test", "live"]);
        assert_eq!(table.at(3), None);
    }
}
