//! The truth table as data, a second resolver to compare with, and the invariants.

mod invariants;
mod reference;
mod table;

use super::*;
use crate::tenant::binding::UserBinding;
use crate::tenant::binding::tests::bindings;
use crate::tenant::preset::Preset;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// The registry of account A in one environment. Whatever it does not know is unknown.
#[derive(Clone, Debug, Default)]
pub(super) struct World {
    pub(super) orgs: BTreeMap<String, TenantStatus>,
    pub(super) users: BTreeMap<(Option<String>, String), TenantStatus>,
    pub(super) org_cap_reached: bool,
    pub(super) user_cap_reached: bool,
    /// Answer nothing at all.
    pub(super) away: bool,
    /// What was asked, in order.
    pub(super) asked: RefCell<Vec<String>>,
}

impl World {
    /// Orgs `o0` to `o2`; users `u0` and `x` in `o0`, `u1` and `u2` in `o1`, `u9` in `o2`, and `u0` without an org.
    pub(super) fn usual() -> Self {
        let mut world = Self::default();
        for org in ["o0", "o1", "o2"] {
            world.orgs.insert(org.into(), TenantStatus::Active);
        }
        for (org, user) in [
            (None, "u0"),
            (Some("o0"), "u0"),
            (Some("o0"), "x"),
            (Some("o1"), "u1"),
            (Some("o1"), "u2"),
            (Some("o2"), "u9"),
        ] {
            world.users.insert((org.map(str::to_owned), user.to_owned()), TenantStatus::Active);
        }
        world
    }

    fn with_org(mut self, org: &str, status: TenantStatus) -> Self {
        self.orgs.insert(org.into(), status);
        self
    }

    fn with_user(mut self, org: &str, user: &str, status: TenantStatus) -> Self {
        self.users.insert((Some(org.into()), user.into()), status);
        self
    }

    fn answer<T>(&self, question: String, answer: T) -> Result<T, &'static str> {
        self.asked.borrow_mut().push(question);
        if self.away { Err("the store is away") } else { Ok(answer) }
    }
}

impl Directory for World {
    type Error = &'static str;

    fn org(&self, org_id: &str) -> Result<TenantStatus, Self::Error> {
        let status = self.orgs.get(org_id).copied().unwrap_or(TenantStatus::Unknown);
        self.answer(format!("org {org_id}"), status)
    }

    fn user(&self, org_id: Option<&str>, user_id: &str) -> Result<TenantStatus, Self::Error> {
        let key = (org_id.map(str::to_owned), user_id.to_owned());
        let status = self.users.get(&key).copied().unwrap_or(TenantStatus::Unknown);
        self.answer(format!("user {org_id:?} {user_id}"), status)
    }

    fn org_cap_reached(&self) -> Result<bool, Self::Error> {
        self.answer("org cap".into(), self.org_cap_reached)
    }

    fn user_cap_reached(&self, org_id: Option<&str>) -> Result<bool, Self::Error> {
        self.answer(format!("user cap {org_id:?}"), self.user_cap_reached)
    }
}

/// A request of a secret key on user level, by the default rules, in an active account.
pub(super) fn request<'a>(
    bindings: &'a Bindings,
    org_id: Option<&'a str>,
    user_id: Option<&'a str>,
) -> TenantRequest<'a> {
    let level = if bindings.user() == &UserBinding::None { Level::Org } else { Level::User };
    TenantRequest {
        bindings,
        class: KeyClass::Secret,
        level,
        account: TenantStatus::Active,
        org_id,
        user_id,
        user_proof: UserProof::NotAsked,
        rules: ResolveRules::default(),
    }
}

/// The answer as the table writes it: `200 A/o0/u0`, `200 A/o0/u0, user created`, `403 org_mismatch`.
pub(super) fn shown(answer: Result<Resolution<'_>, &'static str>) -> String {
    match answer {
        Err(e) => format!("error: {e}"),
        Ok(Resolution::Refused(refused)) => format!("{} {}", refused.code.http_status(), refused.code),
        Ok(Resolution::Resolved(resolved)) => {
            let user = match resolved.user {
                ScopeUser::None => "none",
                ScopeUser::Named(id) => id,
                ScopeUser::Anonymous => "anonymous",
            };
            let mut text = format!("200 A/{}/{user}", resolved.org_id.unwrap_or("none"));
            for (said, words) in
                [(resolved.create_org, ", org created"), (resolved.create_user, ", user created")]
            {
                if said {
                    text.push_str(words);
                }
            }
            if let Some(warning) = resolved.warning {
                text.push_str(&format!(", {warning:?}"));
            }
            text
        }
    }
}

/// The row that decided.
pub(super) fn row(answer: Result<Resolution<'_>, &'static str>) -> &'static str {
    match answer {
        Err(_) => "X-15",
        Ok(Resolution::Refused(refused)) => refused.row.name(),
        Ok(Resolution::Resolved(resolved)) => resolved.row.name(),
    }
}
