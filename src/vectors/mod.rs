//! Test vectors: scenarios and cases as JSON files, and the strict runner that holds this library to them.
//!
//! The files lie in `tests/vectors/` and are the same for every language; their form is described there. A scenario
//! runs its steps in order against a fresh store, on a clock that only it moves; a case file checks one pure rule. The
//! runner is strict: an unknown member, an unknown expectation or a step without one fails.
//!
//! [`run`] is what `tenantkit vectors run` and the test suite call. What is true of every step is checked on the way,
//! without any file saying so: no answer holds the text of a key (INV-43).

mod answer;
mod compare;
mod decide;
mod document;
mod manage;
mod report;
mod rules;
mod usage;
mod world;

pub use report::{Failure, Report};

use crate::authority::Mode;
use crate::error::{Error, ErrorKind};
use document::{Content, Document};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where the vectors run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// The store.
    pub store: Store,
    /// Whether records are cached.
    pub mode: Mode,
}

/// A store to run vectors on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Store {
    /// In memory.
    #[default]
    Memory,
    /// A SQLite database in a folder of its own, removed afterwards.
    #[cfg(feature = "sqlite")]
    Sqlite,
}

/// Files that are checked at once.
const THREADS: usize = 4;

/// Runs every vector below `paths`, files and folders alike, in the order of their names.
///
/// # Errors
/// A path that can't be read, or no vector at all. What a vector finds wrong is in the report.
pub fn run<P: AsRef<Path>>(paths: &[P], setup: Setup) -> Result<Report, Error> {
    let mut files = Vec::new();
    for path in paths {
        collect(path.as_ref(), &mut files)?;
    }
    files.sort();
    files.dedup();
    if files.is_empty() {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "there is no vector here; name files or folders of `.json`",
        ));
    }
    let mut report = Report::default();
    for (file, checked) in files.iter().zip(check_all(&files, setup)) {
        match checked {
            Ok(passed) => report.passed(passed),
            Err(failures) => report.failed(file, failures),
        }
    }
    Ok(report)
}

/// Checks files at once, as most of their time is spent waiting for a disk; in the order of the files.
fn check_all(files: &[PathBuf], setup: Setup) -> Vec<Result<usize, Vec<Problem>>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut checked = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = files.get(index) else { return checked };
            checked.push((index, check(file, setup)));
        }
    };
    let checked: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
    });
    // A thread that panicked takes its results with it, and the run must not pass without them.
    let mut results: Vec<_> =
        files.iter().map(|_| Err(vec![Problem::of_file("panicked".to_owned())])).collect();
    for (index, result) in checked {
        if let Some(slot) = results.get_mut(index) {
            *slot = result;
        }
    }
    results
}

/// The rows that the vectors below `paths` name, each once, in order.
///
/// # Errors
/// A path or file that can't be read.
pub fn rows<P: AsRef<Path>>(paths: &[P]) -> Result<Vec<String>, Error> {
    let mut files = Vec::new();
    for path in paths {
        collect(path.as_ref(), &mut files)?;
    }
    let mut rows = Vec::new();
    for file in files {
        rows.extend(Document::read(&file).map_err(unreadable)?.rows);
    }
    rows.sort();
    rows.dedup();
    Ok(rows)
}

/// Checks one file: how many vectors it holds, a case counting as one, or what is wrong.
fn check(file: &Path, setup: Setup) -> Result<usize, Vec<Problem>> {
    let document = Document::read(file).map_err(|what| vec![Problem::of_file(what)])?;
    match &document.content {
        Content::Scenario(scenario) => {
            let mut world =
                world::World::new(file, scenario, setup).map_err(|what| vec![Problem::of_file(what)])?;
            for (index, step) in scenario.steps.iter().enumerate() {
                let problems = world.run(step);
                if !problems.is_empty() {
                    // What follows a wrong step says nothing.
                    return Err(problems
                        .into_iter()
                        .map(|what| Problem::of_step(index, &step.verb, what))
                        .collect());
                }
            }
            Ok(1)
        }
        Content::Cases { rule, cases } => {
            let problems: Vec<Problem> = cases
                .iter()
                .enumerate()
                .flat_map(|(index, case)| {
                    rules::check(rule, case).into_iter().map(move |what| Problem::of_step(index, rule, what))
                })
                .collect();
            if problems.is_empty() { Ok(cases.len()) } else { Err(problems) }
        }
    }
}

/// What is wrong, and where in its file.
struct Problem {
    step: Option<(usize, String)>,
    what: String,
}

impl Problem {
    fn of_file(what: String) -> Self {
        Self { step: None, what }
    }

    fn of_step(index: usize, verb: &str, what: String) -> Self {
        Self { step: Some((index, verb.to_owned())), what }
    }
}

/// The `.json` files at or below `path`.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let fail = |e: std::io::Error| unreadable(format!("{}: {e}", path.display()));
    if !path.is_dir() {
        std::fs::metadata(path).map_err(fail)?;
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path).map_err(fail)? {
        let inner = entry.map_err(fail)?.path();
        if inner.is_dir() || inner.extension().is_some_and(|extension| extension == "json") {
            collect(&inner, files)?;
        }
    }
    Ok(())
}

fn unreadable(what: String) -> Error {
    Error::new(ErrorKind::InvalidArgument, "a vector can't be read").with_detail(what)
}
