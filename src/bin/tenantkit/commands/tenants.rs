//! `tenants`: the registry of accounts, orgs and users.

use crate::cli::OrgOption;
use crate::commands::keys::parse_amounts;
use crate::context::{Context, Missing, Session};
use crate::failure::{Exit, Failure};
use crate::output::{Cell, Column, Style, Tone, inert};
use clap::{Args, Subcommand, ValueEnum};
use tenantkit::store::{TenantLevel, TenantState};
use tenantkit::{PlanChange, TenantEdit, TenantName, TenantView};

/// List, register, suspend, resume and end tenants
#[derive(Debug, Subcommand)]
pub(crate) enum Tenants {
    List(List),
    Get(Get),
    Put(Put),
    Suspend(Suspend),
    Resume(Resume),
    Delete(Delete),
    Release(Release),
    Erase(Erase),
}

/// Which tenant: an org, a user, or the account itself.
#[derive(Clone, Debug, Args)]
struct Which {
    #[command(flatten)]
    org: OrgOption,
    /// The user, in the org if one is named
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// The account itself, with everything in it
    #[arg(long, conflicts_with_all = ["org", "user"])]
    whole_account: bool,
    /// In this environment; without it in the policy's default
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
}

/// List orgs and users
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit tenants list
  tenantkit tenants list --org org_1 --state suspended
")]
pub(crate) struct List {
    #[command(flatten)]
    org: OrgOption,
    /// In this environment; without it in all
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// In this state
    #[arg(long, value_enum)]
    state: Option<State>,
    /// At most so many; without it all
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
}

/// Show one tenant
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit tenants get --org org_1
")]
pub(crate) struct Get {
    #[command(flatten)]
    which: Which,
}

/// Register a tenant, or change what is known of it
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit tenants put --org org_1 --label region=eu
  tenantkit tenants put --org org_1 --plan growth
  tenantkit tenants put --whole-account --plan growth --amount executions=20000
")]
pub(crate) struct Put {
    #[command(flatten)]
    which: Which,
    /// A label in place of all that it has; several times for several
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = crate::commands::keys::pair)]
    labels: Vec<(String, String)>,
    /// Its plan
    #[arg(long)]
    plan: Option<String>,
    /// An amount of one limit for this tenant alone: `LIMIT=UNITS`, `LIMIT=unlimited` or `LIMIT=standard`
    #[arg(long = "amount", value_name = "LIMIT=AMOUNT", value_parser = crate::commands::keys::pair)]
    amounts: Vec<(String, String)>,
}

/// Refuse all requests for a tenant and everything below it
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit tenants suspend --org org_1 --reason 'unpaid'
")]
pub(crate) struct Suspend {
    #[command(flatten)]
    which: Which,
}

/// Put a suspended tenant into use again
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit tenants resume --org org_1
")]
pub(crate) struct Resume {
    #[command(flatten)]
    which: Which,
}

/// End a tenant and everything below it; its id stays taken until it is released
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit tenants delete --org org_1 --user u_7 --yes
")]
pub(crate) struct Delete {
    #[command(flatten)]
    which: Which,
}

/// Free the id of a deleted tenant
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit tenants release --org org_1
")]
pub(crate) struct Release {
    #[command(flatten)]
    which: Which,
}

/// Remove a deleted tenant for good, with its keys, orgs, users and domains
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit tenants erase --org org_1 --yes
")]
pub(crate) struct Erase {
    #[command(flatten)]
    which: Which,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    Active,
    Suspended,
    Deleted,
}

const COLUMNS: &[Column<TenantView>] = &[
    Column::detail("account id", |tenant, _| Cell::new(&tenant.account_id)),
    Column::new("environment", |tenant, _| {
        Cell::option(Some(&tenant.environment).filter(|name| !["default", ""].contains(&&***name)))
    }),
    Column::new("org", |tenant, _| Cell::option(tenant.org_id.as_ref())),
    Column::new("user", |tenant, _| Cell::option(tenant.user_id.as_ref())),
    Column::new("state", |tenant, _| state(tenant.state)),
    Column::new("plan", |tenant, _| Cell::option(tenant.plan.as_ref().and_then(|plan| plan.name.as_ref()))),
    Column::new("labels", labels),
    Column::new("created at", |tenant, style| Cell::instant(Some(tenant.created_at), style)),
];

