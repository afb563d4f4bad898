//! Units that are held while the service works, and what becomes of them.

use super::runtime::{Runtime, offload};
use crate::authority::Reservation;
use std::sync::Arc;

/// Units of a call whose end decides whether they count.
pub(super) struct Settlement {
    reservation: Option<Reservation>,
    runtime: Arc<dyn Runtime>,
    otherwise: Outcome,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Its units count.
    Counts,
    /// They are given back.
    GivenBack,
}

impl Settlement {
    /// `otherwise` is what happens when nobody says how the call ended, as when the client goes away.
    pub(super) fn new(reservation: Reservation, runtime: &Arc<dyn Runtime>, otherwise: Outcome) -> Self {
        Self { reservation: Some(reservation), runtime: Arc::clone(runtime), otherwise }
    }

    /// Settles, and waits until the count is right.
    pub(super) async fn settle(mut self, outcome: Outcome) {
        if let Some(reservation) = self.reservation.take()
            && let Err(error) = offload(&*self.runtime, move || end(reservation, outcome)).await
        {
            tracing::warn!(error = ?error, "held units could not be settled; they stay charged");
        }
    }

    /// Settles in the background, once.
    pub(super) fn settle_later(&mut self, outcome: Outcome) {
        if let Some(reservation) = self.reservation.take() {
            // Settling may ask the store, which a task must not wait for.
            self.runtime.run_blocking(Box::new(move || end(reservation, outcome)));
        }
    }
}

impl Drop for Settlement {
    fn drop(&mut self) {
        self.settle_later(self.otherwise);
    }
}

fn end(reservation: Reservation, outcome: Outcome) {
    let settled = match outcome {
        Outcome::Counts => reservation.commit_all(),
        Outcome::GivenBack => reservation.release(),
    };
    if let Err(error) = settled {
        // Right in this process; the store is told again by the next maintenance.
        tracing::warn!(error = ?error, "the store was not told how a call ended");
    }
}
