//! `explain`: why a request would be decided as it would, step by step. Nothing is charged.

use super::view::acts_for;
use super::{KeyOption, Target};
use crate::commands::check::Facts;
use crate::commands::check::given::Given;
use crate::context::{Context, Missing, Session};
use crate::failure::{Exit, Failure, remedy};
use crate::output::bar::Gauge;
use crate::output::{Style, inert};
use crate::secrets;
use clap::Args;
use serde::Serialize;
use std::fmt::Write;
use tenantkit::key::digest::Digester;
use tenantkit::tenant::Level;
use tenantkit::{ExplainedStep, Explanation, KeyView, Policy, StepOutcome};

/// Explain, step by step, what would become of a request with a key: exit 0 if it would be allowed, 3 if not
///
/// Nothing is charged or created. The key is named by its id, or read from stdin or a file.
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit keys explain key_01jz8m0c4qf9r8x7s6t5v4w3y2 request --org o1 --user u1
  tenantkit policy explain key_01jz8m0c4qf9r8x7s6t5v4w3y2 flows.write
  tenantkit keys explain --key - < ci.key
")]
pub(crate) struct Explain {
    /// The key's public id
    #[arg(value_name = "KEY_ID", required_unless_present = "key")]
    key_id: Option<String>,
    /// The operation, as the policy names it; without it the first that the key may call
    #[arg(value_name = "OPERATION")]
    operation: Option<String>,
    /// Where the key is: `-` is stdin, anything else a file; an operation then stands in place of the id
    #[arg(long, value_name = "FILE")]
    key: Option<String>,
    #[command(flatten)]
    facts: Facts,
}

/// What a program gets.
#[derive(Serialize)]
struct Explained<'a> {
    key_id: String,
    operation: &'a str,
    /// Preset and bindings of the key.
    acts_for: String,
    #[serde(flatten)]
    explanation: &'a Explanation,
    /// What would change the answer.
    fix: Option<String>,
}

impl Explain {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_session(Missing::Refuse, |session| {
            let (target, operation) = self.target(context, session)?;
            let caller = context.caller();
            let view = session.authority.key(&caller, &target.account, &target.id)?;
            let operation = match operation {
                Some(name) => name.to_owned(),
                None => usual_operation(&session.policy, &view)?,
            };
            let given = Given::of_operation(&operation, &self.facts, context);
            let explanation = given.with_request(&session.policy, context, |request| {
                session.authority.explain(&caller, &target.account, &target.id, request)
            })?;
            let fix = explanation.code.and_then(|code| remedy(code.name(), &context.names));
            let explained = Explained {
                key_id: target.id.to_string(),
                operation: &operation,
                acts_for: acts_for(&view),
                explanation: &explanation,
                fix,
            };
            context.out.report(&explained, |style| in_words(&explained, &view, style))?;
            Ok(if explanation.allowed { Exit::Done } else { Exit::Denied })
        })
    }

    /// The key and the operation: with `--key` the first word is the operation.
    fn target(&self, context: &Context, session: &Session) -> Result<(Target, Option<&str>), Failure> {
        if let Some(source) = &self.key {
            if self.operation.is_some() {
                return Err(Failure::usage("give the key by its id or with `--key`, not both"));
            }
            return Ok((by_text(source, context, session)?, self.key_id.as_deref()));
        }
        let id = self.key_id.clone().unwrap_or_default();
        Ok((KeyOption::named(id).target(context, session)?, self.operation.as_deref()))
    }
}

/// Finds a key by its text.
fn by_text(source: &str, context: &Context, session: &Session) -> Result<Target, Failure> {
    let none = || Failure::from(tenantkit::Error::refused(tenantkit::Code::InvalidKey));
    let key = secrets::api_key(Some(source), &context.names.key_env)?.ok_or_else(none)?;
    let digester = secrets::digester(&session.policy)?.unwrap_or_else(Digester::sha256);
    let candidates: Vec<_> = secrets::with_text(&key, |text| digester.candidates(text.as_bytes()).collect());
    for (scheme, digest) in candidates {
        let stored = session.records.key_by_digest(&digest).map_err(tenantkit::Error::from)?;
        if let Some(stored) =
            stored.filter(|stored| stored.record.digest == digest && stored.record.scheme == scheme)
        {
            return Ok(Target {
                account: stored.record.account_id.as_str().to_owned(),
                id: stored.record.id,
            });
        }
    }
    Err(none())
}

/// The first operation that keys of this kind may call, of the level with most to resolve.
fn usual_operation(policy: &Policy, view: &KeyView) -> Result<String, Failure> {
    let bit = policy.kind(&view.kind).map_or(0, |kind| kind.bit());
    let callable =
        |level: Level| policy.operations().iter().find(move |o| o.level == level && o.kinds & bit != 0);
    let found = [Level::User, Level::Org, Level::Account].into_iter().find_map(callable);
    found.map(|operation| operation.name.to_string()).ok_or_else(|| {
        Failure::usage(format!("keys of kind `{}` may call no operation of the policy; name one", view.kind))
    })
}

fn in_words(explained: &Explained<'_>, view: &KeyView, style: &Style) -> String {
    let explanation = explained.explanation;
    let mut text = String::new();
    let _ =
        writeln!(text, "`{}` with key `{}` ({})", explained.operation, inert(&view.name), explained.key_id);
    for ExplainedStep { step, outcome, .. } in &explanation.steps {
        let words = match outcome {
            StepOutcome::Passed => "pass",
            StepOutcome::Refused => "REFUSED",
            StepOutcome::NotReached => "not reached",
        };
        let detail = match (*step, outcome) {
            (_, StepOutcome::NotReached) => String::new(),
            ("tenant", _) => tenant(explained),
            (_, StepOutcome::Refused) if !explanation.missing.is_empty() => {
                format!("missing {}", explanation.missing.join(" "))
            }
            _ => String::new(),
        };
        let _ = writeln!(text, "{}", format!("  {step:12} {words:12} {detail}").trim_end());
    }
    for limit in &explanation.limits {
        let gauge = Gauge { used: limit.used, limit: limit.quota, resets_at: limit.resets_at, state: None };
        let _ = writeln!(text, "  {:12} {} {}", "limit", limit.name, gauge.cell(style).text);
    }
    match explanation.code {
        Some(code) => {
            let _ = writeln!(text, "denied: {} {code}: {}", code.http_status(), code.text());
        }
        None => text += "allowed\n",
    }
    if let Some(fix) = &explained.fix {
        let _ = writeln!(text, "  what would change it: {fix}");
    }
    text
}

/// The row of the truth table, the binding it was read against, and what came out.
fn tenant(explained: &Explained<'_>) -> String {
    let explanation = explained.explanation;
    let mut words = format!("{}  key acts for {}", explanation.row, explained.acts_for);
    if let Some(org) = &explanation.org_id {
        let _ = write!(words, "; org {}", inert(org));
    }
    if let Some(user) = &explanation.user_id {
        let _ = write!(words, "; user {}", inert(user));
    }
    if explanation.would_create {
        words += "; would be created";
    }
    words.trim_start().to_owned()
}