impl Tenants {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::List(command) => command.run(context),
            Self::Get(command) => command.run(context),
            Self::Put(command) => command.run(context),
            Self::Suspend(command) => command.run(context),
            Self::Resume(command) => command.run(context),
            Self::Delete(command) => command.run(context),
            Self::Release(command) => command.run(context),
            Self::Erase(command) => command.run(context),
        }
    }
}

impl Which {
    /// The tenant that is meant. Nothing named is nothing meant: the whole account has to be said.
    fn name(&self, context: &Context) -> Result<TenantName, Failure> {
        let account = context.account();
        let org = if self.whole_account { None } else { context.org(&self.org) };
        let name = match (&org, &self.user) {
            (org, Some(user)) => TenantName::user(account, org.as_deref(), user.as_str()),
            (Some(org), None) => TenantName::org(account, org.as_str()),
            (None, None) if self.whole_account => TenantName::account(account),
            (None, None) => {
                let flag = &context.names.org_flag;
                return Err(Failure::usage(format!(
                    "name a tenant: `{flag} ID`, `--user ID` or `--whole-account`"
                )));
            }
        };
        Ok(match &self.environment {
            Some(environment) => name.environment(environment.as_str()),
            None => name,
        })
    }

    /// The tenant in words.
    fn words(&self, context: &Context) -> String {
        let account = inert(context.account());
        let org = if self.whole_account { None } else { context.org(&self.org) };
        match (org.as_deref().map(inert), self.user.as_deref().map(inert)) {
            (Some(org), Some(user)) => format!("user `{user}` of org `{org}` of account `{account}`"),
            (None, Some(user)) => format!("user `{user}` of account `{account}`"),
            (Some(org), None) => format!("org `{org}` of account `{account}`"),
            (None, None) => format!("account `{account}`"),
        }
    }
}

impl List {
    fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_session(Missing::Refuse, |session| {
            let mut name = match context.org(&self.org) {
                Some(org) => TenantName::org(context.account(), org),
                None => TenantName::account(context.account()),
            };
            if let Some(environment) = &self.environment {
                name = name.environment(environment.as_str());
            }
            let state = self.state.map(|state| match state {
                State::Active => TenantState::Active,
                State::Suspended => TenantState::Suspended,
                State::Deleted => TenantState::Deleted,
            });
            let limit = self.limit.unwrap_or(usize::MAX);
            let (mut tenants, mut after) = (Vec::new(), None);
            loop {
                let page = session.authority.tenants(&context.caller(), &name, state, after, 200)?;
                tenants.extend(page.items);
                after = page.next;
                if after.is_none() || tenants.len() >= limit {
                    break;
                }
            }
            if tenants.len() > limit || after.is_some() {
                tenants.truncate(limit);
                context.out.note("there are more; raise `--limit`");
            }
            if tenants.is_empty() {
                context
                    .out
                    .note(format_args!("no tenants that match in account `{}`", inert(context.account())));
            }
            context.out.list(&tenants, COLUMNS)?;
            Ok(Exit::Done)
        })
    }
}

impl Get {
    fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_session(Missing::Refuse, |session| {
            let tenant = session.authority.tenant(&context.caller(), &self.which.name(context)?)?;
            print(context, &tenant)
        })
    }
}

impl Put {
    fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_session(Missing::Make, |session| {
            let name = self.which.name(context)?;
            let caller = context.caller();
            let plan = parse_amounts(self.plan.as_deref(), &self.amounts)?;
            let mut edit = TenantEdit::default();
            if !self.labels.is_empty() {
                edit.labels =
                    Some(self.labels.iter().map(|(n, v)| (n.as_str().into(), v.as_str().into())).collect());
            }
            // A plan registers the tenant too, so each part is done only where it was asked for.
            let mut tenant = None;
            if edit != TenantEdit::default() || plan == PlanChange::default() {
                tenant = Some(session.authority.put_tenant(&caller, &name, &edit)?);
            }
            if plan != PlanChange::default() {
                tenant = Some(session.authority.set_tenant_plan(&caller, &name, &plan)?);
            }
            context.changed(format_args!("{} is as it was asked for", self.which.words(context)));
            tenant.map_or(Ok(Exit::Done), |tenant| print(context, &tenant))
        })
    }
}

