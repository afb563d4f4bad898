//! Whether this process was forked from the one that opened the store. SQLite's connections and locks belong to the
//! process that made them; a child must neither use nor close them.

use super::mapped::Mapped;
use crate::store::{StoreError, StoreErrorKind};
use rustix::process::{Pid, getpid};
use std::sync::atomic::Ordering;

/// Remembers the process it was made in.
pub(super) struct ForkMark {
    /// Where the system wipes memory on fork, asking costs one load.
    page: Option<Mapped<1>>,
    pid: Pid,
}

impl ForkMark {
    /// Marks the present process.
    pub(super) fn new() -> Self {
        let page = wiped_on_fork();
        if let Some(page) = &page {
            page.number::<0>().store(1, Ordering::Relaxed);
        }
        Self { page, pid: getpid() }
    }

    /// Whether this is another process than the one that made the mark.
    pub(super) fn is_child(&self) -> bool {
        match &self.page {
            Some(page) => page.number::<0>().load(Ordering::Relaxed) == 0,
            None => getpid() != self.pid,
        }
    }

    /// # Errors
    /// [`StoreErrorKind::Forked`] in a forked process.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.is_child() {
            let context =
                "the store was opened before the fork (a preloading server does so); open it in the child";
            return Err(StoreError::new(StoreErrorKind::Forked, context));
        }
        Ok(())
    }
}

#[cfg(test)]
impl ForkMark {
    /// Makes the mark look as a child of a fork finds it.
    pub(super) fn pretend_child(&self) {
        if let Some(page) = &self.page {
            page.number::<0>().store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(target_os = "linux")]
fn wiped_on_fork() -> Option<Mapped<1>> {
    Mapped::wiped_on_fork().ok()
}

#[cfg(not(target_os = "linux"))]
fn wiped_on_fork() -> Option<Mapped<1>> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_that_made_the_mark_is_no_child() {
        assert!(ForkMark::new().check().is_ok());
    }

    #[test]
    fn another_process_is_a_child_in_either_way_of_asking() {
        // What a child of a fork finds: a wiped page, or another process id.
        let wiped = ForkMark::new();
        wiped.pretend_child();
        let other = ForkMark { page: None, pid: Pid::from_raw(1).unwrap() };
        for mark in [wiped, other] {
            assert_eq!(mark.check().unwrap_err().kind(), StoreErrorKind::Forked);
        }
    }
}
