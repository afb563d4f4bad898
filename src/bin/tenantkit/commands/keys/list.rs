//! Looking keys up.

use super::pages::Pages;
use super::view::{COLUMNS, Key, KeyUsage, fields};
use super::{KeyOption, attributes};
use crate::cli::OrgOption;
use crate::context::{Context, Missing, Session};
use crate::failure::{Exit, Failure};
use crate::output::bar::Gauge;
use crate::output::{Cell, Column, time};
use clap::Args;
use tenantkit::policy::Dimension;
use tenantkit::store::{KeyFilter, StandingFilter};
use tenantkit::tenant::id::OrgId;
use tenantkit::{KeyView, OverGranted, Policy, UsageLine};

/// List keys, with what they have used; those that were ended only with `--all`
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit keys list
  tenantkit keys list --kind public --org org_123 --json
  tenantkit keys list --unused 30d
  tenantkit keys list --expires-within 7d --output csv
")]
pub(crate) struct List {
    /// Of this kind
    #[arg(long)]
    kind: Option<String>,
    /// Of this environment
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    #[command(flatten)]
    org: OrgOption,
    /// With this role
    #[arg(long)]
    role: Option<String>,
    /// With this plan
    #[arg(long)]
    plan: Option<String>,
    /// With a name that begins so
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// With a text that begins so, as far as it is shown
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,
    /// With this label
    #[arg(long, value_name = "NAME=VALUE", value_parser = attributes::pair)]
    label: Option<(String, String)>,
    /// Not used for so long
    #[arg(long, value_name = "DURATION", value_parser = time::parse_duration)]
    unused: Option<u32>,
    /// That end within this time
    #[arg(long, value_name = "DURATION", value_parser = time::parse_duration)]
    expires_within: Option<u32>,
    /// Those that were ended too
    #[arg(long, conflicts_with = "active")]
    all: bool,
    /// Only those that may be used now
    #[arg(long)]
    active: bool,
    #[command(flatten)]
    pages: Pages,
}

/// Show one key
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit keys get key_01jz8m0c4qf9r8x7s6t5v4w3y2
  tenantkit keys get key_01jz8m0c4qf9r8x7s6t5v4w3y2 --json
")]
pub(crate) struct Get {
    #[command(flatten)]
    key: KeyOption,
}

/// List keys that the policy's reminder says to replace
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit keys due
")]
pub(crate) struct Due {
    #[command(flatten)]
    pages: Pages,
}

/// List keys that nobody used for a time
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit keys unused
  tenantkit keys unused --for 90d
")]
pub(crate) struct Unused {
    /// For how long
    #[arg(long = "for", value_name = "DURATION", default_value = "30d", value_parser = time::parse_duration)]
    duration: u32,
    #[command(flatten)]
    pages: Pages,
}

/// List keys that hold permissions which no call of theirs has needed
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit keys overgranted
")]
pub(crate) struct Overgranted {
    #[command(flatten)]
    pages: Pages,
}

impl List {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_session(Missing::Refuse, |session| {
            let caller = context.caller();
            let filter = self.filter(context, session)?;
            let page =
                |after, limit| session.authority.keys(&caller, context.account(), &filter, after, limit);
            let views = self.pages.read(context, |view: &KeyView| view.id, page)?;
            show(context, session, views, "no keys that match")
        })
    }

    fn filter(&self, context: &Context, session: &Session) -> Result<KeyFilter, Failure> {
        let syntax = &session.policy.tenancy().id_syntax;
        let org = context.org(&self.org).map(|org| OrgId::parse(&org, syntax)).transpose();
        let now = session.authority.now();
        let text = |text: &Option<String>| text.as_deref().map(Into::into);
        let mut filter = KeyFilter::default();
        filter.kind = text(&self.kind);
        filter.environment = text(&self.environment);
        filter.org_id =
            org.map_err(|error| Failure::usage(format!("the org id {error}")).code("org_invalid"))?;
        filter.role = text(&self.role);
        filter.plan = text(&self.plan);
        filter.name_prefix = text(&self.name);
        filter.display_prefix = text(&self.prefix);
        filter.label = self.label.as_ref().map(|(name, value)| (name.as_str().into(), value.as_str().into()));
        filter.unused_since = self.unused.map(|seconds| now.plus_seconds(-i64::from(seconds)));
        filter.expires_before = self.expires_within.map(|seconds| now.plus_seconds(i64::from(seconds)));
        filter.standing = match (self.all, self.active) {
            (true, _) => StandingFilter::All,
            (_, true) => StandingFilter::Active,
            _ => StandingFilter::Present,
        };
        self.check_words(&session.policy)?;
        Ok(filter)
    }

    /// A word that the policy does not have matches no key; it is a mistake more likely than a question.
    fn check_words(&self, policy: &Policy) -> Result<(), Failure> {
        let unknown = |what: &str, words: Vec<&str>| {
            Err(Failure::usage(format!("the policy has no such {what}; it has {}", words.join(", ")))
                .code("validation_error"))
        };
        match (&self.kind, &self.environment, &self.role, &self.plan) {
            (Some(name), _, _, _) if policy.kind(name).is_none() => {
                unknown("kind", policy.kinds().names().collect())
            }
            (_, Some(name), _, _) if policy.environment(name).is_none() => {
                unknown("environment", policy.environments().names().collect())
            }
            (_, _, Some(name), _) if policy.role(name).is_none() => {
                unknown("role", policy.roles().names().collect())
            }
            (_, _, _, Some(name)) if policy.plan(name).is_none() => {
                unknown("plan", policy.plans().names().collect())
            }
            _ => Ok(()),
        }
    }
}

