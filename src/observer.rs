//! What a host may be told as it happens.

use crate::decision::{Decision, Denial};
use crate::error::Error;

/// Hears of decisions, changes and failures.
///
/// # Contract
/// Called on the caller's thread with no lock held, after the decision or change stands. It must not block for long: the
/// caller waits for it. A panic is the host's own.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn observe(&self, event: &Event<'_>);
}

/// One thing that happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A request was judged.
    Decided {
        /// The operation's name, as the host gave it.
        operation: &'a str,
        /// The host's request id, if it gave one.
        request_id: Option<&'a str>,
        /// The answer.
        decision: &'a Decision,
    },
    /// A request could not be judged.
    Failed {
        /// The operation's name.
        operation: &'a str,
        /// Why.
        error: &'a Error,
    },
    /// A management call changed something.
    Changed {
        /// Who.
        actor: &'a str,
        /// What, such as `key.revoke`.
        act: &'a str,
        /// To what.
        object: &'a str,
    },
    /// A key in use is being replaced: traffic still comes on the old one.
    StillOnOldKey {
        /// The refused or allowed answer concerned.
        denial: Option<&'a Denial>,
        /// The old key.
        key_id: crate::key::id::KeyId,
    },
}

impl<F: Fn(&Event<'_>) + Send + Sync> Observer for F {
    fn observe(&self, event: &Event<'_>) {
        self(event);
    }
}
