//! `doctor`: is everything in order?

use crate::context::{Context, Missing, StoreName};
use crate::failure::{Exit, Failure};
use crate::output::{Cell, Column, Style, Tone};
use crate::secrets;
use clap::Args;
use std::path::Path;
use tenantkit::clock::{Clock, SystemClock};
use tenantkit::policy::{DigestScheme, Reveal};
use tenantkit::store::sqlite::SqliteStore;
use tenantkit::store::{CheckLine, CheckState};

/// Check policy, secrets, store and clock; one line each, with the remedy. Exit 1 on any `fail`
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit doctor
  tenantkit doctor --json
  tenantkit doctor --reset-clock --yes      the system clock had jumped ahead and is right again
")]
pub(crate) struct Doctor {
    /// Set the store's highest instant back to the present: for a clock that had jumped ahead
    #[arg(long)]
    reset_clock: bool,
}

const COLUMNS: &[Column<CheckLine>] = &[
    Column::new("state", state),
    Column::new("check", |line, _| Cell::new(&line.what)),
    Column::new("found", |line, _| Cell::new(&line.message)),
];

/// Seconds by which the clock may be behind what the store has seen.
const SKEW_S: i64 = 5;

impl Doctor {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut lines = vec![policy(context)];
        lines.extend(secrets_needed(context));
        lines.extend(store(context, self.reset_clock)?);
        context.out.list(&lines, COLUMNS)?;
        let failed = lines.iter().filter(|line| line.state == CheckState::Fail).count();
        match failed {
            0 => Ok(Exit::Done),
            _ => {
                Err(Failure::new("unhealthy", format!("{failed} checks fail"))
                    .fix("each line names its remedy"))
            }
        }
    }
}

fn policy(context: &Context) -> CheckLine {
    match context.policy_or_fault() {
        Ok(policy) => {
            let source = match &context.global.policy {
                Some(path) => format!("`{}`", path.display()),
                None => "the built-in one".to_owned(),
            };
            CheckLine::new(CheckState::Ok, "policy", format!("`{}`, {source}", policy.name()))
        }
        Err(error) => {
            let first = error.to_string();
            let first = first.lines().next().unwrap_or_default().to_owned();
            let message = format!("{first}; `{} policy check` lists the faults", context.names.program);
            CheckLine::new(CheckState::Fail, "policy", message)
        }
    }
}

/// The secrets that the policy needs, and whether they can be read.
fn secrets_needed(context: &Context) -> Vec<CheckLine> {
    let Ok(policy) = context.policy_or_fault() else { return Vec::new() };
    let mut lines = Vec::new();
    if policy.credentials().digest == DigestScheme::HmacSha256 {
        lines.push(match secrets::digester(policy) {
            Ok(_) => CheckLine::new(CheckState::Ok, "pepper", "configured"),
            Err(failure) => CheckLine::new(CheckState::Fail, "pepper", failure.to_string()),
        });
    }
    if policy.kinds().iter().any(|kind| kind.reveal != Reveal::Never) {
        let name = secrets::SEAL_KEY;
        lines.push(match secrets::seal_key() {
            Ok(Some(_)) => CheckLine::new(CheckState::Ok, "seal key", "configured"),
            Ok(None) => CheckLine::new(
                CheckState::Fail,
                "seal key",
                format!("the policy needs one; set `{name}_FILE`"),
            ),
            Err(failure) => CheckLine::new(CheckState::Fail, "seal key", failure.to_string()),
        });
    }
    lines
}

fn store(context: &Context, reset_clock: bool) -> Result<Vec<CheckLine>, Failure> {
    let name = context.store_name()?;
    let StoreName::Sqlite(path) = name else {
        return Ok(vec![CheckLine::new(CheckState::Warn, "store", "in memory: it ends with each command")]);
    };
    if !path.exists() {
        return Ok(vec![not_there(&path, &context.names.program)]);
    }
    let mut lines = SqliteStore::check_file(&path);
    let opened = context.with_session(Missing::Refuse, |session| {
        lines.extend(session.authority.health());
        let mark = session.records.clock_mark(None).map_err(tenantkit::Error::from)?;
        let ahead_s = mark.micros_since(SystemClock.now()) / 1_000_000;
        if reset_clock && ahead_s > 0 {
            context.confirm("Set the store's highest instant back to the present?")?;
            session.records.reset_clock_mark(SystemClock.now()).map_err(tenantkit::Error::from)?;
            context.changed("the store's highest instant is the present again");
        } else if ahead_s > SKEW_S {
            let message = format!(
                "the store has seen an instant {ahead_s} s ahead; set the clock, or `doctor --reset-clock`"
            );
            lines.push(CheckLine::new(CheckState::Fail, "clock", message));
        } else {
            lines.push(CheckLine::new(CheckState::Ok, "clock", "not behind what the store has seen"));
        }
        Ok(Exit::Done)
    });
    if let Err(failure) = opened {
        if failure.is_usage() {
            return Err(failure);
        }
        lines.push(CheckLine::new(CheckState::Fail, "open", failure.to_string()));
    }
    // What was looked at before and after the opening is said once.
    let mut seen = std::collections::BTreeSet::new();
    lines.retain(|line| seen.insert((line.what.clone(), line.message.clone())));
    Ok(lines)
}

fn not_there(path: &Path, program: &str) -> CheckLine {
    let message = format!("`{}` is not there yet; `{program} keys create` makes it", path.display());
    CheckLine::new(CheckState::Warn, "store", message)
}

fn state(line: &CheckLine, _: &Style) -> Cell {
    match line.state {
        CheckState::Ok => Cell::new("ok").tone(Tone::Good),
        CheckState::Warn => Cell::new("warn").tone(Tone::Warn),
        CheckState::Fail => Cell::new("fail").tone(Tone::Bad),
    }
}
