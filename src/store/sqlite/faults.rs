//! Places where tests end or halt the process. In other builds a place is nothing.

/// The process passes the place called `name`.
#[cfg(not(test))]
#[inline(always)]
pub(super) fn point(_name: &str) {}

/// The process passes the place called `name`: it dies there if the test asked for this place and this pass through it,
/// and halts there, until it is let go on, if the test asked to see every place.
#[cfg(test)]
pub(super) fn point(name: &str) {
    use super::spawn;
    use std::sync::atomic::{AtomicU64, Ordering};
    static PASSES: AtomicU64 = AtomicU64::new(0);
    if spawn::role().is_none() {
        return;
    }
    if spawn::text_if_given("HALTS").is_some() && name != "migration statement" {
        return spawn::halt(name);
    }
    let Some(fatal) = spawn::text_if_given("DIES_AT") else { return };
    let Some((place, pass)) = fatal.split_once('#') else { return };
    if place == name && PASSES.fetch_add(1, Ordering::Relaxed) + 1 == pass.parse::<u64>().unwrap_or(0) {
        spawn::die();
    }
}
