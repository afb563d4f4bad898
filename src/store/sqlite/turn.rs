//! Taking turns at the write lock. SQLite's lock has no queue: a process that commits and begins anew at once would take
//! it again and again, while another only ever looks in between. So whoever finds it taken says so in the generation
//! file, and whoever has had it lets that process go first, for a moment. It is a courtesy and no lock: nothing depends
//! on it but fairness, and a process that died waiting is forgotten after 8 ms.

use super::generation::GenerationFile;
use crate::clock::monotonic_micros;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long a request counts that is not repeated: many times the pause between two tries, because on a busy machine a
/// process that waits is not always scheduled at once.
const FRESH_US: u64 = 8_000;
/// How often, and how many times at most, it is looked whether the other has taken its turn.
const LOOK: Duration = Duration::from_micros(50);
const LOOKS: u32 = 100;

/// One process's part in it.
#[derive(Debug)]
pub(super) struct Turn {
    /// Tells this process from the others.
    tag: u64,
}

impl Turn {
    pub(super) fn new(tag: u64) -> Self {
        Self { tag }
    }

    /// Says that this process found the lock taken.
    pub(super) fn ask(&self, file: &GenerationFile) {
        file.wanted_by().store(self.tag, Ordering::Relaxed);
        file.wanted_at().store(monotonic_micros().cast_unsigned(), Ordering::Release);
    }

    /// Says that this process has the lock now; whoever still waits asks again by itself.
    pub(super) fn take(&self, file: &GenerationFile) {
        file.wanted_at().store(0, Ordering::Release);
    }

    /// Waits a moment if another process asked.
    pub(super) fn give_way(&self, file: &GenerationFile) {
        for _ in 0..LOOKS {
            if !self.is_wanted_by_another(file, monotonic_micros().cast_unsigned()) {
                break;
            }
            std::thread::sleep(LOOK);
        }
    }

    fn is_wanted_by_another(&self, file: &GenerationFile, now_us: u64) -> bool {
        let wanted_at = file.wanted_at().load(Ordering::Acquire);
        let is_fresh = wanted_at != 0 && now_us.saturating_sub(wanted_at) < FRESH_US;
        is_fresh && file.wanted_by().load(Ordering::Relaxed) != self.tag
    }
}

#[cfg(test)]
mod tests {
    use super::super::tempdir::Dir;
    use super::*;

    #[test]
    fn a_request_counts_for_others_until_it_is_served_or_old() {
        let dir = Dir::new();
        let file = GenerationFile::replace(&dir.path("keys.db-gen"), &[1; 16], 1, &dir.metadata()).unwrap();
        let (ours, other) = (Turn::new(1), Turn::new(2));
        let now = || monotonic_micros().cast_unsigned();
        assert!(!ours.is_wanted_by_another(&file, now()), "nobody asked");
        other.ask(&file);
        let asked = file.wanted_at().load(Ordering::Relaxed);
        assert!(ours.is_wanted_by_another(&file, asked));
        assert!(!other.is_wanted_by_another(&file, asked), "its own request");
        assert!(!ours.is_wanted_by_another(&file, asked + FRESH_US), "the other died or gave up");
        other.take(&file);
        assert!(!ours.is_wanted_by_another(&file, asked), "the other has its turn");
    }
}
