//! `audit`: the account's trail, read and verified.

use crate::context::{Context, Missing};
use crate::failure::{Exit, Failure};
use crate::output::{Cell, Column, Tone};
use clap::{Args, Subcommand};
use serde::Serialize;
use tenantkit::Timestamp;
use tenantkit::audit::{AuditEntry, ChainHash, ChainHead};

/// Read and verify the audit trail of the account
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    List(List),
    Verify(Verify),
    Head(Head),
}

/// List what was done and refused
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit audit list
  tenantkit audit list --last 20
  tenantkit audit list --act key.revoke --output jsonl
")]
pub(crate) struct List {
    /// From this number on; the first is 1
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    from: u64,
    /// Only the last so many
    #[arg(long, value_name = "COUNT", conflicts_with = "from")]
    last: Option<u64>,
    /// At most so many; without it all
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
    /// Only this act, such as `key.revoke`
    #[arg(long)]
    act: Option<String>,
    /// Only what concerns this key id or tenant
    #[arg(long)]
    object: Option<String>,
}

/// Check that nothing of the trail was changed, left out or, with a head kept elsewhere, cut off
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit audit verify
  tenantkit audit verify --head 1042:9f2c...
")]
pub(crate) struct Verify {
    /// A head that was kept elsewhere, as `audit head` printed it
    #[arg(long, value_name = "NUMBER:HASH", value_parser = parse_head)]
    head: Option<ChainHead>,
}

/// Print how far the trail goes: keep it elsewhere, so that a cut tail shows
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit audit head >> /mnt/elsewhere/heads
")]
pub(crate) struct Head {}

/// What a program gets of a verification.
#[derive(Serialize)]
struct Verdict {
    whole: bool,
    entries: u64,
    /// The number of the first entry that is not as it should be.
    broken_at: Option<u64>,
    why: Option<String>,
}

/// An entry with its instant and details as programs read them.
#[derive(Serialize)]
struct Line {
    number: u64,
    #[serde(serialize_with = "as_text")]
    at: Timestamp,
    actor: Box<str>,
    act: Box<str>,
    object: Box<str>,
    tenant: Box<str>,
    outcome: Box<str>,
    operation_id: Box<str>,
    details: serde_json::Value,
    previous: ChainHash,
    hash: ChainHash,
}

const COLUMNS: &[Column<Line>] = &[
    Column::new("number", |line, _| Cell::new(line.number.to_string())),
    Column::new("at", |line, style| Cell::instant(Some(line.at), style)),
    Column::new("actor", |line, _| Cell::new(&line.actor)),
    Column::new("act", |line, _| Cell::new(&line.act)),
    Column::new("object", |line, _| Cell::new(&line.object)),
    Column::new("tenant", |line, _| Cell::option(Some(&line.tenant).filter(|text| !text.is_empty()))),
    Column::new("outcome", |line, _| {
        Cell::new(&line.outcome).tone(if &*line.outcome == "ok" { Tone::Good } else { Tone::Warn })
    }),
    Column::new("details", |line, _| {
        Cell::option(
            line.details.as_object().filter(|details| !details.is_empty()).map(|_| line.details.to_string()),
        )
    }),
    Column::detail("operation id", |line, _| Cell::new(&line.operation_id)),
    Column::detail("hash", |line, _| Cell::new(line.hash.to_string())),
];

fn as_text<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

impl From<AuditEntry> for Line {
    fn from(entry: AuditEntry) -> Self {
        let AuditEntry { number, previous, draft, hash } = entry;
        Self {
            number,
            at: draft.at,
            actor: draft.actor,
            act: draft.act,
            object: draft.object,
            tenant: draft.tenant,
            outcome: draft.outcome,
            operation_id: draft.operation_id,
            details: serde_json::from_str(&draft.details).unwrap_or_default(),
            previous,
            hash,
        }
    }
}

impl Audit {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::List(command) => command.run(context),
            Self::Verify(command) => command.run(context),
            Self::Head(command) => command.run(context),
        }
    }
}

impl List {
    fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_session(Missing::Refuse, |session| {
            let (caller, account) = (context.caller(), context.account());
            let mut from = self.from;
            if let Some(last) = self.last {
                let head = session.authority.audit_head(&caller, account)?;
                from = head.map_or(1, |head| head.number.saturating_sub(last) + 1);
            }
            let limit = self.limit.unwrap_or(usize::MAX);
            let mut entries: Vec<Line> = Vec::new();
            loop {
                let page = session.authority.audit(&caller, account, from, 1_000)?;
                let Some(end) = page.last() else { break };
                from = end.number + 1;
                entries.extend(page.into_iter().filter(|entry| self.wants(entry)).map(Line::from));
                if entries.len() >= limit {
                    entries.truncate(limit);
                    break;
                }
            }
            if entries.is_empty() {
                context.out.note(format_args!("no entries that match in account `{account}`"));
            }
            context.out.list(&entries, COLUMNS)?;
            Ok(Exit::Done)
        })
    }

    fn wants(&self, entry: &AuditEntry) -> bool {
        let is = |wanted: &Option<String>, text: &str| wanted.as_deref().is_none_or(|wanted| wanted == text);
        is(&self.act, &entry.draft.act) && is(&self.object, &entry.draft.object)
    }
}

impl Verify {
    fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_session(Missing::Refuse, |session| {
            let verified = session.authority.audit_verify(&context.caller(), context.account(), self.head)?;
            let verdict = match &verified {
                Ok(verified) => Verdict {
                    whole: true,
                    entries: verified.head.map_or(0, |head| head.number),
                    broken_at: None,
                    why: None,
                },
                Err(broken) => Verdict {
                    whole: false,
                    entries: broken.at.saturating_sub(1),
                    broken_at: Some(broken.at),
                    why: Some(broken.why.to_string()),
                },
            };
            let words = |_: &_| match self.head {
                _ if !verdict.whole => String::new(),
                Some(head) => format!(
                    "whole: {} entries, through the head {} that was kept\n",
                    verdict.entries, head.number
                ),
                None => format!(
                    "whole: {} entries; a cut tail shows only against a head that was kept elsewhere\n",
                    verdict.entries
                ),
            };
            context.out.report(&verdict, words)?;
            match verified {
                Ok(_) => Ok(Exit::Done),
                Err(broken) => Err(Failure::new("audit_broken", broken.to_string())
                    .fix("keep the database as it is, and compare it with a backup from before")),
            }
        })
    }
}

impl Head {
    fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_session(Missing::Refuse, |session| {
            match session.authority.audit_head(&context.caller(), context.account())? {
                Some(head) => context.out.report(&head, |_| format!("{}:{}\n", head.number, head.hash))?,
                None => context.out.note(format_args!("account `{}` has no trail yet", context.account())),
            }
            Ok(Exit::Done)
        })
    }
}

fn parse_head(text: &str) -> Result<ChainHead, String> {
    let parts =
        text.split_once(':').and_then(|(number, hash)| Some((number.parse().ok()?, ChainHash::parse(hash)?)));
    let (number, hash) =
        parts.ok_or("a head is `NUMBER:HASH` with 64 lower-case hex digits, as `audit head` printed it")?;
    Ok(ChainHead { number, hash })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_was_printed() {
        let hash = "ab".repeat(32);
        let head = parse_head(&format!("7:{hash}")).unwrap();
        assert_eq!(format!("{}:{}", head.number, head.hash), format!("7:{hash}"));
        for wrong in ["", "7", &hash, "x:ab", &format!("7:{}", hash.to_uppercase())] {
            assert!(parse_head(wrong).is_err(), "{wrong}");
        }
    }
}
