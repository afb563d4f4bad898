//! Says what happens, and checks it.

use super::Checked;
use super::client::Answer;
use tenantkit::UsageLine;

/// Cells of a usage bar.
const CELLS: usize = 25;

/// The steps so far.
#[derive(Default)]
pub(crate) struct Story {
    chapters: usize,
    steps: usize,
}

impl Story {
    pub(crate) fn chapter(&mut self, title: &str) {
        self.chapters += 1;
        println!("\n{}. {title}", self.chapters);
    }

    /// How many steps were checked.
    pub(crate) fn steps(&self) -> usize {
        self.steps
    }

    /// A step that holds, or does not.
    pub(crate) fn step(&mut self, holds: bool, text: &str) -> Checked<()> {
        if !holds {
            return Err(text.to_owned());
        }
        self.steps += 1;
        println!("  ok       {text}");
        Ok(())
    }

    /// An answer that has to have this status.
    pub(crate) fn status(&mut self, answer: &Answer, status: u16, text: &str) -> Checked<()> {
        if answer.status != status {
            let (got, body) = (answer.status, &answer.body);
            return Err(format!("{text}\n  expected {status}, got {got}: {body}"));
        }
        self.steps += 1;
        let code = answer.code().map_or(String::new(), |code| format!(": {code}"));
        println!("  {status}      {text}{code}");
        Ok(())
    }

    /// A refusal that has to have this status and code.
    pub(crate) fn refusal(&mut self, answer: &Answer, status: u16, code: &str, text: &str) -> Checked<()> {
        match answer.code() {
            Some(given) if given == code => self.status(answer, status, text),
            given => {
                let body = &answer.body;
                Err(format!("{text}\n  expected the code `{code}`, got {given:?}: {body}"))
            }
        }
    }

    /// A limit that has to be used up to this percentage and be in this state.
    pub(crate) fn bar(&mut self, line: &UsageLine, percent: u16, state: &str) -> Checked<()> {
        let included = line.included.unwrap_or_default();
        let shown = format!("{} of {included} {}", line.count, line.limit);
        if line.percent != Some(percent) || &*line.state != state {
            let (got, got_state) = (line.percent, &line.state);
            return Err(format!("{shown}: expected {percent} % {state}, got {got:?} {got_state}"));
        }
        self.steps += 1;
        let full = (usize::from(percent) * CELLS / 100).min(CELLS);
        println!(
            "  usage    [{}{}] {percent:3} %  {shown}  {state}",
            "#".repeat(full),
            "-".repeat(CELLS - full)
        );
        Ok(())
    }
}
