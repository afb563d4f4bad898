//! Changing keys, and replacing their texts.

use super::attributes::{Attributes, body};
use super::list::with_usage;
use super::new_text::{self, Form};
use super::view::{COLUMNS, fields};
use super::{KeyOption, Target};
use crate::context::{Context, Missing, Session};
use crate::failure::{Exit, Failure};
use crate::output::{inert, time};
use clap::Args;
use tenantkit::{KeyChanged, KeyEdit, KeyView, PlanChange, Rotation};

/// Change attributes of a key; its text, id and counts stay
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit keys update key_01jz8m0c4qf9r8x7s6t5v4w3y2 --plan PRO
  tenantkit keys update key_01jz8m0c4qf9r8x7s6t5v4w3y2 --role viewer --reason 'least privilege'
  tenantkit keys update key_01jz8m0c4qf9r8x7s6t5v4w3y2 --amount executions=500
")]
pub(crate) struct Update {
    #[command(flatten)]
    key: KeyOption,
    #[command(flatten)]
    attributes: Attributes,
    /// No role
    #[arg(long, conflicts_with = "role")]
    no_role: bool,
    /// Any address
    #[arg(long, conflicts_with = "networks")]
    any_ip: bool,
    /// An amount of one limit for this key alone: `LIMIT=UNITS`, `LIMIT=unlimited` or `LIMIT=standard`
    #[arg(long = "amount", value_name = "LIMIT=AMOUNT", value_parser = super::attributes::pair)]
    amounts: Vec<(String, String)>,
    /// The whole change as JSON, from stdin (`-`) or a file; what is given besides takes its place
    #[arg(long, value_name = "FILE")]
    body: Option<String>,
    /// Only if the record still has this version
    #[arg(long, value_name = "VERSION")]
    if_version: Option<u64>,
}

/// Make a successor with the same attributes; the old key works until its grace ends
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit keys rotate key_01jz8m0c4qf9r8x7s6t5v4w3y2 --grace 24h > new.key
  tenantkit keys rotate key_01jz8m0c4qf9r8x7s6t5v4w3y2 --now --yes      the old key leaked
")]
pub(crate) struct Rotate {
    #[command(flatten)]
    key: KeyOption,
    /// How long the old key still works; without it the policy's default
    #[arg(long, value_name = "DURATION", value_parser = time::parse_duration)]
    grace: Option<u32>,
    /// The old key ends at once: the same as `--grace 0`
    #[arg(long, conflicts_with = "grace")]
    now: bool,
    /// Print a line for a `.env` file, with the policy's variable
    #[arg(long)]
    env_line: bool,
}

/// Undo a rotation while its grace runs: the successor ends, the old key goes on
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit keys cancel-rotation key_01jz8m0c4qf9r8x7s6t5v4w3y2
")]
pub(crate) struct CancelRotation {
    #[command(flatten)]
    key: KeyOption,
}

/// Give a key another text under the same id; the old text ends at once
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit keys regenerate key_01jz8m0c4qf9r8x7s6t5v4w3y2 --yes > new.key
")]
pub(crate) struct Regenerate {
    #[command(flatten)]
    key: KeyOption,
    /// Print a line for a `.env` file, with the policy's variable
    #[arg(long)]
    env_line: bool,
}

/// Switch a key off for the time being
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit keys disable key_01jz8m0c4qf9r8x7s6t5v4w3y2 --reason 'looking into it'
")]
pub(crate) struct Disable {
    #[command(flatten)]
    key: KeyOption,
}

/// Switch a key on again
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit keys enable key_01jz8m0c4qf9r8x7s6t5v4w3y2
")]
pub(crate) struct Enable {
    #[command(flatten)]
    key: KeyOption,
}

/// Give a key the permissions that its template has now
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit keys reapply-template key_01jz8m0c4qf9r8x7s6t5v4w3y2
")]
pub(crate) struct ReapplyTemplate {
    #[command(flatten)]
    key: KeyOption,
}

impl Update {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_session(Missing::Refuse, |session| {
            let target = self.key.target(context, session)?;
            let mut caller = context.caller();
            if let Some(version) = self.if_version {
                caller = caller.if_version(version);
            }
            let (edit, goes_back) = (self.edit()?, self.goes_back()?);
            let changed = match goes_back {
                None => session.authority.update(&caller, &target.account, &target.id, &edit)?,
                Some(change) if edit == KeyEdit::default() => {
                    session.authority.set_key_plan(&caller, &target.account, &target.id, &change)?
                }
                Some(_) => {
                    let message = "an amount that goes back to the plan's is a change of its own; give `LIMIT=standard` alone";
                    return Err(Failure::usage(message));
                }
            };
            tell_change(context, session, changed)
        })
    }

    fn edit(&self) -> Result<KeyEdit, Failure> {
        let base = match &self.body {
            Some(source) => KeyEdit::from_json(&body(source)?)?,
            None if self.no_role => KeyEdit::from_json(br#"{"role":null}"#)?,
            None => KeyEdit::default(),
        };
        if self.no_role && self.body.is_some() {
            return Err(Failure::usage("`--no-role` goes without `--body`, which says `\"role\": null`"));
        }
        let mut edit = self.attributes.onto_edit(base);
        if self.any_ip {
            edit = edit.any_ip();
        }
        for (limit, amount) in &self.amounts {
            match amount.as_str() {
                "standard" => {}
                "unlimited" => edit = edit.amount(limit.as_str(), None),
                units => edit = edit.amount(limit.as_str(), Some(parse_units(units)?)),
            }
        }
        Ok(edit)
    }

    /// The change back to the plan's own amounts, which no edit can say.
    fn goes_back(&self) -> Result<Option<PlanChange>, Failure> {
        let standard: Vec<(String, String)> =
            self.amounts.iter().filter(|(_, amount)| amount == "standard").cloned().collect();
        if standard.is_empty() { Ok(None) } else { parse_amounts(None, &standard).map(Some) }
    }
}

