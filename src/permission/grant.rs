//! Who may give what: nobody grants more than they have, and nobody above their own role.

use crate::permission::PermissionSet;

/// The place of a role in the policy's list, 0 for the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank(pub u16);

/// What somebody holds, or what a key would be given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// The role, where there is one.
    pub role: Option<Rank>,
    /// All permissions together: the role's and those held besides.
    pub permissions: PermissionSet,
}

/// Why something may not be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// The role ranks above the giver's.
    Role,
    /// The giver lacks these permissions.
    Permissions(PermissionSet),
}

impl Holding {
    /// Whether `granted` is more than its giver holds; `None` when it may be given.
    ///
    /// A giver without a role may give a role all of whose permissions they hold; a role of the giver's own rank may be
    /// given. Permissions are compared as they are in force, whatever the names they came by.
    #[must_use]
    pub fn excess_of(&self, granted: &Self) -> Option<Excess> {
        // A smaller number is a higher rank.
        if let (Some(own), Some(given)) = (self.role, granted.role)
            && given < own
        {
            return Some(Excess::Role);
        }
        let lacking = granted.permissions.minus(&self.permissions);
        (!lacking.is_empty()).then_some(Excess::Permissions(lacking))
    }

    /// Whether a key that held this may do less once it holds `new`: such an edit must be in force in every process
    /// before it returns. What counts is what may be done, so a role of another name with no less takes nothing away.
    #[must_use]
    pub fn is_narrowed_by(&self, new: &Self) -> bool {
        !new.permissions.contains_all(&self.permissions)
    }
}
