//! `keys create`.

use super::attributes::{Attributes, body};
use super::new_text::{self, Form};
use crate::context::{Context, Missing, Session};
use crate::failure::{Exit, Failure};
use clap::Args;
use tenantkit::key::id::KeyId;
use tenantkit::policy::BindingForm;
use tenantkit::store::{TenantLevel, TenantState};
use tenantkit::{NewKey, Policy, TenantName};

/// Make a key; its text is printed once, alone, on stdout
#[derive(Clone, Debug, Args)]
#[command(before_help = "Examples:
  tenantkit keys create --name ci-smoke-prod --role developer > ci.key
  tenantkit keys create --name web --preset client --org acme --expires 90d
  tenantkit keys create --name ci --env-line >> .env
  tenantkit keys create --like key_01jz8m0c4qf9r8x7s6t5v4w3y2 --name ci-2
")]
pub(crate) struct Create {
    #[command(flatten)]
    attributes: Attributes,
    /// Its kind; without it the policy's first
    #[arg(long)]
    kind: Option<String>,
    /// Its environment, such as `live`
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// A key whose attributes it gets; what is given besides takes their place
    #[arg(long, value_name = "KEY_ID", conflicts_with = "body")]
    like: Option<String>,
    /// The whole request as JSON, from stdin (`-`) or a file; what is given besides takes its place
    #[arg(long, value_name = "FILE")]
    body: Option<String>,
    /// Print a line for a `.env` file, with the policy's variable
    #[arg(long)]
    env_line: bool,
}

impl Create {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        new_text::check_stdout(context)?;
        context.with_session(Missing::Make, |session| {
            let new = self.request(context, session)?;
            let issued = session.authority.issue(&context.caller(), &new)?;
            let next = format!(
                "next: `{program} check OPERATION --key FILE` tries it, `{program} keys list` shows it",
                program = context.names.program
            );
            let form = if self.env_line { Form::EnvLine } else { Form::Text };
            new_text::show(context, issued, form, "made key", &next)
        })
    }

    fn request(&self, context: &Context, session: &Session) -> Result<NewKey, Failure> {
        let account = context.account();
        let base = match (&self.like, &self.body) {
            (Some(id), _) => NewKey::like(account, id.parse::<KeyId>().map_err(tenantkit::Error::from)?),
            (None, Some(source)) => NewKey::from_json(account, &body(source)?)?,
            (None, None) => NewKey::from_json(account, b"{}")?,
        };
        let mut new = self.attributes.onto_new(base, context);
        if let Some(kind) = &self.kind {
            new = new.kind(kind.as_str());
        }
        if let Some(environment) = &self.environment {
            new = new.environment(environment.as_str());
        }
        let is_free = self.like.is_none() && self.body.is_none() && !self.attributes.names_org(context);
        if is_free && self.needs_org(&session.policy) {
            new = new.org_id(self.only_org(context, session)?);
        }
        Ok(new)
    }

    /// Whether the key that is asked for is bound to one org that nobody has named.
    fn needs_org(&self, policy: &Policy) -> bool {
        let kind = match &self.kind {
            Some(name) => policy.kind(name),
            None => policy.default_kind(),
        };
        let wanted = self.attributes.preset();
        let rule = kind.and_then(|kind| {
            kind.presets.iter().find(|rule| wanted.is_none_or(|name| rule.preset.name() == name))
        });
        rule.and_then(|rule| rule.org.first())
            .is_some_and(|form| matches!(form, BindingForm::Fixed | BindingForm::Owner))
    }

    /// The account's only org: whoever has one need not name it.
    fn only_org(&self, context: &Context, session: &Session) -> Result<String, Failure> {
        let caller = context.caller();
        let mut name = TenantName::account(context.account());
        if let Some(environment) = &self.environment {
            name = name.environment(environment.as_str());
        }
        let page = session.authority.tenants(&caller, &name, Some(TenantState::Active), None, 200)?;
        let mut orgs = page.items.into_iter().filter(|tenant| tenant.level == TenantLevel::Org);
        let (first, second) = (orgs.next(), orgs.next());
        let names = &context.names;
        let fix = format!(
            "name one with `{} ID` for this command, or set `{}` for all of them",
            names.org_flag, names.org_env
        );
        match (first, second) {
            (Some(only), None) => Ok(only.org_id.unwrap_or_default().into()),
            (None, _) => {
                Err(Failure::usage("keys of this kind are bound to an org, and the account has none yet")
                    .code("org_required")
                    .fix(fix))
            }
            (Some(_), Some(_)) => {
                Err(Failure::usage("keys of this kind are bound to an org, and the account has several")
                    .code("org_required")
                    .fix(fix))
            }
        }
    }
}
