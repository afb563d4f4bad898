//! From the text of a document to values that know where they stand: paths, spans, and errors that point at a line.

pub(crate) mod nearest;
pub(crate) mod path;
pub(crate) mod read;
pub(crate) mod source;

pub(crate) use path::At;
pub(crate) use source::{Place, Source};
