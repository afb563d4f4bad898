//! Records at full speed: the cache, its fence, and loading what it misses.
//!
//! `cache` says why a cached record is never stale in a way that matters, `entry` what is cached, `load` how a miss is
//! answered and `touches` how last-used times reach the store off the request path.

mod cache;
mod entry;
mod load;
mod slots;
mod touches;

pub(crate) use cache::PinnedTenants;
pub(crate) use entry::{KeyEntry, PlanInForce, Restrictions, TenantEntry, fixed_org, granted_permissions};
pub(crate) use load::{Noted, Records};
pub(crate) use slots::{Slot, Slots};
