//! The catalogue of permissions, until the module of its own brings it.

/// Bits of a catalogue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PermissionSet(pub [u64; 4]);

/// All permissions of a policy.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    names: Vec<Box<str>>,
    implies: Vec<(usize, usize)>,
}

impl Catalogue {
    /// A catalogue.
    #[must_use]
    pub fn new(names: Vec<Box<str>>, implies: Vec<(usize, usize)>) -> Self {
        Self { names, implies }
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.names.iter().map(|name| &**name)
    }

    /// The bits of these names and of nothing that they imply.
    #[must_use]
    pub fn exactly(&self, names: &[String]) -> PermissionSet {
        let mut set = PermissionSet::default();
        for (i, _) in self.names.iter().enumerate().filter(|(_, name)| names.iter().any(|n| **n == ***name)) {
            if let Some(word) = set.0.get_mut(i / 64) {
                *word |= 1 << (i % 64);
            }
        }
        set
    }

    /// The bits of one grant; `None` when it names nothing.
    #[must_use]
    pub fn grant(&self, grant: &str) -> Option<PermissionSet> {
        let below = |name: &str| match grant.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == grant,
        };
        let mut set = PermissionSet::default();
        let mut any = false;
        let mut reached: Vec<usize> =
            self.names.iter().enumerate().filter(|(_, name)| below(name)).map(|(i, _)| i).collect();
        while let Some(i) = reached.pop() {
            any = true;
            let Some(word) = set.0.get_mut(i / 64) else { continue };
            let bit = 1 << (i % 64);
            if *word & bit == 0 {
                *word |= bit;
                reached.extend(self.implies.iter().filter(|(from, _)| *from == i).map(|(_, to)| *to));
            }
        }
        any.then_some(set)
    }
}

impl PermissionSet {
    /// Both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        let mut set = self;
        for (word, more) in set.0.iter_mut().zip(other.0) {
            *word |= more;
        }
        set
    }
}