impl Suspend {
    fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_session(Missing::Refuse, |session| {
            let (name, words) = (self.which.name(context)?, self.which.words(context));
            context.confirm(&format!("Refuse all requests for {words} and everything below it?"))?;
            let tenant = session.authority.suspend_tenant(&context.caller(), &name)?;
            context.changed(format_args!("suspended {words}; no process acts for it any more"));
            context.out.note(format_args!(
                "next: `{} tenants resume` puts it into use again",
                context.names.program
            ));
            print(context, &tenant)
        })
    }
}

impl Resume {
    fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_session(Missing::Refuse, |session| {
            let tenant = session.authority.resume_tenant(&context.caller(), &self.which.name(context)?)?;
            context.changed(format_args!("{} is in use again", self.which.words(context)));
            print(context, &tenant)
        })
    }
}

impl Delete {
    fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_session(Missing::Refuse, |session| {
            let (name, words) = (self.which.name(context)?, self.which.words(context));
            context.confirm(&format!("End {words} and everything below it?"))?;
            let tenant = session.authority.delete_tenant(&context.caller(), &name)?;
            context.changed(format_args!("deleted {words}; its id stays taken"));
            let program = &context.names.program;
            context.out.note(format_args!(
                "next: `{program} tenants release` frees the id, `{program} tenants erase` removes all of it"
            ));
            print(context, &tenant)
        })
    }
}

impl Release {
    fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_session(Missing::Refuse, |session| {
            let (name, words) = (self.which.name(context)?, self.which.words(context));
            context.confirm(&format!(
                "Free the id of {words}, so that the next one of that name is another tenant?"
            ))?;
            session.authority.release_tenant(&context.caller(), &name)?;
            ended(context, session, &words, "released")
        })
    }
}

impl Erase {
    fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.with_session(Missing::Refuse, |session| {
            let (name, words) = (self.which.name(context)?, self.which.words(context));
            context.confirm(&format!("Remove {words} for good, with its keys, orgs, users and domains?"))?;
            session.authority.erase_tenant(&context.caller(), &name)?;
            ended(context, session, &words, "erased")
        })
    }
}

/// Says that a tenant's row is gone.
fn ended(context: &Context, _: &Session, words: &str, what: &str) -> Result<Exit, Failure> {
    context.changed(format_args!("{what} {words}"));
    if !context.out.is_for_people() {
        let done = !context.global.dry_run;
        context.out.report(&serde_json::json!({ "done": done, "what": what }), |_| String::new())?;
    }
    Ok(Exit::Done)
}

fn print(context: &Context, tenant: &TenantView) -> Result<Exit, Failure> {
    context.out.one(tenant, COLUMNS, |style| fields(tenant, style))?;
    Ok(Exit::Done)
}

fn fields(tenant: &TenantView, style: &Style) -> Vec<(&'static str, Cell)> {
    let level = match tenant.level {
        TenantLevel::Account => "account",
        TenantLevel::Org => "org",
        TenantLevel::User => "user",
    };
    let mut fields = vec![
        ("level", Cell::new(level)),
        ("account", Cell::new(&tenant.account_id)),
        ("environment", Cell::option(Some(&tenant.environment).filter(|name| !name.is_empty()))),
        ("org", Cell::option(tenant.org_id.as_ref())),
        ("user", Cell::option(tenant.user_id.as_ref())),
        ("state", state(tenant.state)),
        ("plan", Cell::option(tenant.plan.as_ref().and_then(|plan| plan.name.as_ref()))),
        ("labels", labels(tenant, style)),
        ("created", Cell::instant(Some(tenant.created_at), style)),
        ("changed", Cell::instant(Some(tenant.updated_at), style)),
        ("version", Cell::new(tenant.version.to_string())),
    ];
    fields.retain(|(_, cell)| cell.text != "-");
    fields
}

fn labels(tenant: &TenantView, _: &Style) -> Cell {
    Cell::words(tenant.labels.iter().map(|(name, value)| format!("{name}={value}")))
}

fn state(state: TenantState) -> Cell {
    match state {
        TenantState::Active => Cell::new("active").tone(Tone::Good),
        TenantState::Suspended => Cell::new("suspended").tone(Tone::Warn),
        TenantState::Deleted => Cell::new("deleted").tone(Tone::Bad),
    }
}
