//! Last-used times on their way to the store: noted on the call, written in batches off the request path.

use crate::key::digest::KeyDigest;
use crate::store::{StoreError, Touch};
use parking_lot::Mutex;

/// At most so many uses wait; what comes beyond is forgotten, because a last-used time is not worth memory without
/// bound.
const WAITING_MAX: usize = 100_000;

/// Uses that wait to be written.
#[derive(Default)]
pub(crate) struct Touches {
    /// Cached keys with news.
    dirty: Mutex<Vec<KeyDigest>>,
    /// News of keys that have left the cache, or whose write failed.
    waiting: Mutex<Vec<Touch>>,
}

impl Touches {
    /// A cached key has news: called at most once per key and flush.
    pub(crate) fn note(&self, digest: KeyDigest) {
        let mut dirty = self.dirty.lock();
        if dirty.len() < WAITING_MAX {
            dirty.push(digest);
        }
    }

    /// Takes the cached keys that have news.
    pub(crate) fn take_dirty(&self) -> Vec<KeyDigest> {
        std::mem::take(&mut *self.dirty.lock())
    }

    /// Keeps a use until the next write.
    pub(crate) fn keep(&self, touch: Option<Touch>) {
        let Some(touch) = touch else { return };
        let mut waiting = self.waiting.lock();
        if waiting.len() < WAITING_MAX {
            waiting.push(touch);
        }
    }

    /// Hands all that waits to `write`; on failure it waits again.
    pub(crate) fn write(
        &self,
        write: impl FnOnce(&[Touch]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut batch = std::mem::take(&mut *self.waiting.lock());
        if batch.is_empty() {
            return Ok(());
        }
        write(&batch).inspect_err(|_| {
            let mut waiting = self.waiting.lock();
            let room = WAITING_MAX.saturating_sub(waiting.len());
            batch.truncate(room);
            waiting.append(&mut batch);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::key::id::KeyId;
    use crate::store::StoreErrorKind;
    use crate::tenant::id::AccountId;

    fn touch(at: i64) -> Touch {
        Touch {
            account_id: AccountId::from_stored("a"),
            id: KeyId::from_bytes([1; 16]),
            at: Timestamp::from_seconds(at),
            permissions: Vec::new(),
        }
    }

    #[test]
    fn a_failed_write_is_tried_again() {
        let touches = Touches::default();
        touches.keep(Some(touch(1)));
        let failed = touches.write(|_| Err(StoreError::new(StoreErrorKind::Unavailable, "away")));
        assert!(failed.is_err());
        touches.keep(Some(touch(2)));
        let mut written = Vec::new();
        touches
            .write(|batch| {
                written.extend_from_slice(batch);
                Ok(())
            })
            .unwrap();
        assert_eq!(written, [touch(2), touch(1)].map(|t| t).into_iter().rev().collect::<Vec<_>>());
        touches.write(|_| unreachable!("nothing waits")).unwrap();
    }
}
