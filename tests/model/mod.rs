//! The rules once more, as a second definition to hold the engine against: keys, tenants, decisions and counts as plain
//! values, written from the tables and not from the code. It shares nothing with the library, knows one policy (the one
//! beside it, `policy.toml`), and prefers the obvious to the fast.
//!
//! Read [`Model::authorize`] first: its body is the order of checks.
use std::collections::{BTreeMap, BTreeSet};
pub type Micros = i64;
const SECOND: Micros = 1_000_000;
const DAY: Micros = 86_400 * SECOND;

/// What a key allows on the org axis.
#[derive(Clone, Debug, PartialEq)]
pub enum Org {
    None,
    Fixed(String),
    List(Vec<String>, Option<String>),
    Open { create: bool, default: Option<String> },
}
/// What a key allows on the user axis. Entries and defaults are pairs of an org (none: every org) and a user.
#[derive(Clone, Debug, PartialEq)]
pub enum User {
    None,
    Fixed(String),
    List(Vec<(Option<String>, String)>, Option<(Option<String>, String)>),
    Open { create: bool, default: Option<(String, String)> },
    Optional { create: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Account,
    Org,
    User,
}

/// What an owner chooses for a key.
#[derive(Clone, Debug)]
pub struct Spec {
    pub account: String,
    pub environment: String,
    pub preset: &'static str,
    pub org: Org,
    pub user: User,
    pub permissions: BTreeSet<String>,
    /// Agents it is bound to.
    pub agents: BTreeSet<String>,
    pub plan: Option<String>,
    /// Addresses beginning so; `None` is any.
    pub addresses: Option<Vec<String>>,
    pub expires_at: Option<Micros>,
}

#[derive(Clone, Debug)]
struct Key {
    spec: Spec,
    /// The text that is presented; texts are numbered.
    text: usize,
    lineage: usize,
    disabled: bool,
    revoked_at: Option<Micros>,
    successor: Option<usize>,
    deleted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Active,
    Suspended,
    Deleted,
}

/// A tenant: account, environment, org, user. An account has neither of the last two and the environment `""`.
pub type Tenant = (String, String, Option<String>, Option<String>);

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    pub text: usize,
    pub operation: &'static str,
    pub environment: Option<String>,
    pub address: String,
    pub org: Option<String>,
    pub user: Option<String>,
    pub agent: Option<String>,
    pub cost: Option<u64>,
}

/// What an operation is and needs.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    pub name: &'static str,
    pub level: Level,
    pub permission: Option<&'static str>,
    pub takes_agent: bool,
    pub entitlement: bool,
    pub live_only: bool,
    pub other_kind_only: bool,
    pub cost: u64,
}

const PLAIN: Operation = Operation {
    name: "",
    level: Level::User,
    permission: None,
    takes_agent: false,
    entitlement: false,
    live_only: false,
    other_kind_only: false,
    cost: 0,
};

/// The operations of `policy.toml`.
pub const OPERATIONS: [Operation; 10] = [
    Operation { name: "account.list", level: Level::Account, ..PLAIN },
    Operation { name: "org.read", level: Level::Org, ..PLAIN },
    Operation { name: "org.run", level: Level::Org, cost: 1, ..PLAIN },
    Operation { name: "user.read", ..PLAIN },
    Operation { name: "user.write", permission: Some("THINGS:WRITE"), ..PLAIN },
    Operation { name: "user.agent", takes_agent: true, ..PLAIN },
    Operation { name: "user.premium", entitlement: true, ..PLAIN },
    Operation { name: "user.live", live_only: true, ..PLAIN },
    Operation { name: "user.other", other_kind_only: true, ..PLAIN },
    Operation { name: "user.run", cost: 1, ..PLAIN },
];

const MAX_ORGS: usize = 3;
const MAX_USERS_PER_ORG: usize = 2;

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Allow { org: Option<String>, user: Option<String>, created: bool },
    Deny(&'static str),
}

/// The whole world.
#[derive(Clone, Debug, Default)]
pub struct Model {
    now: Micros,
    keys: Vec<Key>,
    texts: usize,
    tenants: BTreeMap<Tenant, State>,
    /// Units by limit, subject and start of the period.
    counts: BTreeMap<(&'static str, String, Micros), u64>,
}

/// A tenant that a request resolves to, and what it would create.
struct Found {
    org: Option<String>,
    user: Option<String>,
    new: Vec<Tenant>,
}

impl Model {
    pub fn new(now: Micros) -> Self {
        Self { now, ..Self::default() }
    }

