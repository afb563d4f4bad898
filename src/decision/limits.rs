//! How the limits of a call stand, inline in its decision.

use super::{LIMITS_PER_CALL_MAX, Span};
use crate::clock::Timestamp;
use crate::limit::LimitId;

/// How one limit stands after the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitState {
    pub(crate) name: Span,
    pub(crate) unit: Span,
    /// Opaque identity of the limit and subject.
    pub id: LimitId,
    /// Whether it is a rate or a quota.
    pub kind: LimitKind,
    /// Units of the window; `None` is unlimited.
    pub quota: Option<u64>,
    /// Units counted in the window so far, this call included.
    pub used: u64,
    /// Units left; never a promise of what others may take meanwhile. `None` is unlimited.
    pub remaining: Option<u64>,
    /// When more is available; `None` for a lifetime.
    pub resets_at: Option<Timestamp>,
    /// Length of the window in seconds; `None` for a lifetime.
    pub window_s: Option<u64>,
    /// Used in percent of what is included (else of the quota), rounded down.
    pub percent: u16,
    /// Whether the answer's headers may show it: limits of subjects wider than the key stay hidden unless exposed.
    pub exposed: bool,
    /// Whether a rate is counted in this process alone.
    pub per_process: bool,
}

/// What a [`LimitState`] bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// Units per plan period.
    Quota,
    /// Units per short window, refilling all the time.
    Rate,
}

impl LimitState {
    pub(crate) const EMPTY: Self = Self {
        name: Span { start: 0, len: 0 },
        unit: Span { start: 0, len: 0 },
        id: LimitId::from_bytes([0; 16]),
        kind: LimitKind::Quota,
        quota: None,
        used: 0,
        remaining: None,
        resets_at: None,
        window_s: None,
        percent: 0,
        exposed: false,
        per_process: false,
    };
}

/// Up to eight limit states: the first two inline, which is a rate and a quota; more move to the heap.
pub(crate) struct LimitStates {
    inline: [LimitState; LIMITS_INLINE],
    len: u8,
    all: Vec<LimitState>,
}

/// A decision is copied a few times on its way to the caller, so its usual size matters.
const LIMITS_INLINE: usize = 2;

impl LimitStates {
    pub(crate) fn new() -> Self {
        Self { inline: [LimitState::EMPTY; LIMITS_INLINE], len: 0, all: Vec::new() }
    }

    /// Adds one; a ninth is left out, which the policy's own bound rules out.
    pub(crate) fn push(&mut self, state: LimitState) {
        let len = usize::from(self.len);
        if len >= LIMITS_PER_CALL_MAX {
            return;
        }
        match self.inline.get_mut(len) {
            Some(slot) => *slot = state,
            None => {
                if self.all.is_empty() {
                    self.all.reserve(LIMITS_PER_CALL_MAX);
                    self.all.extend_from_slice(&self.inline);
                }
                self.all.push(state);
            }
        }
        self.len += 1;
    }

    pub(crate) fn as_slice(&self) -> &[LimitState] {
        if self.all.is_empty() { self.inline.get(..usize::from(self.len)).unwrap_or(&[]) } else { &self.all }
    }
}
