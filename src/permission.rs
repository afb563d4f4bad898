//! Permissions: what a key may do, as names in records and policies and as bits in decisions.
//!
//! A permission is parts of `A-Z a-z 0-9 _` joined by colons, such as `FLOWS:READ`, compared byte by byte. A grant is a
//! permission, `X:*` for everything below `X`, or `*` for everything. What a product grants only whole, its catalogue
//! lists as `X:*` itself. Nothing implies anything else unless the policy lists it, and an empty set is nothing.
//!
//! [`Catalogue`] turns names into a [`PermissionSet`] and back; [`grant`] compares what somebody holds with what they
//! would give.

pub mod grant;

pub use grant::{Excess, Holding, Rank};

/// The greatest number of permissions in one policy.
pub const MAX_PERMISSIONS: usize = 256;
/// The greatest length of a permission, in bytes.
pub const MAX_PERMISSION_LEN: usize = 128;

const WORDS: usize = MAX_PERMISSIONS / 64;

/// Some of the permissions of one catalogue, one bit each. The default is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PermissionSet([u64; WORDS]);

impl PermissionSet {
    /// No permission at all.
    pub const EMPTY: Self = Self([0; WORDS]);

    /// A set from its bits; those beyond the catalogue mean nothing.
    #[must_use]
    pub const fn from_words(words: [u64; WORDS]) -> Self {
        Self(words)
    }

    /// The bits, the first permission of the catalogue lowest.
    #[must_use]
    pub const fn words(&self) -> &[u64; WORDS] {
        &self.0
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// How many permissions are in it.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// Whether everything in `needed` is in this set: what an operation that needs them asks.
    #[must_use]
    pub fn contains_all(&self, needed: &Self) -> bool {
        self.0.iter().zip(&needed.0).all(|(held, needed)| needed & !held == 0)
    }

    /// What is in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    /// What is in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    /// What is in this set and not in `other`: with needed and held, everything that is missing.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }

    fn zip(&self, other: &Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        let mut words = self.0;
        for (word, other) in words.iter_mut().zip(other.0) {
            *word = combine(*word, other);
        }
        Self(words)
    }

    fn insert(&mut self, position: usize) {
        if let Some(word) = self.0.get_mut(position / 64) {
            *word |= 1 << (position % 64);
        }
    }

    fn has(&self, position: usize) -> bool {
        self.0.get(position / 64).is_some_and(|word| word >> (position % 64) & 1 == 1)
    }
}

/// All permissions of a policy, in the order it lists them.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    entries: Box<[Entry]>,
    /// Positions in `entries`, in byte order of the names.
    by_name: Box<[usize]>,
}

#[derive(Clone, Debug)]
struct Entry {
    name: Box<str>,
    /// The permission itself and all that it implies, directly or not.
    closure: PermissionSet,
}

impl Catalogue {
    /// A catalogue of these permissions, with pairs of positions of which the first implies the second.
    ///
    /// # Errors
    /// [`PermissionError`] when a name is not well formed or given twice, a position names nothing, or there are more
    /// than [`MAX_PERMISSIONS`].
    pub fn new(
        names: impl IntoIterator<Item = Box<str>>,
        implies: impl IntoIterator<Item = (usize, usize)>,
    ) -> Result<Self, PermissionError> {
        let names: Vec<Box<str>> = names.into_iter().take(MAX_PERMISSIONS + 1).collect();
        if names.len() > MAX_PERMISSIONS {
            return Err(PermissionError::TooMany);
        }
        names.iter().try_for_each(|name| check_entry(name))?;
        let mut by_name: Vec<(&str, usize)> =
            names.iter().enumerate().map(|(i, name)| (&**name, i)).collect();
        by_name.sort_unstable();
        if by_name.windows(2).any(|pair| matches!(pair, [a, b] if a.0 == b.0)) {
            return Err(PermissionError::Twice);
        }
        let by_name = by_name.into_iter().map(|(_, position)| position).collect();
        let closures = closures(&names, implies)?;
        let entries = names.into_iter().zip(closures).map(|(name, closure)| Entry { name, closure });
        Ok(Self { entries: entries.collect(), by_name })
    }

