//! Why a store could not answer.

use crate::error::{Error, ErrorKind};
use std::fmt;

/// A store's failure. Never to be read as "no such row".
pub struct StoreError {
    kind: StoreErrorKind,
    context: String,
}

/// The class of a [`StoreError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// It does not answer.
    Unavailable,
    /// It did not answer in time. For a write use [`Self::OutcomeUnknown`] unless nothing was sent.
    Timeout,
    /// A row cannot be read or breaks a constraint.
    Corrupt,
    /// The schema is newer than this library, or foreign.
    Schema,
    /// A setting or file system does not keep the promises.
    Unsafe,
    /// The write may have happened.
    OutcomeUnknown,
    /// Too many calls are waiting.
    Overloaded,
    /// The store was opened before this process was forked.
    Forked,
    /// The store is closed.
    Closed,
    /// A custom store broke its contract.
    Callback,
    /// A value is over its stated size.
    TooLarge,
}

impl StoreError {
    /// A failure of `kind`; `context` is for operators and holds no secret.
    pub fn new(kind: StoreErrorKind, context: impl Into<String>) -> Self {
        Self { kind, context: context.into() }
    }

    /// The class of the failure.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.context)
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreError({:?}, {:?})", self.kind, self.context)
    }
}

impl std::error::Error for StoreError {}

impl From<StoreError> for Error {
    /// The public text is fixed by the kind; what the store said stays in the source.
    fn from(error: StoreError) -> Self {
        let (kind, text) = match error.kind {
            StoreErrorKind::Unavailable => {
                (ErrorKind::StoreUnavailable, "the store does not answer; try again")
            }
            StoreErrorKind::Timeout => {
                (ErrorKind::StoreTimeout, "the store did not answer in time; try again")
            }
            StoreErrorKind::Corrupt => {
                (ErrorKind::StoreCorrupt, "a stored row is damaged; run `tenantkit doctor`")
            }
            StoreErrorKind::Schema => (
                ErrorKind::StoreSchema,
                "the store's schema does not fit this version; run `tenantkit doctor`",
            ),
            StoreErrorKind::Unsafe => (
                ErrorKind::StoreUnsafe,
                "the store's settings do not keep the promises; run `tenantkit doctor`",
            ),
            StoreErrorKind::OutcomeUnknown => (
                ErrorKind::OutcomeUnknown,
                "the change may have been applied; repeat it with the same operation id",
            ),
            StoreErrorKind::Overloaded => {
                (ErrorKind::Overloaded, "too many calls wait for the store; try again")
            }
            StoreErrorKind::Forked => (
                ErrorKind::Forked,
                "the store was opened before this process was forked; open it in the child",
            ),
            StoreErrorKind::Closed => (ErrorKind::Closed, "the store is closed; open it again"),
            StoreErrorKind::Callback => (ErrorKind::StoreCallback, "the custom store broke its contract"),
            StoreErrorKind::TooLarge => {
                (ErrorKind::InvalidArgument, "a value is larger than the store keeps")
            }
        };
        Self::new(kind, text).with_source(error)
    }
}
