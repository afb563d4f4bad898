//! Where random bytes come from: any [`rand_core::TryCryptoRng`], by default the operating system's own source, asked
//! anew for each secret. There is no user-space generator, so nothing is repeated after a fork or a machine snapshot.

use crate::error::{Error, ErrorKind};
use rand_core::TryCryptoRng;

/// A source of cryptographic randomness that may be shared between threads.
///
/// Blanket-implemented for shared functions; use [`OsEntropy`] outside tests and [`FixedEntropy`] in them.
pub trait Entropy: Send + Sync {
    /// Fills `buffer` with random bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Entropy`] when the source fails; nothing may then be issued.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Error>;
}

/// The operating system's random source.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Error> {
        fill_from(&mut getrandom::SysRng, buffer)
    }
}

/// Any `rand_core` generator behind a lock: a seeded one makes tests and vectors repeatable.
#[derive(Debug)]
pub struct FixedEntropy<R>(parking_lot::Mutex<R>);

impl<R: TryCryptoRng> FixedEntropy<R> {
    /// Wraps `rng`, which must be cryptographically secure wherever real keys are made.
    pub fn new(rng: R) -> Self {
        Self(parking_lot::Mutex::new(rng))
    }
}

impl<R: TryCryptoRng + Send> Entropy for FixedEntropy<R> {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), Error> {
        fill_from(&mut *self.0.lock(), buffer)
    }
}

fn fill_from<R: TryCryptoRng + ?Sized>(rng: &mut R, buffer: &mut [u8]) -> Result<(), Error> {
    rng.try_fill_bytes(buffer).map_err(|e| {
        Error::new(ErrorKind::Entropy, "the random source failed; no secret was made")
            .with_detail(e.to_string())
    })
}
