//! `completions`: what a shell needs to complete commands.

use crate::cli;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use clap::Args;
use clap_complete::Shell;

/// Print the completions for a shell
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit completions bash > /etc/bash_completion.d/tenantkit
  tenantkit completions zsh > ~/.zfunc/_tenantkit
  tenantkit completions fish > ~/.config/fish/completions/tenantkit.fish
")]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut command = cli::command(&context.names);
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, &*context.names.program, &mut script);
        context.out.data(script)?;
        Ok(Exit::Done)
    }
}
