//! Places where tests end the process. In other builds a place is nothing.

/// The process passes the place called `name`.
#[cfg(not(test))]
#[inline(always)]
pub(super) fn point(_name: &str) {}

/// The process passes the place called `name`: it dies if the test asked for this place and this pass through it.
#[cfg(test)]
pub(super) fn point(name: &str) {
    use std::sync::atomic::{AtomicU64, Ordering};
    static PASSES: AtomicU64 = AtomicU64::new(0);
    if super::spawn::role().is_none() {
        return;
    }
    let Ok(fatal) = std::env::var("TENANTKIT_TEST_ROLE_DIES_AT") else { return };
    let Some((place, pass)) = fatal.split_once('#') else { return };
    if place == name && PASSES.fetch_add(1, Ordering::Relaxed) + 1 == pass.parse::<u64>().unwrap_or(0) {
        super::spawn::die();
    }
}
