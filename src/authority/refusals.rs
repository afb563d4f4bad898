//! Refusals of proved keys on their way to the audit trail: noted on the call, written in batches off the request path.
//! Refusals of strangers are only counted, so nobody fills the trail from outside.

use super::Request;
use crate::decision::Denial;
use crate::error::Error;
use crate::store::{AuditDraft, RecordStore};
use crate::tenant::AccountId;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// At most so many refusals wait to be written; what comes beyond is counted.
const WAITING_MAX: usize = 10_000;
/// Written at most so many at once.
const BATCH: usize = 100;

/// Refusals that wait.
#[derive(Default)]
pub(super) struct Refusals {
    waiting: Mutex<Vec<AuditDraft>>,
    strangers: AtomicU64,
    dropped: AtomicU64,
}

impl Refusals {
    /// Notes a refusal.
    pub(super) fn note(&self, request: &Request<'_>, denial: &Denial) {
        let Some(who) = denial.identity() else {
            self.strangers.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let draft = AuditDraft {
            account_id: AccountId::from_stored(who.account_id()),
            at: denial.decided_at(),
            actor: who.key_id().to_string().into(),
            act: "request.refused".into(),
            object: request.operation.into(),
            tenant: who.scope().namespace().into(),
            outcome: denial.code().name().into(),
            operation_id: request.operation_id.unwrap_or("").into(),
            details: details(request, denial).into(),
        };
        let mut waiting = self.waiting.lock();
        if waiting.len() < WAITING_MAX {
            waiting.push(draft);
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes what waits, in batches; what cannot be written waits for the next time.
    pub(super) fn write(&self, store: &dyn RecordStore) -> Result<(), Error> {
        loop {
            let batch: Vec<AuditDraft> = {
                let mut waiting = self.waiting.lock();
                let count = waiting.len().min(BATCH);
                waiting.drain(..count).collect()
            };
            if batch.is_empty() {
                return Ok(());
            }
            if let Err(error) = store.append_audit(&batch) {
                let mut waiting = self.waiting.lock();
                let room = WAITING_MAX.saturating_sub(waiting.len());
                let later = std::mem::take(&mut *waiting);
                waiting.extend(batch.into_iter().take(room).chain(later));
                return Err(error.into());
            }
        }
    }

    /// Refusals of strangers so far, and refusals that the trail had no room for.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.strangers.load(Ordering::Relaxed), self.dropped.load(Ordering::Relaxed))
    }
}

/// Facts for the trail, without anything the caller presented that could be a secret.
fn details(request: &Request<'_>, denial: &Denial) -> String {
    serde_json::json!({
        "row": denial.row(),
        "reason": denial.reason(),
        "request_id": request.request_id,
        "missing": denial.missing_permissions(),
    })
    .to_string()
}