impl Get {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_session(Missing::Refuse, |session| {
            let target = self.key.target(context, session)?;
            let view = session.authority.key(&context.caller(), &target.account, &target.id)?;
            let key = with_usage(context, session, view)?;
            context.out.one(&key, COLUMNS, |style| fields(&key, style))?;
            Ok(Exit::Done)
        })
    }
}

impl Due {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_session(Missing::Refuse, |session| {
            let caller = context.caller();
            let page = |after, limit| session.authority.due(&caller, context.account(), after, limit);
            let views = self.pages.read(context, |view: &KeyView| view.id, page)?;
            let none = match session.policy.lifecycle().rotation.reminder_s {
                Some(seconds) => format!("no key is older than {}", time::length(i64::from(seconds))),
                None => "the policy has no reminder, so no key is ever due".to_owned(),
            };
            let exit = show(context, session, views, &none)?;
            context
                .out
                .note(format_args!("next: `{} keys rotate KEY_ID` replaces one", context.names.program));
            Ok(exit)
        })
    }
}

impl Unused {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_session(Missing::Refuse, |session| {
            let caller = context.caller();
            let now = session.authority.now();
            let mut filter = KeyFilter::default();
            filter.unused_since = Some(now.plus_seconds(-i64::from(self.duration)));
            let page =
                |after, limit| session.authority.keys(&caller, context.account(), &filter, after, limit);
            let views = self.pages.read(context, |view: &KeyView| view.id, page)?;
            let none =
                format!("every key was used or made in the last {}", time::length(i64::from(self.duration)));
            show(context, session, views, &none)
        })
    }
}

impl Overgranted {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        const COLUMNS: &[Column<OverGranted>] = &[
            Column::new("id", |item, _| Cell::new(item.key.id.to_string())),
            Column::new("name", |item, _| Cell::new(&item.key.name)),
            Column::new("role", |item, _| Cell::option(item.key.role.as_ref())),
            Column::new("never needed", |item, _| Cell::words(&item.never_needed)),
        ];
        context.with_session(Missing::Refuse, |session| {
            let caller = context.caller();
            let page = |after, limit| session.authority.overgranted(&caller, context.account(), after, limit);
            let items = self.pages.read(context, |item: &OverGranted| item.key.id, page)?;
            if items.is_empty() {
                context.out.note("every key has needed all that it holds");
            }
            context.out.list(&items, COLUMNS)?;
            Ok(Exit::Done)
        })
    }
}

fn show(context: &Context, session: &Session, views: Vec<KeyView>, none: &str) -> Result<Exit, Failure> {
    if views.is_empty() && context.global.account.is_none() {
        context
            .out
            .note(format_args!("{none} in account `{}`; `--account` names another one", context.account()));
    } else if views.is_empty() {
        context.out.note(none);
    }
    let keys: Result<Vec<Key>, Failure> =
        views.into_iter().map(|view| with_usage(context, session, view)).collect();
    context.out.list(&keys?, COLUMNS)?;
    Ok(Exit::Done)
}

/// The key with its count of the first limit that is counted for it alone.
pub(crate) fn with_usage(context: &Context, session: &Session, view: KeyView) -> Result<Key, Failure> {
    let counts_keys = |name: &str| {
        let mut limits = session.policy.limits().iter().filter(|limit| *limit.name == *name);
        limits.any(|limit| limit.subject.contains(&Dimension::Key))
    };
    if !session.policy.limits().iter().any(|limit| limit.subject.contains(&Dimension::Key)) {
        return Ok(Key { view, usage: None });
    }
    let lines = session.authority.key_usage(&context.caller(), &view.account_id, &view.id, &[])?;
    let line = lines.into_iter().find(|line| counts_keys(&line.limit));
    Ok(Key { view, usage: line.map(|line| KeyUsage::new(&line)) })
}

impl KeyUsage {
    fn new(line: &UsageLine) -> Self {
        let gauge = Gauge::new(line);
        Self {
            count: line.count,
            limit: line.included,
            percent: gauge.percent(),
            state: line.state.to_string(),
            gauge,
        }
    }
}
