//! `keys import`: keys that exist elsewhere are taken over by their digests, and go on working.

mod csv_lines;
mod progress;

use crate::context::{Context, Missing, Session};
use crate::failure::{Exit, Failure};
use crate::output::bar::grouped;
use clap::{Args, ValueEnum};
use csv_lines::{CsvLines, Faults};
use progress::Progress;
use std::cell::Cell;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use tenantkit::key::digest::DigestEncoding;
use tenantkit::{ImportEvent, ImportOptions, ImportReport, RefusedLine};

/// Take over keys from elsewhere by the SHA-256 digests of their texts
///
/// One key a line: a JSON object, or a CSV row under a head line. `digest` and `name` are needed; `kind`,
/// `environment`, `org_id`, `user_id`, `role`, `permissions`, `plan`, `expires_at` and the other members of a new key
/// may follow, and `key_prefix`, `key_suffix`, `external_id`, `created_at`, `disabled`. In CSV, lists are separated by
/// spaces and labels are columns `label.NAME`.
///
/// Keys that are there already are passed over, so an import that was interrupted is simply run again; `--resume`
/// passes over the lines themselves that were done.
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit keys import keys.jsonl --digests hex --dry-run
  tenantkit keys import keys.csv --digests base64 --rejects rejected.jsonl
  export-keys | tenantkit keys import - --digests hex
")]
pub(crate) struct Import {
    /// The file; `-` is stdin
    #[arg(value_name = "FILE")]
    file: String,
    /// How the digests are written
    #[arg(long, value_name = "ENCODING", value_enum)]
    digests: Encoding,
    /// The form of the file; without it what its name ends with, else `jsonl`
    #[arg(long, value_name = "FORM", value_enum)]
    form: Option<Form>,
    /// Where lines that were not taken over are listed, with the reason; without it `FILE.rejects.jsonl`
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Go on behind the lines that an interrupted import has done
    #[arg(long)]
    resume: bool,
}

/// How digests are written.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Encoding {
    /// 64 hexadecimal digits
    Hex,
    /// 43 or 44 base64 characters
    Base64,
    /// 43 or 44 base64url characters
    Base64url,
}

/// The form of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values under a head line
    Csv,
}

impl Import {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let encoding = match self.digests {
            Encoding::Hex => DigestEncoding::Hex,
            Encoding::Base64 => DigestEncoding::Base64,
            Encoding::Base64url => DigestEncoding::Base64Url,
        };
        let read = Rc::new(Cell::new(0));
        let (source, size) = self.open()?;
        let faults = Faults::default();
        let source = BufReader::new(Counted { inner: source, read: Rc::clone(&read) });
        let mut lines: Box<dyn BufRead> = match self.form() {
            Form::Jsonl => Box::new(source),
            Form::Csv => Box::new(CsvLines::new(source, faults.clone())?),
        };
        let mark = Mark::beside(&self.file);
        let done = if self.resume { mark.read()? } else { 0 };
        if done > 0 {
            lines = without_first(lines, done).map_err(|e| self.unreadable(&e))?;
            context.out.note(format_args!("going on behind {} lines that were done", grouped(done)));
        }
        context.with_session(Missing::Make, |session| {
            let mut rejects = Rejects { path: self.rejects_path(), file: None, faults, failed: None };
            let mut progress = Progress::new(size, read, context.global.quiet);
            let on_event = |event: &ImportEvent| match event {
                ImportEvent::Refused(line) => rejects.add(line),
                ImportEvent::Progress(report) => {
                    progress.at(report);
                    if !context.global.dry_run {
                        mark.write(done + report.lines);
                    }
                }
                _ => {}
            };
            let result = import(context, session, lines, encoding, on_event);
            progress.end();
            let report = result.map_err(|error| {
                Failure::from(error).fix("run it again: keys that are there are passed over")
            })?;
            mark.remove();
            self.tell(context, &report, rejects)
        })
    }

    fn tell(&self, context: &Context, report: &ImportReport, rejects: Rejects) -> Result<Exit, Failure> {
        context.out.report(report, |_| {
            format!(
                "{} lines: {} keys taken over, {} there already, {} refused\n",
                grouped(report.lines),
                grouped(report.imported),
                grouped(report.present),
                grouped(report.refused)
            )
        })?;
        if let Some(failure) = rejects.failed {
            return Err(failure);
        }
        if report.refused == 0 {
            return Ok(Exit::Done);
        }
        let message = format!(
            "{} lines were refused; `{}` lists them with the reason",
            report.refused,
            rejects.path.display()
        );
        Err(Failure::new("partly_done", message)
            .fix("mend those lines and run it again: keys that are there are passed over"))
    }

    fn open(&self) -> Result<(Box<dyn Read>, Option<u64>), Failure> {
        if self.file == "-" {
            return Ok((Box::new(std::io::stdin()), None));
        }
        let file = File::open(&self.file).map_err(|e| self.unreadable(&e))?;
        let size = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|data| data.len());
        Ok((Box::new(file), size))
    }

    fn unreadable(&self, error: &std::io::Error) -> Failure {
        Failure::file("can't read", Path::new(&self.file), error)
    }

    fn form(&self) -> Form {
        let is_csv = || {
            Path::new(&self.file).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"))
        };
        self.form.unwrap_or_else(|| if is_csv() { Form::Csv } else { Form::Jsonl })
    }

    fn rejects_path(&self) -> PathBuf {
        let beside = || {
            if self.file == "-" { "rejects.jsonl".to_owned() } else { format!("{}.rejects.jsonl", self.file) }
        };
        self.rejects.clone().unwrap_or_else(|| beside().into())
    }
}