    /// All names, in the policy's order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.entries.iter().map(|entry| &*entry.name)
    }

    /// Every permission.
    #[must_use]
    pub fn all(&self) -> PermissionSet {
        let mut set = PermissionSet::EMPTY;
        (0..self.entries.len()).for_each(|position| set.insert(position));
        set
    }

    /// The permission with exactly this name, without what it implies: what an operation needs.
    #[must_use]
    pub fn need(&self, name: &str) -> Option<PermissionSet> {
        let position = self.position(name)?;
        let mut set = PermissionSet::EMPTY;
        set.insert(position);
        Some(set)
    }

    /// What one grant gives: the permissions it names, and those that they imply. `None` when it names none, so that a
    /// misspelt grant is never taken for one that gives nothing.
    #[must_use]
    pub fn grant(&self, grant: &str) -> Option<PermissionSet> {
        let Some(start) = grant.strip_suffix('*') else {
            return self.position(grant).and_then(|at| self.entries.get(at)).map(|entry| entry.closure);
        };
        // `X:*`, or `*` alone: a star ends no part.
        if !(start.is_empty() || start.ends_with(':')) {
            return None;
        }
        let below = self.entries.iter().filter(|entry| entry.name.starts_with(start));
        below.map(|entry| entry.closure).reduce(|a, b| a.union(&b))
    }

    /// What these grants give together.
    ///
    /// # Errors
    /// The first grant that names nothing.
    pub fn resolve<'g>(&self, grants: impl IntoIterator<Item = &'g str>) -> Result<PermissionSet, &'g str> {
        let mut set = PermissionSet::EMPTY;
        for grant in grants {
            set = set.union(&self.grant(grant).ok_or(grant)?);
        }
        Ok(set)
    }

    /// What these grants give together, for a stored record: a grant that the policy no longer knows gives nothing.
    #[must_use]
    pub fn resolve_known<'g>(&self, grants: impl IntoIterator<Item = &'g str>) -> PermissionSet {
        let known = grants.into_iter().filter_map(|grant| self.grant(grant));
        known.fold(PermissionSet::EMPTY, |set, more| set.union(&more))
    }

    /// The names of a set, in the policy's order: for answers, and for freezing a template into a key (row A-35), as
    /// names that stand for themselves go on meaning what they mean today.
    #[must_use]
    pub fn names(&self, set: &PermissionSet) -> Vec<Box<str>> {
        let held = self.entries.iter().enumerate().filter(|(position, _)| set.has(*position));
        held.map(|(_, entry)| entry.name.clone()).collect()
    }

    /// Everything that is needed and not held, by name and all at once.
    #[must_use]
    pub fn missing(&self, needed: &PermissionSet, held: &PermissionSet) -> Vec<Box<str>> {
        self.names(&needed.minus(held))
    }

    fn position(&self, name: &str) -> Option<usize> {
        let order = |position: &usize| self.entries.get(*position).map_or("", |entry| &entry.name).cmp(name);
        self.by_name.binary_search_by(order).ok().and_then(|found| self.by_name.get(found).copied())
    }
}

/// Why names and implications make no catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PermissionError {
    /// A name is not well formed.
    #[error("a permission is parts of `A-Z a-z 0-9 _` joined by colons, such as `FLOWS:READ`")]
    Form,
    /// A name is listed twice.
    #[error("a permission is in the catalogue twice; name it once")]
    Twice,
    /// The catalogue is too long.
    #[error("a policy has at most {MAX_PERMISSIONS} permissions")]
    TooMany,
    /// An implication names no permission of the catalogue.
    #[error("an implication names a permission that is not in the catalogue")]
    Unknown,
}

/// Checks a name for the catalogue: a permission, or `X:*` for what is granted only whole.
///
/// # Errors
/// [`PermissionError::Form`].
pub fn check_entry(name: &str) -> Result<(), PermissionError> {
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let plain = name.strip_suffix(":*").unwrap_or(name);
    if name.len() <= MAX_PERMISSION_LEN && plain.split(':').all(is_part) {
        Ok(())
    } else {
        Err(PermissionError::Form)
    }
}

/// For each permission, itself and all that it implies, over any number of steps and through cycles.
fn closures(
    names: &[Box<str>],
    implies: impl IntoIterator<Item = (usize, usize)>,
) -> Result<Vec<PermissionSet>, PermissionError> {
    let len = names.len();
    let mut sets: Vec<PermissionSet> = vec![PermissionSet::EMPTY; len];
    for ((position, set), name) in sets.iter_mut().enumerate().zip(names) {
        set.insert(position);
        // An entry `X:*` means the same as the grant of that name, however somebody came by it.
        if let Some(start) = name.strip_suffix('*') {
            names
                .iter()
                .enumerate()
                .filter(|(_, n)| n.starts_with(start))
                .for_each(|(below, _)| set.insert(below));
        }
    }
    for (from, to) in implies {
        if to >= len {
            return Err(PermissionError::Unknown);
        }
        sets.get_mut(from).ok_or(PermissionError::Unknown)?.insert(to);
    }
    // Warshall's algorithm: after step `via`, every path whose inner steps are at most `via` is found.
    for via in 0..len {
        let through = sets.get(via).copied().unwrap_or_default();
        for set in sets.iter_mut().filter(|set| set.has(via)) {
            *set = set.union(&through);
        }
    }
    Ok(sets)
}

#[cfg(test)]
mod tests;
