//! The policy: a product's whole key system as data. TOML in, validated once, immutable.
//!
//! [`Policy::parse`] reads a document, checks it against itself and gives the compiled [`Policy`], or *all* its faults
//! with line, column, what is allowed and what was probably meant. Nothing that is written is ignored: an unknown field,
//! or a limit that no call could ever meet, is a fault (INV-35).
//!
//! In reading order: [`model`] is what the rest of the library reads; [`knobs`] are the words a document chooses
//! between; `document` is the text's own shape; `compile` turns it into the model; `text` knows where things stand.

mod builtin;
mod compile;
mod document;
mod error;
pub mod knobs;
pub mod model;
mod text;

pub use builtin::BUILTIN_POLICY;
#[cfg(feature = "schema")]
pub use document::json_schema;
pub use error::{MAX_ERRORS, PolicyError, PolicyErrors};
pub use knobs::*;
pub use model::{
    Cost, Dimension, Filter, Kind, LimitDef, LimitMode, Operation, Policy, RateDef, ResourceCount, Threshold,
};
pub(crate) use text::nearest::nearest;

use crate::error::{Error, ErrorKind};
use std::io::Read;
use std::path::Path;
use text::source::MAX_POLICY_BYTES;

impl Policy {
    /// Reads a policy document.
    ///
    /// ```
    /// use tenantkit::policy::Policy;
    ///
    /// let faults = Policy::parse("name = 'acme'\n[kinds.key]\nnativ = 'ak'\n").unwrap_err();
    /// let first = faults.iter().next().unwrap();
    /// assert_eq!((first.line(), first.suggestion()), (2, None));
    /// assert!(faults.iter().any(|fault| fault.suggestion() == Some("native")));
    /// ```
    ///
    /// # Errors
    /// Every fault of the document, at most [`MAX_ERRORS`] of them.
    pub fn parse(text: &str) -> Result<Self, PolicyErrors> {
        compile::compile(text)
    }

    /// Reads a policy document from a file.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPolicy`]: the file can't be read, is not UTF-8, or has faults; those are its
    /// [`source`](std::error::Error::source), a [`PolicyErrors`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let text = read_file(path).map_err(|e| {
            let detail = format!("`{}`: {e}", path.display());
            Error::new(ErrorKind::InvalidPolicy, "the policy file can't be read")
                .with_detail(detail)
                .with_source(e)
        })?;
        Self::parse(&text).map_err(|faults| faults.in_file(path).into())
    }
}

/// Reads no more of a file than a policy may have, so that a wrong path does not fill the memory.
fn read_file(path: &Path) -> std::io::Result<String> {
    let most = u64::try_from(MAX_POLICY_BYTES).unwrap_or(u64::MAX);
    let mut text = String::new();
    std::fs::File::open(path)?.take(most.saturating_add(1)).read_to_string(&mut text)?;
    Ok(text)
}
