//! Types that modules still being written will bring; each is replaced by theirs.

/// Where a credential travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// `Authorization: Bearer`.
    Bearer,
    /// A header of its own.
    Header(Box<str>),
}

/// Characters of a key that may be shown later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DisplayRule {
    /// From the start.
    pub first: u8,
    /// From the end.
    pub last: u8,
}

/// Tenancy presets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// One developer.
    Solo,
    /// One company.
    Client,
    /// Many orgs.
    Platform,
    /// The URL chooses.
    Flexible,
}

/// The level of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The account.
    Account,
    /// An org.
    Org,
    /// A user.
    User,
}

/// Bits of a catalogue.
pub type PermissionSet = [u64; 4];

/// Id syntax.
pub type IdSyntax = u8;

/// A period.
pub type Period = u8;

/// A rate.
pub type Rate = u64;
