//! The catalogue of permissions, until the module of its own brings it.

/// Bits of a catalogue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PermissionSet(pub [u64; 4]);