fn import(
    context: &Context,
    session: &Session,
    lines: Box<dyn BufRead>,
    encoding: DigestEncoding,
    on_event: impl FnMut(&ImportEvent),
) -> Result<ImportReport, tenantkit::Error> {
    let options = ImportOptions::sha256(encoding);
    session.authority.import_jsonl(&context.caller(), context.account(), lines, &options, on_event)
}

/// Replaces the first `count` lines that are not blank by blank ones, so that the others keep their numbers.
fn without_first(mut lines: Box<dyn BufRead>, count: u64) -> std::io::Result<Box<dyn BufRead>> {
    let (mut left, mut passed) = (count, 0);
    let mut line = Vec::new();
    while left > 0 && lines.read_until(b'\n', &mut line)? > 0 {
        passed += 1;
        left -= u64::from(!line.trim_ascii().is_empty());
        line.clear();
    }
    Ok(Box::new(BufReader::new(std::io::repeat(b'\n').take(passed)).chain(lines)))
}

/// Counts the bytes that pass.
struct Counted<R> {
    inner: R,
    read: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read.set(self.read.get() + count as u64);
        Ok(count)
    }
}

/// How far an import got, in a small file beside the source.
struct Mark(Option<PathBuf>);

impl Mark {
    fn beside(file: &str) -> Self {
        Self((file != "-").then(|| format!("{file}.progress").into()))
    }

    /// The lines that are done; 0 where nothing was begun.
    fn read(&self) -> Result<u64, Failure> {
        let Some(path) = &self.0 else {
            return Err(Failure::usage("`--resume` needs a file: stdin can't be begun again"));
        };
        match std::fs::read_to_string(path) {
            Ok(text) => text
                .trim()
                .parse()
                .map_err(|_| Failure::usage(format!("`{}` holds no number of lines", path.display()))),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(0),
            Err(e) => Err(Failure::file("can't read", path, &e)),
        }
    }

    /// Without the mark the next run reads all lines again, which is slower and no less right.
    fn write(&self, lines: u64) {
        if let Some(path) = &self.0 {
            let _ = std::fs::write(path, format!("{lines}\n"));
        }
    }

    fn remove(&self) {
        if let Some(path) = &self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The lines that were not taken over, written down as they come.
struct Rejects {
    path: PathBuf,
    file: Option<File>,
    faults: Faults,
    failed: Option<Failure>,
}

impl Rejects {
    fn add(&mut self, refused: &RefusedLine) {
        let reason = self.faults.take(refused.line).unwrap_or_else(|| refused.reason.clone());
        let line = serde_json::json!({ "line": refused.line, "reason": reason });
        if let Err(e) = self.open().and_then(|file| writeln!(file, "{line}")) {
            self.failed.get_or_insert_with(|| Failure::file("can't write", &self.path, &e));
        }
    }

    fn open(&mut self) -> std::io::Result<&mut File> {
        match &mut self.file {
            Some(file) => Ok(file),
            none => Ok(none.insert(File::create(&self.path)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_done_keep_their_places() {
        let text = "one\n\ntwo\nthree\n";
        let cases = [
            (0, "one\n\ntwo\nthree\n"),
            (1, "\n\ntwo\nthree\n"),
            (2, "\n\n\nthree\n"),
            (3, "\n\n\n\n"),
            (9, "\n\n\n\n"),
        ];
        for (done, expected) in cases {
            let mut left = String::new();
            without_first(Box::new(text.as_bytes()), done).unwrap().read_to_string(&mut left).unwrap();
            assert_eq!(left, expected, "{done}");
        }
    }
}
