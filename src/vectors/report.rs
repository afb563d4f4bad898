//! What a run found.

use super::Problem;
use std::fmt;
use std::path::{Path, PathBuf};

/// What a run found, in the order of the files.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// How many vectors hold: scenarios, and cases of pure rules.
    pub passed: usize,
    /// What does not.
    pub failures: Vec<Failure>,
}

/// One thing that does not hold.
#[derive(Debug)]
#[non_exhaustive]
pub struct Failure {
    /// The vector.
    pub file: PathBuf,
    /// The number of the step or case, from 0, with its verb or rule; `None` where the file itself is wrong.
    pub step: Option<(usize, String)>,
    /// What was expected and what came.
    pub what: String,
}

impl Report {
    /// Whether everything holds.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.failures.is_empty()
    }

    pub(super) fn passed(&mut self, vectors: usize) {
        self.passed += vectors;
    }

    pub(super) fn failed(&mut self, file: &Path, problems: Vec<Problem>) {
        let failure =
            |problem: Problem| Failure { file: file.to_owned(), step: problem.step, what: problem.what };
        self.failures.extend(problems.into_iter().map(failure));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in &self.failures {
            writeln!(f, "{failure}")?;
        }
        write!(f, "{} passed, {} failed", self.passed, self.failures.len())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file.display())?;
        if let Some((index, verb)) = &self.step {
            write!(f, "[{index}] {verb}: ")?;
        }
        f.write_str(&self.what)
    }
}
