//! Every interleaving of two writers, one mender and one caching reader, with a death possible at each step. The real
//! functions of the parent module change the word; the model adds the database, its write lock and the crashes.

use super::{Mark, Seen, begin, load, mend, publish};
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};

/// A rule that is broken on purpose, to see that the model would notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    CommitWithoutMark,
    PublishOverAnything,
    MendWithoutLock,
    InsertWithoutLook,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Writer {
    Idle,
    Locked,
    Marked,
    Committed(u64),
    Published(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Mender {
    Idle,
    /// Has seen this value, and wants or holds the lock.
    Saw(u64),
    Read(u64, u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Reader {
    Idle,
    /// Saw this generation, and that this much had been promised before.
    Loads(u64, u64),
    /// Has read this version of the record from the database.
    Inserts(u64, u64),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    stored: u64,
    word: u64,
    /// Who holds the write lock: 0 and 1 the writers, 2 the mender.
    lock: Option<u8>,
    writers: [Writer; 2],
    changes_left: [u8; 2],
    mender: Mender,
    mends_left: u8,
    deaths_left: u8,
    reader: Reader,
    /// The reader's cache: at which generation, which version of the record.
    cache: Option<(u64, u64)>,
    /// The newest change whose caller has been answered.
    returned: u64,
}

impl State {
    fn first() -> Self {
        Self {
            stored: 1,
            word: 1,
            lock: None,
            writers: [Writer::Idle; 2],
            changes_left: [2, 1],
            mender: Mender::Idle,
            mends_left: 2,
            deaths_left: 2,
            reader: Reader::Idle,
            cache: None,
            returned: 1,
        }
    }

    /// Runs one operation of the real code on the word of a successor state.
    fn with_word(&self, operation: impl FnOnce(&AtomicU64, &mut Self)) -> Self {
        let word = AtomicU64::new(self.word);
        let mut next = self.clone();
        operation(&word, &mut next);
        next.word = word.load(Ordering::SeqCst);
        next
    }

    fn seen(&self) -> Seen {
        load(&AtomicU64::new(self.word))
    }

    fn writer_steps(&self, i: usize, fault: Fault, out: &mut Vec<Self>) {
        // The count is part of the mark, so the second change of a writer has another one.
        let mark = Mark(super::MARK_BIT | (i as u64) << 8 | u64::from(self.changes_left[i]));
        let step = |writer: Writer| {
            let mut next = self.clone();
            next.writers[i] = writer;
            next
        };
        let next = match self.writers[i] {
            Writer::Idle if self.lock.is_none() && self.changes_left[i] > 0 => {
                State { lock: Some(i as u8), ..step(Writer::Locked) }
            }
            Writer::Idle => return,
            Writer::Locked if fault == Fault::CommitWithoutMark => step(Writer::Marked),
            Writer::Locked => step(Writer::Marked).with_word(|word, _| {
                begin(word, mark);
            }),
            Writer::Marked => {
                let generation = self.stored + 1;
                State { stored: generation, lock: None, ..step(Writer::Committed(generation)) }
            }
            Writer::Committed(generation) => {
                step(Writer::Published(generation)).with_word(|word, _| match fault {
                    Fault::PublishOverAnything | Fault::CommitWithoutMark => {
                        word.store(generation, Ordering::SeqCst)
                    }
                    _ => {
                        publish(word, mark, generation);
                    }
                })
            }
            Writer::Published(generation) => {
                let mut next = step(Writer::Idle);
                next.returned = next.returned.max(generation);
                next.changes_left[i] -= 1;
                next
            }
        };
        out.push(next);
        if self.deaths_left > 0 && self.writers[i] != Writer::Idle {
            // Its successor begins with another mark; what was not committed is rolled back.
            let mut dead = step(Writer::Idle);
            dead.deaths_left -= 1;
            dead.changes_left[i] -= 1;
            dead.lock = self.lock.filter(|&holder| holder != i as u8);
            out.push(dead);
        }
    }

    fn mender_steps(&self, fault: Fault, out: &mut Vec<Self>) {
        let mut next = self.clone();
        let holds = self.lock == Some(2) || fault == Fault::MendWithoutLock;
        match self.mender {
            Mender::Idle if self.mends_left > 0 => {
                next.mends_left -= 1;
                next.mender = Mender::Saw(self.word);
            }
            Mender::Idle => return,
            Mender::Saw(seen) if holds => next.mender = Mender::Read(seen, self.stored),
            Mender::Saw(_) if self.lock.is_none() => next.lock = Some(2),
            Mender::Saw(_) => return,
            Mender::Read(seen, stored) => {
                next = next.with_word(|word, _| {
                    mend(word, Seen::from(seen), stored);
                });
                next.mender = Mender::Idle;
                next.lock = self.lock.filter(|&holder| holder != 2);
            }
        }
        out.push(next);
        if self.deaths_left > 0 && self.mender != Mender::Idle {
            let mut dead = self.clone();
            dead.deaths_left -= 1;
            dead.mender = Mender::Idle;
            dead.lock = self.lock.filter(|&holder| holder != 2);
            out.push(dead);
        }
    }

    /// One step of the reader; `Err` when it acts on something that a returned change had ended.
    fn reader_steps(&self, fault: Fault, out: &mut Vec<Self>) -> Result<(), String> {
        let mut next = self.clone();
        match self.reader {
            Reader::Idle => match (self.seen(), self.cache) {
                (Seen::Stable(g), Some((at, version))) if at == g => {
                    if version < self.returned {
                        return Err(format!(
                            "acted on version {version} after {} had returned",
                            self.returned
                        ));
                    }
                    return Ok(());
                }
                (Seen::Stable(g), _) => next.reader = Reader::Loads(g, self.returned),
                // It reads the database and keeps nothing.
                (Seen::Changing(_), _) => return Ok(()),
            },
            Reader::Loads(g, promised) => {
                if self.stored < promised {
                    return Err(format!("the database held {} after {promised} had returned", self.stored));
                }
                next.reader = Reader::Inserts(g, self.stored);
            }
            Reader::Inserts(g, version) => {
                next.reader = Reader::Idle;
                if self.seen() == Seen::Stable(g) {
                    next.cache = Some((g, version));
                } else if let (Fault::InsertWithoutLook, Seen::Stable(now)) = (fault, self.seen()) {
                    next.cache = Some((now, version));
                }
            }
        }
        out.push(next);
        Ok(())
    }

    /// An old generation may stand only while the writer of the next one is about to replace it.
    fn nobody_is_left_behind(&self) -> Result<(), String> {
        let under_way = self.writers.iter().any(|w| matches!(w, Writer::Committed(_)));
        match self.seen() {
            Seen::Stable(g) if g > self.stored => Err(format!("published {g}, stored {}", self.stored)),
            Seen::Stable(g) if g < self.stored && !under_way => {
                Err(format!("the word stays at {g}, stored {}", self.stored))
            }
            _ => Ok(()),
        }
    }
}

/// Explores everything; the number of states, or the first rule broken.
fn explore(fault: Fault) -> Result<usize, String> {
    let mut seen = HashSet::from([State::first()]);
    let mut open = vec![State::first()];
    let mut next = Vec::new();
    while let Some(state) = open.pop() {
        state.nobody_is_left_behind().map_err(|e| format!("{e}\n{state:?}"))?;
        state.writer_steps(0, fault, &mut next);
        state.writer_steps(1, fault, &mut next);
        state.mender_steps(fault, &mut next);
        state.reader_steps(fault, &mut next).map_err(|e| format!("{e}\n{state:?}"))?;
        open.extend(next.drain(..).filter(|s| seen.insert(s.clone())));
    }
    Ok(seen.len())
}

#[test]
fn inv_04_no_interleaving_acts_on_what_a_returned_change_ended() {
    let states = explore(Fault::None).unwrap();
    assert!(states > 10_000, "only {states} states: the model has lost its interleavings");
}

#[test]
fn the_model_notices_each_broken_rule() {
    for fault in [
        Fault::CommitWithoutMark,
        Fault::PublishOverAnything,
        Fault::MendWithoutLock,
        Fault::InsertWithoutLook,
    ] {
        assert!(explore(fault).is_err(), "{fault:?} went unnoticed");
    }
}