/// A change of a plan and of amounts agreed beside it.
pub(crate) fn parse_amounts(plan: Option<&str>, amounts: &[(String, String)]) -> Result<PlanChange, Failure> {
    let start = plan.map_or_else(PlanChange::default, PlanChange::to);
    amounts.iter().try_fold(start, |change, (limit, amount)| {
        Ok(match amount.as_str() {
            "standard" => change.standard(limit.as_str()),
            "unlimited" => change.amount(limit.as_str(), None),
            units => change.amount(limit.as_str(), Some(parse_units(units)?)),
        })
    })
}

fn parse_units(text: &str) -> Result<u64, Failure> {
    text.parse().map_err(|_| Failure::usage("an amount is a number of units, `unlimited` or `standard`"))
}

impl Rotate {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        new_text::check_stdout(context)?;
        context.with_session(Missing::Refuse, |session| {
            let target = self.key.target(context, session)?;
            let rotation = match (self.now, self.grace) {
                (true, _) => Rotation::default().grace_s(0),
                (false, Some(seconds)) => Rotation::default().grace_s(seconds),
                (false, None) => Rotation::default(),
            };
            if self.now || self.grace == Some(0) {
                confirm(context, session, &target, "End the text of", "now, and make a successor")?;
            }
            let issued =
                session.authority.rotate(&context.caller(), &target.account, &target.id, &rotation)?;
            let program = &context.names.program;
            let next = format!(
                "next: move its users to the new key; `{program} keys get {}` shows when the old one ends; \
                 `{program} keys cancel-rotation {}` goes back while both work",
                target.id, target.id
            );
            let form = if self.env_line { Form::EnvLine } else { Form::Text };
            new_text::show(context, issued, form, "made the successor of key", &next)
        })
    }
}

impl CancelRotation {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_session(Missing::Refuse, |session| {
            let target = self.key.target(context, session)?;
            let message = "and end its successor";
            confirm(context, session, &target, "Go back to", message)?;
            let view = session.authority.cancel_rotation(&context.caller(), &target.account, &target.id)?;
            tell(context, session, view, "cancelled the rotation of")
        })
    }
}

impl Regenerate {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        new_text::check_stdout(context)?;
        context.with_session(Missing::Refuse, |session| {
            let target = self.key.target(context, session)?;
            confirm(context, session, &target, "End the text of", "now and give it another one")?;
            let issued = session.authority.regenerate(&context.caller(), &target.account, &target.id)?;
            let form = if self.env_line { Form::EnvLine } else { Form::Text };
            let next = "next: give the new text to the key's users; the old one is refused from now on";
            new_text::show(context, issued, form, "gave another text to key", next)
        })
    }
}

impl Disable {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_session(Missing::Refuse, |session| {
            let target = self.key.target(context, session)?;
            confirm(context, session, &target, "Switch off", "until it is enabled again")?;
            let changed = session.authority.disable(&context.caller(), &target.account, &target.id)?;
            tell_change(context, session, changed)
        })
    }
}

impl Enable {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_session(Missing::Refuse, |session| {
            let target = self.key.target(context, session)?;
            let changed = session.authority.enable(&context.caller(), &target.account, &target.id)?;
            tell_change(context, session, changed)
        })
    }
}

impl ReapplyTemplate {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_session(Missing::Refuse, |session| {
            let target = self.key.target(context, session)?;
            let changed =
                session.authority.reapply_template(&context.caller(), &target.account, &target.id)?;
            tell_change(context, session, changed)
        })
    }
}

/// Asks before something is done to a key, by its name. A key that is not there needs no question.
pub(super) fn confirm(
    context: &Context,
    session: &Session,
    target: &Target,
    what: &str,
    rest: &str,
) -> Result<KeyView, Failure> {
    let view = session.authority.key(&context.caller(), &target.account, &target.id)?;
    context.confirm(&format!(
        "{what} key `{}` ({}) of account `{}` {rest}?",
        inert(&view.name),
        view.id,
        target.account
    ))?;
    Ok(view)
}

fn tell_change(context: &Context, session: &Session, changed: KeyChanged) -> Result<Exit, Failure> {
    for warning in &changed.warnings {
        context.out.warn(format_args!("`{}` {}", warning.field, warning.message));
    }
    let effect = match (changed.narrowed, changed.widened) {
        (true, _) => "; nobody accepts what it could do before",
        (false, true) => "; it holds from the next request",
        (false, false) => "",
    };
    let what = match changed.changed.as_slice() {
        [] => "nothing had to be changed of".to_owned(),
        names => format!("changed {} of", names.join(", ")),
    };
    context.changed(format_args!("{what} key `{}` ({}){effect}", inert(&changed.key.name), changed.key.id));
    print(context, session, changed.key)
}

/// Says what was done to a key, and shows it as it is now.
pub(super) fn tell(context: &Context, session: &Session, view: KeyView, what: &str) -> Result<Exit, Failure> {
    context.changed(format_args!("{what} key `{}` ({})", inert(&view.name), view.id));
    print(context, session, view)
}

fn print(context: &Context, session: &Session, view: KeyView) -> Result<Exit, Failure> {
    let key = with_usage(context, session, view)?;
    context.out.one(&key, COLUMNS, |style| fields(&key, style))?;
    Ok(Exit::Done)
}
