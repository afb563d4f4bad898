//! `keys`: from their making to their end.

mod attributes;
mod change;
mod create;
mod end;
mod env;
pub(crate) mod explain;
mod import;
mod list;
mod new_text;
mod options;
mod pages;
mod scan_rule;
pub(crate) mod view;

pub(crate) use attributes::{body, pair};
pub(crate) use change::parse_amounts;

use crate::context::{Context, Session};
use crate::failure::{Exit, Failure};
use clap::{Args, Subcommand};
use tenantkit::key::id::KeyId;

/// Make, list, change, replace and end keys
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    Create(Box<create::Create>),
    List(list::List),
    Get(list::Get),
    Update(Box<change::Update>),
    Rotate(change::Rotate),
    CancelRotation(change::CancelRotation),
    Regenerate(change::Regenerate),
    Disable(change::Disable),
    Enable(change::Enable),
    Revoke(end::Revoke),
    Delete(end::Delete),
    RevokeByValue(end::RevokeByValue),
    Reveal(end::Reveal),
    ReapplyTemplate(change::ReapplyTemplate),
    Due(list::Due),
    Unused(list::Unused),
    Overgranted(list::Overgranted),
    Options(options::ShowOptions),
    Explain(explain::Explain),
    Import(import::Import),
    ScanRule(scan_rule::ScanRule),
    Env(env::Env),
}

/// The key that a command is about.
#[derive(Clone, Debug, Args)]
pub(crate) struct KeyOption {
    /// The key's public id, such as `key_01jz8m0c4qf9r8x7s6t5v4w3y2`
    #[arg(value_name = "KEY_ID")]
    key_id: String,
}

/// A key with the account it belongs to.
pub(crate) struct Target {
    pub(crate) account: String,
    pub(crate) id: KeyId,
}

impl Keys {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Create(command) => command.run(context),
            Self::List(command) => command.run(context),
            Self::Get(command) => command.run(context),
            Self::Update(command) => command.run(context),
            Self::Rotate(command) => command.run(context),
            Self::CancelRotation(command) => command.run(context),
            Self::Regenerate(command) => command.run(context),
            Self::Disable(command) => command.run(context),
            Self::Enable(command) => command.run(context),
            Self::Revoke(command) => command.run(context),
            Self::Delete(command) => command.run(context),
            Self::RevokeByValue(command) => command.run(context),
            Self::Reveal(command) => command.run(context),
            Self::ReapplyTemplate(command) => command.run(context),
            Self::Due(command) => command.run(context),
            Self::Unused(command) => command.run(context),
            Self::Overgranted(command) => command.run(context),
            Self::Options(command) => command.run(context),
            Self::Explain(command) => command.run(context),
            Self::Import(command) => command.run(context),
            Self::ScanRule(command) => command.run(context),
            Self::Env(command) => command.run(context),
        }
    }
}

impl KeyOption {
    pub(crate) fn named(key_id: String) -> Self {
        Self { key_id }
    }

    /// Finds the key's account. An account that was named must be the key's own; without one the id alone decides, for
    /// whoever may open the store may see every account.
    pub(crate) fn target(&self, context: &Context, session: &Session) -> Result<Target, Failure> {
        let id: KeyId = self.key_id.parse().map_err(tenantkit::Error::from)?;
        let account = match &context.global.account {
            Some(account) => account.clone(),
            None => match session.records.account_of(&id).map_err(tenantkit::Error::from)? {
                Some(account) => account.as_str().to_owned(),
                None => context.account().to_owned(),
            },
        };
        Ok(Target { account, id })
    }
}
