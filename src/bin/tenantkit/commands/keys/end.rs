//! Ending keys, and showing those again that may be shown.

use super::KeyOption;
use super::change::{confirm, tell};
use crate::context::{Context, Missing};
use crate::failure::{Exit, Failure};
use crate::output::{Cell, Column, inert};
use crate::secrets;
use clap::Args;
use serde::Serialize;
use tenantkit::EndedByValue;
use tenantkit::key::id::KeyId;
use tenantkit::policy::Removal;

/// End a key for good; its record stays, for the audit
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit keys revoke key_01jz8m0c4qf9r8x7s6t5v4w3y2 --reason 'left the team'
  tenantkit keys revoke key_01jz8m0c4qf9r8x7s6t5v4w3y2 --yes
")]
pub(crate) struct Revoke {
    #[command(flatten)]
    key: KeyOption,
}

/// End a key and remove its record
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit keys delete key_01jz8m0c4qf9r8x7s6t5v4w3y2 --yes
")]
pub(crate) struct Delete {
    #[command(flatten)]
    key: KeyOption,
}

/// End the key whose text was found where it does not belong
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit keys revoke-by-value --key leaked.txt --yes
  grep -oE \"$(tenantkit keys scan-rule)\" log | tenantkit keys revoke-by-value --key - --yes
")]
pub(crate) struct RevokeByValue {
    /// Where the key is: `-` is stdin, anything else a file
    #[arg(long, value_name = "FILE")]
    key: String,
}

/// Show the text of a key whose kind may be shown again
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit keys reveal key_01jz8m0c4qf9r8x7s6t5v4w3y2
")]
pub(crate) struct Reveal {
    #[command(flatten)]
    key: KeyOption,
}

/// What a program gets of a key whose record is gone.
#[derive(Serialize)]
struct Deleted {
    id: KeyId,
    deleted: bool,
}

impl Revoke {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_session(Missing::Refuse, |session| {
            let target = self.key.target(context, session)?;
            confirm(context, session, &target, "Revoke", "for good")?;
            let view = session.authority.revoke(&context.caller(), &target.account, &target.id)?;
            let exit = tell(context, session, view, "revoked")?;
            context.out.note("no process accepts it any more");
            Ok(exit)
        })
    }
}

impl Delete {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        const COLUMNS: &[Column<Deleted>] = &[
            Column::new("id", |item, _| Cell::new(item.id.to_string())),
            Column::new("deleted", |item, _| Cell::new(item.deleted.to_string())),
        ];
        context.with_session(Missing::Refuse, |session| {
            let target = self.key.target(context, session)?;
            let view =
                confirm(context, session, &target, "Delete", "with its record; nothing brings it back")?;
            session.authority.delete(&context.caller(), &target.account, &target.id)?;
            context.changed(format_args!(
                "deleted key `{}` ({}); no process accepts it any more",
                inert(&view.name),
                view.id
            ));
            if !context.out.is_for_people() {
                let deleted = Deleted { id: view.id, deleted: !context.global.dry_run };
                context.out.one(&deleted, COLUMNS, |_| Vec::new())?;
            }
            Ok(Exit::Done)
        })
    }
}

impl RevokeByValue {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        const COLUMNS: &[Column<EndedByValue>] = &[
            Column::new("id", |ended, _| Cell::new(ended.id.to_string())),
            Column::new("account id", |ended, _| Cell::new(&ended.account_id)),
        ];
        let key = secrets::api_key(Some(&self.key), &context.names.key_env)?;
        let Some(key) = key else { return Err(Failure::usage("there is no key where one was to be read")) };
        context.with_session(Missing::Refuse, |session| {
            let verb =
                if session.policy.lifecycle().removal == Removal::Delete { "Delete" } else { "Revoke" };
            context.confirm(&format!("{verb} the key with this text, whosever it is?"))?;
            let ended =
                secrets::with_text(&key, |text| session.authority.revoke_by_value(&context.caller(), text))?;
            match ended {
                Some(ended) => {
                    context.changed(format_args!(
                        "ended key {} of account `{}`",
                        ended.id,
                        inert(&ended.account_id)
                    ));
                    if !context.out.is_for_people() {
                        context.out.one(&ended, COLUMNS, |_| Vec::new())?;
                    }
                    Ok(Exit::Done)
                }
                None => {
                    Err(Failure::new("key_not_found", "no key in use has this text; nothing was changed"))
                }
            }
        })
    }
}

impl Reveal {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_session(Missing::Refuse, |session| {
            let target = self.key.target(context, session)?;
            let key = session.authority.reveal(&context.caller(), &target.account, &target.id)?;
            secrets::with_text(&key, |text| {
                context
                    .out
                    .report(&serde_json::json!({ "id": target.id, "key": text }), |_| format!("{text}\n"))
            })?;
            Ok(Exit::Done)
        })
    }
}