    /// The clock was read. A clock that steps back is not believed.
    pub fn clock(&mut self, shown: Micros) {
        self.now = self.now.max(shown);
    }

    // Deciding.

    /// Judges a request; what is allowed is charged, and its tenants are registered.
    pub fn authorize(&mut self, request: &Request) -> Answer {
        match self.judge(request) {
            Err(code) => Answer::Deny(code),
            Ok((found, charges)) => {
                let created = !found.new.is_empty();
                for tenant in found.new {
                    self.tenants.insert(tenant, State::Active);
                }
                for (bucket, units) in charges {
                    *self.counts.entry(bucket).or_default() += units;
                }
                Answer::Allow { org: found.org, user: found.user, created }
            }
        }
    }

    /// The same judgement without any effect.
    pub fn inspect(&self, request: &Request) -> Answer {
        match self.judge(request) {
            Err(code) => Answer::Deny(code),
            Ok((found, _)) => {
                Answer::Allow { org: found.org, user: found.user, created: !found.new.is_empty() }
            }
        }
    }

    #[allow(clippy::type_complexity)]
    fn judge(
        &self,
        request: &Request,
    ) -> Result<(Found, Vec<((&'static str, String, Micros), u64)>), &'static str> {
        let operation = operation(request.operation);
        let key =
            self.keys.iter().find(|key| key.text == request.text && !key.deleted).ok_or("invalid_key")?;
        self.standing(key)?;
        self.environment(key, request, operation)?;
        self.address(key, request)?;
        let found = self.tenant(key, request, operation)?;
        if operation.other_kind_only {
            return Err("kind_not_allowed");
        }
        if operation.permission.is_some_and(|needed| !key.spec.permissions.contains(needed)) {
            return Err("insufficient_permission");
        }
        if operation.takes_agent
            && !request.agent.as_ref().is_some_and(|agent| key.spec.agents.contains(agent))
        {
            return Err("resource_not_allowed");
        }
        if operation.entitlement && self.plan(key) != "big" {
            return Err("entitlement_required");
        }
        let charges = self.charges(key, request, operation, &found)?;
        Ok((found, charges))
    }

    fn standing(&self, key: &Key) -> Result<(), &'static str> {
        if key.revoked_at.is_some_and(|at| self.now >= at) || key.disabled {
            return Err("invalid_key");
        }
        if key.spec.expires_at.is_some_and(|at| self.now >= at) {
            return Err("key_expired");
        }
        Ok(())
    }

    fn environment(&self, key: &Key, request: &Request, operation: Operation) -> Result<(), &'static str> {
        let named = request.environment.as_ref().is_none_or(|wanted| *wanted == key.spec.environment);
        let fits = !operation.live_only || key.spec.environment == "live";
        if named && fits { Ok(()) } else { Err("environment_mismatch") }
    }

    fn address(&self, key: &Key, request: &Request) -> Result<(), &'static str> {
        match &key.spec.addresses {
            Some(list) if !list.iter().any(|start| request.address.starts_with(start)) => {
                Err("ip_not_allowed")
            }
            _ => Ok(()),
        }
    }

    /// Account, then org, then user, then whether the key has what the operation's level needs.
    fn tenant(&self, key: &Key, request: &Request, operation: Operation) -> Result<Found, &'static str> {
        match self.tenants.get(&(key.spec.account.clone(), String::new(), None, None)) {
            Some(State::Suspended) => return Err("account_suspended"),
            Some(State::Deleted) => return Err("tenant_deleted"),
            Some(State::Active) | None => {}
        }
        if operation.level == Level::Account {
            return match (&request.org, &request.user) {
                (Some(_), _) => Err("org_unexpected"),
                (None, Some(_)) => Err("user_unexpected"),
                (None, None) => Ok(Found { org: None, user: None, new: Vec::new() }),
            };
        }
        let mut new = Vec::new();
        let org = self.org(key, request.org.as_ref(), &mut new)?;
        let user = self.user(key, org.as_ref(), request.user.as_ref(), operation.level, &mut new)?;
        if org.is_none() && operation.level == Level::Org || user.is_none() && operation.level == Level::User
        {
            return Err("kind_not_allowed");
        }
        Ok(Found { org, user, new })
    }

