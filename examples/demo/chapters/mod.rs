//! One chapter per product.

pub(crate) mod allmcp;
pub(crate) mod crash;
pub(crate) mod mcpstack;
pub(crate) mod runstack;
pub(crate) mod runtype;
