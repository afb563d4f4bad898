//! Where a field stands in a document: steps linked from the leaf to the root, kept on the stack while it is walked.

use std::fmt;

/// One place in a document.
#[derive(Clone, Copy, Debug)]
pub(crate) enum At<'a> {
    /// The whole document.
    Root,
    /// A member of a table.
    Key(&'a At<'a>, &'a str),
    /// An element of an array.
    Index(&'a At<'a>, usize),
}

impl<'a> At<'a> {
    pub(crate) fn key(&'a self, name: &'a str) -> Self {
        At::Key(self, name)
    }

    pub(crate) fn index(&'a self, index: usize) -> Self {
        At::Index(self, index)
    }
}

impl fmt::Display for At<'_> {
    /// As TOML would write it, with array indexes: `plans.FREE.limits[0].amount`, `operations."servers.list".cost`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Root => Ok(()),
            At::Key(parent, name) => {
                parent.fmt(f)?;
                if !matches!(parent, At::Root) {
                    f.write_str(".")?;
                }
                let is_bare = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
                if !name.is_empty() && name.bytes().all(is_bare) {
                    f.write_str(name)
                } else {
                    write!(f, "{:?}", &name.chars().take(64).collect::<String>())
                }
            }
            At::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_as_in_toml() {
        let root = At::Root;
        let plans = root.key("plans");
        let plan = plans.key("FREE");
        let limits = plan.key("limits");
        let limit = limits.index(0);
        assert_eq!(limit.key("amount").to_string(), "plans.FREE.limits[0].amount");
        let operations = root.key("operations");
        assert_eq!(operations.key("servers.list").to_string(), "operations.\"servers.list\"");
        assert_eq!(root.to_string(), "");
    }
}