    fn org(
        &self,
        key: &Key,
        given: Option<&String>,
        new: &mut Vec<Tenant>,
    ) -> Result<Option<String>, &'static str> {
        let (chosen, open) = match (&key.spec.org, given) {
            (Org::None, None) => return Ok(None),
            (Org::None, Some(_)) => return Err("org_unexpected"),
            (Org::Fixed(org), Some(given)) if given != org => return Err("org_mismatch"),
            (Org::Fixed(org), _) => (org, None),
            (Org::List(_, None), None) => return Err("org_required"),
            (Org::List(_, Some(default)), None) => (default, None),
            (Org::List(orgs, _), Some(given)) if !orgs.contains(given) => return Err("org_not_allowed"),
            (Org::List(..), Some(given)) => (given, None),
            (Org::Open { default: None, .. }, None) => return Err("org_required"),
            (Org::Open { create, default: Some(default) }, None) => (default, Some(*create)),
            (Org::Open { create, .. }, Some(given)) => (given, Some(*create)),
        };
        let tenant = self.place(key, Some(chosen), None);
        self.state(tenant, open, ["org_not_found", "org_suspended"], new)?;
        Ok(Some(chosen.clone()))
    }

    fn user(
        &self,
        key: &Key,
        org: Option<&String>,
        given: Option<&String>,
        level: Level,
        new: &mut Vec<Tenant>,
    ) -> Result<Option<String>, &'static str> {
        let lives_here = |home: &Option<String>| home.is_none() || home.as_ref() == org;
        let (chosen, open) = match (&key.spec.user, given) {
            (User::None, None) => return Ok(None),
            (User::None, Some(_)) => return Err("user_unexpected"),
            (User::Fixed(user), Some(given)) if given != user => return Err("user_mismatch"),
            (User::Fixed(user), _) => (user, None),
            (User::List(_, Some((home, default))), None) if lives_here(home) => (default, None),
            (User::List(..), None) => return Err("user_required"),
            (User::List(entries, _), Some(given)) => {
                if !entries.iter().any(|(home, user)| user == given && lives_here(home)) {
                    return Err("user_not_allowed");
                }
                (given, None)
            }
            (User::Open { create, default: Some((home, default)) }, None) if Some(home) == org => {
                (default, Some(*create))
            }
            (User::Open { .. }, None) => return Err("user_required"),
            (User::Optional { .. }, None) if level == Level::Org => return Ok(None),
            (User::Optional { .. }, None) => return Err("user_required"),
            (User::Open { create, .. } | User::Optional { create }, Some(given)) => (given, Some(*create)),
        };
        let tenant = self.place(key, org, Some(chosen));
        self.state(tenant, open, ["user_not_found", "user_suspended"], new)?;
        Ok(Some(chosen.clone()))
    }

    /// Whether a chosen tenant may be used. `open` is `None` for one that the binding names; else whether it may be
    /// created.
    fn state(
        &self,
        tenant: Tenant,
        open: Option<bool>,
        [not_found, suspended]: [&'static str; 2],
        new: &mut Vec<Tenant>,
    ) -> Result<(), &'static str> {
        match (self.tenants.get(&tenant), open) {
            (Some(State::Active), _) | (None, None) => Ok(()),
            (Some(State::Suspended), _) => Err(suspended),
            (Some(State::Deleted) | None, Some(false)) => Err(not_found),
            (Some(State::Deleted), _) => Err("tenant_deleted"),
            (None, Some(true)) => {
                let cap = if tenant.3.is_some() { MAX_USERS_PER_ORG } else { MAX_ORGS };
                if self.siblings(&tenant) >= cap {
                    return Err("tenant_limit_reached");
                }
                new.push(tenant);
                Ok(())
            }
        }
    }

    /// Tenants beside this one that are not deleted: the orgs of the account, or the users of the org.
    fn siblings(&self, tenant: &Tenant) -> usize {
        let beside = |other: &Tenant| {
            let same_level =
                other.3.is_some() == tenant.3.is_some() && other.2.is_some() == tenant.2.is_some();
            let same_org = tenant.3.is_none() || other.2 == tenant.2;
            other.0 == tenant.0 && other.1 == tenant.1 && same_level && same_org
        };
        self.tenants.iter().filter(|(other, state)| beside(other) && **state != State::Deleted).count()
    }

    fn place(&self, key: &Key, org: Option<&String>, user: Option<&String>) -> Tenant {
        (key.spec.account.clone(), key.spec.environment.clone(), org.cloned(), user.cloned())
    }

    /// The units on each limit that the call meets, if all of them fit.
    fn charges(
        &self,
        key: &Key,
        request: &Request,
        operation: Operation,
        found: &Found,
    ) -> Result<Vec<((&'static str, String, Micros), u64)>, &'static str> {
        let units = if operation.cost == 0 { 0 } else { request.cost.unwrap_or(operation.cost) };
        if operation.cost == 0 {
            return Ok(Vec::new());
        }
        let mut charges = Vec::new();
        for (bucket, cap) in self.limits(key, found.org.as_ref()) {
            let used = self.counts.get(&bucket).copied().unwrap_or(0);
            if units > 0 && used + units > cap {
                return Err("usage_limit_reached");
            }
            charges.push((bucket, units));
        }
        Ok(charges)
    }

    /// The limits of `policy.toml`: one on the key's lineage by its plan, for life; one on the org, by day.
    fn limits(&self, key: &Key, org: Option<&String>) -> Vec<((&'static str, String, Micros), u64)> {
        let cap = if self.plan(key) == "big" { 6 } else { 3 };
        let mut limits = vec![(("runs", format!("key {}", key.lineage), 0), cap)];
        if let Some(org) = org {
            let subject = format!("org {} {} {}", key.spec.account, key.spec.environment, org);
            limits.push((("org-runs", subject, self.now.div_euclid(DAY)), 5));
        }
        limits
    }

    fn plan<'a>(&self, key: &'a Key) -> &'a str {
        key.spec.plan.as_deref().unwrap_or("small")
    }

    /// Units counted on the lineage of a key.
    pub fn used(&self, key: usize) -> u64 {
        let subject = format!("key {}", self.keys[key].lineage);
        self.counts.get(&("runs", subject, 0)).copied().unwrap_or(0)
    }

    // Keys.

    /// Issues a key; its number, and that of its text.
    pub fn issue(&mut self, spec: Spec) -> Result<(usize, usize), &'static str> {
        check_bindings(&spec)?;
        if spec.expires_at.is_some_and(|at| at <= self.now) {
            return Err("validation_error");
        }
        self.alive(&spec)?;
        let number = self.keys.len();
        let text = self.text();
        self.keys.push(Key {
            spec,
            text,
            lineage: number,
            disabled: false,
            revoked_at: None,
            successor: None,
            deleted: false,
        });
        Ok((number, text))
    }

    /// A key is not made for an account that is suspended or gone.
    fn alive(&self, spec: &Spec) -> Result<(), &'static str> {
        match self.tenants.get(&(spec.account.clone(), String::new(), None, None)) {
            Some(State::Suspended) => Err("account_suspended"),
            Some(State::Deleted) => Err("tenant_deleted"),
            _ => Ok(()),
        }
    }

    /// Changes what the owner chose.
    pub fn edit(&mut self, key: usize, change: impl FnOnce(&mut Spec)) -> Result<(), &'static str> {
        self.ongoing(key)?;
        let mut spec = self.keys[key].spec.clone();
        change(&mut spec);
        check_bindings(&spec)?;
        self.keys[key].spec = spec;
        Ok(())
    }

    pub fn disable(&mut self, key: usize, disabled: bool) -> Result<(), &'static str> {
        self.ongoing(key)?;
        self.keys[key].disabled = disabled;
        Ok(())
    }

    /// Ends a key for good; its record stays.
    pub fn revoke(&mut self, key: usize) -> Result<(), &'static str> {
        self.ongoing(key)?;
        self.keys[key].revoked_at = Some(self.now);
        Ok(())
    }

    /// Removes a key.
    pub fn delete(&mut self, key: usize) -> Result<(), &'static str> {
        if self.keys[key].deleted {
            return Err("key_not_found");
        }
        self.keys[key].deleted = true;
        Ok(())
    }

    /// Makes a successor; the old key goes on for `grace` more.
    pub fn rotate(&mut self, key: usize, grace: Micros) -> Result<(usize, usize), &'static str> {
        self.ongoing(key)?;
        if self.keys[key].successor.is_some() {
            return Err("rotation_in_progress");
        }
        let number = self.keys.len();
        let text = self.text();
        let old = &mut self.keys[key];
        old.successor = Some(number);
        old.revoked_at = Some(self.now + grace);
        let new = Key { text, successor: None, revoked_at: None, ..old.clone() };
        self.keys.push(new);
        Ok((number, text))
    }

    /// Gives a key another text.
    pub fn regenerate(&mut self, key: usize) -> Result<usize, &'static str> {
        self.ongoing(key)?;
        let text = self.text();
        self.keys[key].text = text;
        Ok(text)
    }

    fn text(&mut self) -> usize {
        self.texts += 1;
        self.texts - 1
    }

    /// A deleted or revoked key does not exist for whoever wants to change it.
    fn ongoing(&self, key: usize) -> Result<(), &'static str> {
        let key = &self.keys[key];
        let ended = key.revoked_at.is_some_and(|at| self.now >= at);
        if key.deleted || ended { Err("key_not_found") } else { Ok(()) }
    }

    // Tenants.

    pub fn put(&mut self, tenant: Tenant) -> Result<(), ()> {
        match self.tenants.get(&tenant) {
            Some(State::Deleted) => Err(()),
            Some(_) => Ok(()),
            None => {
                self.tenants.insert(tenant, State::Active);
                Ok(())
            }
        }
    }

    pub fn set_state(&mut self, tenant: Tenant, state: State) -> Result<(), ()> {
        match self.tenants.get(&tenant) {
            Some(State::Deleted) if state != State::Deleted => Err(()),
            _ => {
                self.tenants.insert(tenant, state);
                Ok(())
            }
        }
    }

    pub fn release(&mut self, tenant: &Tenant) -> Result<(), ()> {
        match self.tenants.get(tenant) {
            Some(State::Deleted) => {
                self.tenants.remove(tenant);
                Ok(())
            }
            _ => Err(()),
        }
    }

    /// Every tenant with its state, accounts left out.
    pub fn tenants(&self) -> impl Iterator<Item = (&Tenant, State)> {
        self.tenants.iter().filter(|(tenant, _)| tenant.2.is_some()).map(|(tenant, state)| (tenant, *state))
    }
}

