//! The generation word: one atomic number that all processes of a database share, and the only three ways to change it.
//!
//! The word holds either a published generation or a writer's mark. A writer that holds the database's write lock puts
//! its mark, commits, and then swaps the mark for the new generation. So at every instant one of three things is true:
//! the word is the generation that the database holds, or it is a mark (readers then ask the database), or it is an
//! older generation and the change that follows it has not been committed yet.
//!
//! INVARIANT: whoever replaces a value that is not its own mark holds the write lock and writes what the database holds
//! under that lock. A writer that was overtaken finds its mark gone and leaves the word alone.

use std::sync::atomic::{AtomicU64, Ordering};

/// Set in a mark, clear in a generation.
const MARK_BIT: u64 = 1 << 63;

/// What the word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// The generation all returned changes belong to.
    Stable(u64),
    /// A change is on its way, its writer died, or the file was wiped: ask the database.
    Changing(Mark),
}

/// A value of the word that is no generation. Marks of two writers, and of two changes of one writer, differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark(u64);

/// Makes the marks of one process: a random tag and a count.
#[derive(Debug)]
pub(super) struct Marks {
    tag: u64,
    made: AtomicU64,
}

impl Marks {
    /// Marks with this random tag.
    pub(super) fn new(tag: u64) -> Self {
        Self { tag: tag << COUNT_BITS | MARK_BIT, made: AtomicU64::new(0) }
    }

    /// A mark that no other change of this or another process uses.
    pub(super) fn next(&self) -> Mark {
        let count = self.made.fetch_add(1, Ordering::Relaxed) & ((1 << COUNT_BITS) - 1);
        Mark(self.tag | count)
    }
}

/// Marks of one process repeat after 2^24 changes: long after the first of them has left the word.
const COUNT_BITS: u32 = 24;

/// Reads the word: one atomic load.
pub(super) fn load(word: &AtomicU64) -> Seen {
    Seen::from(word.load(Ordering::Acquire))
}

/// Puts the writer's mark. The caller holds the write lock and has not committed yet. Returns what stood there.
pub(super) fn begin(word: &AtomicU64, mark: Mark) -> Seen {
    Seen::from(word.swap(mark.0, Ordering::SeqCst))
}

/// Swaps the writer's own mark for the generation it committed. `false` when another has taken the word over
/// meanwhile: then it holds a later generation, or a mark, and either is right.
pub(super) fn publish(word: &AtomicU64, mark: Mark, generation: u64) -> bool {
    word.compare_exchange(mark.0, generation, Ordering::SeqCst, Ordering::Relaxed).is_ok()
}

/// Swaps whatever was seen for the generation the database holds. The caller holds the write lock and read that
/// generation under it; `false` when the word has moved on by itself.
pub(super) fn mend(word: &AtomicU64, seen: Seen, stored: u64) -> bool {
    word.compare_exchange(seen.raw(), stored, Ordering::SeqCst, Ordering::Relaxed).is_ok()
}

impl Seen {
    fn raw(self) -> u64 {
        match self {
            Self::Stable(generation) => generation,
            Self::Changing(mark) => mark.0,
        }
    }
}

impl From<u64> for Seen {
    /// Generations start at 1, so a word of zeros (a file that was wiped) is no generation.
    fn from(raw: u64) -> Self {
        if raw == 0 || raw & MARK_BIT != 0 { Self::Changing(Mark(raw)) } else { Self::Stable(raw) }
    }
}

#[cfg(test)]
#[path = "word_model.rs"]
mod model;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_no_generations_and_all_differ() {
        let (a, b) = (Marks::new(7), Marks::new(8));
        let marks = [a.next(), a.next(), b.next(), b.next()];
        for (i, mark) in marks.iter().enumerate() {
            assert_eq!(Seen::from(mark.0), Seen::Changing(*mark));
            assert!(!marks[..i].contains(mark), "{mark:?}");
        }
    }

    #[test]
    fn a_wiped_word_is_no_generation() {
        assert_eq!(load(&AtomicU64::new(0)), Seen::Changing(Mark(0)));
    }

    #[test]
    fn a_writer_that_was_overtaken_leaves_the_word_alone() {
        let word = AtomicU64::new(4);
        let (slow, quick) = (Marks::new(1).next(), Marks::new(2).next());
        assert_eq!(begin(&word, slow), Seen::Stable(4));
        assert_eq!(begin(&word, quick), Seen::Changing(slow));
        assert!(!publish(&word, slow, 5));
        assert_eq!(load(&word), Seen::Changing(quick));
        assert!(publish(&word, quick, 6));
        assert!(!mend(&word, Seen::Changing(slow), 5));
        assert_eq!(load(&word), Seen::Stable(6));
    }
}
