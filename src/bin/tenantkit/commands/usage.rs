//! `usage show`: who has used how much of what.

use crate::cli::OrgOption;
use crate::commands::keys::KeyOption;
use crate::context::{Context, Missing, Session};
use crate::failure::{Exit, Failure};
use crate::output::bar::Gauge;
use crate::output::{Cell, Column, inert};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::time::Duration;
use tenantkit::clock::{Clock, SystemClock};
use tenantkit::store::KeyFilter;
use tenantkit::{TenantName, UsageLine};

/// Show what was used
#[derive(Debug, Subcommand)]
pub(crate) enum Usage {
    Show(Box<Show>),
}

/// Show the limits of a key, an org, a user or the whole account, with what was used
///
/// Without a key or tenant: the account's own limits and those of each of its keys.
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit usage show
  tenantkit usage show key_01jz8m0c4qf9r8x7s6t5v4w3y2
  tenantkit usage show --org org_1 --json
  tenantkit usage show --watch 2s
")]
pub(crate) struct Show {
    /// A key
    #[arg(value_name = "KEY_ID", conflicts_with_all = ["org", "user"])]
    key_id: Option<String>,
    #[command(flatten)]
    org: OrgOption,
    /// A user, in the org if one is named
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// In this environment; without it in the policy's default
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// A dimension that limits count by, such as `provider=github`
    #[arg(long = "dimension", value_name = "NAME=VALUE", value_parser = crate::commands::keys::pair)]
    dimensions: Vec<(String, String)>,
    /// Show it again and again, with a pause between, until interrupted
    #[arg(long, value_name = "PAUSE", value_parser = crate::output::time::parse_duration)]
    watch: Option<u32>,
}

/// A limit and whose it is.
#[derive(Serialize)]
struct Line {
    /// `key`, `org`, `user` or `account`.
    subject: &'static str,
    /// The key's or tenant's id.
    id: String,
    /// The key's name.
    name: Option<String>,
    #[serde(flatten)]
    usage: UsageLine,
}

const COLUMNS: &[Column<Line>] = &[
    Column::new("of", |line, _| {
        Cell::new(format!("{} {}", line.subject, line.name.as_ref().unwrap_or(&line.id)))
            .exactly(line.subject)
    }),
    Column::new("id", |line, _| {
        Cell::option(Some(&line.id).filter(|_| line.name.is_some())).exactly(&line.id)
    }),
    Column::new("limit", |line, _| Cell::new(&line.usage.limit)),
    Column::detail("meter", |line, _| Cell::new(&line.usage.meter)),
    Column::new("usage", |line, style| Gauge::new(&line.usage).cell(style)),
    Column::detail("count", |line, _| Cell::new(line.usage.count.to_string())),
    Column::detail("included", |line, _| Cell::option(line.usage.included.map(|units| units.to_string()))),
    Column::detail("percent", |line, _| Cell::option(line.usage.percent.map(|percent| percent.to_string()))),
    Column::detail("state", |line, _| Cell::new(&line.usage.state)),
    Column::detail("resets at", |line, _| Cell::option(line.usage.resets_at.map(|at| at.to_string()))),
    Column::new("held", |line, _| {
        Cell::option(Some(line.usage.outstanding).filter(|units| *units > 0).map(|units| units.to_string()))
    }),
];

impl Usage {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Self::Show(show) = self;
        show.run(context)
    }
}

impl Show {
    fn run(&self, context: &Context) -> Result<Exit, Failure> {
        context.with_session(Missing::Refuse, |session| {
            loop {
                self.once(context, session)?;
                let Some(pause_s) = self.watch else { return Ok(Exit::Done) };
                std::thread::sleep(Duration::from_secs(u64::from(pause_s.max(1))));
                if context.out.is_for_people() {
                    context.out.data(format!("\n{}\n", SystemClock.now()))?;
                }
            }
        })
    }

    fn once(&self, context: &Context, session: &Session) -> Result<(), Failure> {
        let lines = self.lines(context, session)?;
        if lines.is_empty() {
            context.out.note("no limit applies here");
        }
        context.out.list(&lines, COLUMNS)
    }

    fn lines(&self, context: &Context, session: &Session) -> Result<Vec<Line>, Failure> {
        let caller = context.caller();
        let dimensions: Vec<(&str, &str)> =
            self.dimensions.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if let Some(id) = &self.key_id {
            let target = KeyOption::named(id.clone()).target(context, session)?;
            let view = session.authority.key(&caller, &target.account, &target.id)?;
            let usage = session.authority.key_usage(&caller, &target.account, &target.id, &dimensions)?;
            return Ok(of_key(&view.name, &target.id.to_string(), usage).collect());
        }
        let account = context.account();
        let org = context.org(&self.org);
        let (name, subject, id) = match (&org, &self.user) {
            (org, Some(user)) => {
                (TenantName::user(account, org.as_deref(), user.as_str()), "user", user.clone())
            }
            (Some(org), None) => (TenantName::org(account, org.as_str()), "org", org.clone()),
            (None, None) => (TenantName::account(account), "account", account.to_owned()),
        };
        let name = match &self.environment {
            Some(environment) => name.environment(environment.as_str()),
            None => name,
        };
        let usage = session.authority.tenant_usage(&caller, &name)?;
        let mut lines: Vec<Line> =
            usage.into_iter().map(|usage| Line { subject, id: id.clone(), name: None, usage }).collect();
        if subject == "account" {
            lines.extend(self.of_keys(context, session, &dimensions)?);
        }
        Ok(lines)
    }

    /// The limits of every key of the account.
    fn of_keys(
        &self,
        context: &Context,
        session: &Session,
        dimensions: &[(&str, &str)],
    ) -> Result<Vec<Line>, Failure> {
        let (caller, account) = (context.caller(), context.account());
        let mut filter = KeyFilter::default();
        filter.environment = self.environment.as_deref().map(Into::into);
        let (mut lines, mut after) = (Vec::new(), None);
        loop {
            let page = session.authority.keys(&caller, account, &filter, after, 200)?;
            for view in page.items {
                let usage = session.authority.key_usage(&caller, account, &view.id, dimensions)?;
                lines.extend(of_key(&view.name, &view.id.to_string(), usage));
            }
            after = page.next;
            if after.is_none() {
                return Ok(lines);
            }
        }
    }
}

fn of_key(name: &str, id: &str, usage: Vec<UsageLine>) -> impl Iterator<Item = Line> {
    let (name, id) = (inert(name), id.to_owned());
    usage.into_iter().map(move |usage| Line {
        subject: "key",
        id: id.clone(),
        name: Some(name.clone()),
        usage,
    })
}