/// The operation of this name; the policy has no other.
fn operation(name: &str) -> Operation {
    OPERATIONS.into_iter().find(|operation| operation.name == name).unwrap_or(PLAIN)
}

/// Which bindings a preset allows, and which defaults make sense.
fn check_bindings(spec: &Spec) -> Result<(), &'static str> {
    let org_fits = match (spec.preset, &spec.org) {
        ("solo", Org::None | Org::Fixed(_)) | ("client", Org::Fixed(_)) => true,
        ("platform", org) => *org != Org::None,
        ("flexible", Org::Open { create, default }) => *create && default.is_some(),
        _ => false,
    };
    let user_fits = match (spec.preset, &spec.user) {
        ("solo", User::Fixed(_)) => true,
        ("client", User::None | User::Fixed(_) | User::List(..) | User::Open { .. }) => true,
        ("platform", user) => *user != User::None,
        ("flexible", User::Open { create, default }) => *create && default.is_some(),
        _ => false,
    };
    let org_default_fits = match &spec.org {
        Org::List(orgs, Some(default)) => orgs.contains(default),
        _ => true,
    };
    let reaches = |home: &String| match &spec.org {
        Org::None => false,
        Org::Fixed(org) => org == home,
        Org::List(orgs, _) => orgs.contains(home),
        Org::Open { default, .. } => spec.preset != "flexible" || default.as_ref() == Some(home),
    };
    let user_default_fits = match &spec.user {
        User::List(entries, default) => {
            let homes = entries.iter().filter_map(|(home, _)| home.as_ref());
            let paired = homes.clone().count();
            (paired == 0 || paired == entries.len())
                && homes.clone().all(&reaches)
                && default.as_ref().is_none_or(|default| entries.contains(default))
        }
        User::Open { default: Some((home, _)), .. } => reaches(home),
        _ => true,
    };
    if org_fits && user_fits && org_default_fits && user_default_fits {
        Ok(())
    } else {
        Err("binding_invalid")
    }
}
