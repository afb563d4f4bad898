//! `demo`.

use crate::context::Context;
use crate::failure::{Exit, Failure};
use clap::Args;

/// The whole of it in a second
#[derive(Clone, Debug, Args)]
pub(crate) struct Demo {}

impl Demo {
    pub(crate) fn run(self, _: &Context) -> Result<Exit, Failure> {
        Ok(Exit::Done)
    }
}
