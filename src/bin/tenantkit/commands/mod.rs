//! The commands, one module per group.

pub(crate) mod audit;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod init;
pub(crate) mod keys;
pub(crate) mod policy;
pub(crate) mod reference;
pub(crate) mod tenants;
pub(crate) mod usage;
pub(crate) mod vectors;
