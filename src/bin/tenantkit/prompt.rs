//! Asking before something is ended.

use crate::failure::Failure;
use crate::output::say;
use std::io::{BufRead, IsTerminal};

/// Asks on the terminal.
///
/// # Errors
/// Without a terminal nobody can be asked: exit status 2. An answer that is not yes is a failure too, so that a script
/// does not go on as if the thing had been done.
pub(crate) fn confirm(question: &str) -> Result<(), Failure> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() || !std::io::stderr().is_terminal() {
        let message = format!("{question} There is no terminal to ask on; nothing was changed");
        return Err(Failure::usage(message)
            .code("confirmation_needed")
            .fix("add `--yes` to go ahead without being asked"));
    }
    say(&format!("{question} [y/N] "));
    let mut answer = String::new();
    let read = stdin.lock().read_line(&mut answer);
    if read.is_ok() && ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()) {
        return Ok(());
    }
    Err(Failure::new("not_confirmed", "not confirmed; nothing was changed"))
}
