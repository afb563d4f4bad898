//! How far an import is: a bar on a terminal, else a line every few seconds.

use crate::output::bar::grouped;
use crate::output::say;
use indicatif::{ProgressBar, ProgressStyle};
use std::cell::Cell;
use std::io::IsTerminal;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tenantkit::ImportReport;

/// Between two lines where there is no terminal.
const PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Progress {
    way: Way,
    read: Rc<Cell<u64>>,
}

enum Way {
    Bar(ProgressBar),
    Lines { last: Instant },
    Silent,
}

impl Progress {
    /// For a source of `size` bytes, of which `read` have been read.
    pub(super) fn new(size: Option<u64>, read: Rc<Cell<u64>>, quiet: bool) -> Self {
        let way = if quiet {
            Way::Silent
        } else if std::io::stderr().is_terminal() {
            let bar = size.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
            let form = if size.is_some() { "[{bar:30}] {percent} % {msg}" } else { "{spinner} {msg}" };
            if let Ok(style) = ProgressStyle::with_template(form) {
                bar.set_style(style.progress_chars("#>-"));
            }
            Way::Bar(bar)
        } else {
            Way::Lines { last: Instant::now() }
        };
        Self { way, read }
    }

    pub(super) fn at(&mut self, report: &ImportReport) {
        let words = || {
            format!(
                "{} lines read, {} keys taken over, {} refused",
                grouped(report.lines),
                grouped(report.imported),
                grouped(report.refused)
            )
        };
        match &mut self.way {
            Way::Bar(bar) => {
                bar.set_position(self.read.get());
                bar.set_message(words());
            }
            Way::Lines { last } if last.elapsed() >= PAUSE => {
                *last = Instant::now();
                say(&format!("{}\n", words()));
            }
            Way::Lines { .. } | Way::Silent => {}
        }
    }

    pub(super) fn end(&self) {
        if let Way::Bar(bar) = &self.way {
            bar.finish_and_clear();
        }
    }
}
