//! From what a request says of orgs and users to the bindings of a key.
//!
//! The policy says per kind and preset which forms each axis may have; the first is taken when the request names none.
//! A fixed binding needs an id: that of the request, else the caller's own.

use super::problems::{Problems, listed};
use super::rights::Rights;
use super::spec::{OrgSpec, UserRef, UserSpec};
use crate::code::Code;
use crate::policy::Policy;
use crate::policy::knobs::{Absent, BindingForm, UnknownTenant};
use crate::policy::model::{Kind, PresetRule};
use crate::tenant::binding::{Bindings, OrgBinding, UserBinding, UserEntry};
use crate::tenant::id::{IdError, IdSyntax, OrgId, UserId};
use crate::tenant::preset::Preset;

/// What a request says of tenancy.
#[derive(Clone, Copy, Default)]
pub(super) struct Wish<'a> {
    pub(super) preset: Option<&'a str>,
    pub(super) org_id: Option<&'a str>,
    pub(super) user_id: Option<&'a str>,
    pub(super) org: Option<&'a OrgSpec>,
    pub(super) user: Option<&'a UserSpec>,
}

/// The org and user that a key is issued for.
#[derive(Clone, Debug, Default)]
pub(super) struct IssuedFor {
    pub(super) org: Option<OrgId>,
    pub(super) user: Option<UserId>,
}

/// Turns wishes into bindings under one policy.
pub(super) struct Binder<'a> {
    policy: &'a Policy,
    kind: &'a Kind,
    issued_for: IssuedFor,
    /// Whether these are the caller's own, as far as it has bounds: what the form `owner` demands.
    org_is_own: bool,
    user_is_own: bool,
}

impl Wish<'_> {
    /// Whether the request says anything.
    pub(super) fn is_some(&self) -> bool {
        self.preset.is_some()
            || self.org_id.is_some()
            || self.user_id.is_some()
            || self.org.is_some()
            || self.user.is_some()
    }
}

impl<'a> Binder<'a> {
    /// `wish` names the org and user the key is for; what it leaves out is the caller's own.
    pub(super) fn new(
        policy: &'a Policy,
        kind: &'a Kind,
        rights: &Rights,
        wish: &Wish<'_>,
        problems: &mut Problems,
    ) -> Self {
        let syntax = &policy.tenancy().id_syntax;
        let org = wish.org_id.map(|text| checked("org_id", OrgId::parse(text, syntax), problems));
        let user = wish.user_id.map(|text| checked("user_id", UserId::parse(text, syntax), problems));
        let issued_for = IssuedFor {
            org: org.unwrap_or_else(|| rights.own_org().cloned()),
            user: user.unwrap_or_else(|| rights.own_user().cloned()),
        };
        let (org, user) = (issued_for.org.as_ref(), issued_for.user.as_ref());
        let org_is_own = rights.is_admin() || rights.own_org() == org || rights.reaches(org);
        let user_is_own = rights.is_admin() || rights.own_user() == user;
        Self { policy, kind, issued_for, org_is_own, user_is_own }
    }

    pub(super) fn issued_for(&self) -> &IssuedFor {
        &self.issued_for
    }

    /// The bindings of the wish; `None` with something in `problems`.
    pub(super) fn bindings(&self, wish: &Wish<'_>, problems: &mut Problems) -> Option<Bindings> {
        let rule = self.preset_rule(wish.preset, problems)?;
        let org = self.org(rule, wish, problems);
        let user = self.user(rule, wish, problems);
        self.join(rule, org?, user?, wish, problems)
    }

    /// Both axes together, as far as the preset and the kind allow it.
    fn join(
        &self,
        rule: &PresetRule,
        org: OrgBinding,
        user: UserBinding,
        wish: &Wish<'_>,
        problems: &mut Problems,
    ) -> Option<Bindings> {
        let checked = Bindings::new(rule.preset, org, user).and_then(|bindings| {
            if self.kind.is_publishable() {
                bindings.check_publishable().map(|()| bindings)
            } else {
                Ok(bindings)
            }
        });
        checked.map_err(|e| problems.error(if wish.user.is_some() { "user" } else { "org" }, &e)).ok()
    }

    /// The bindings of an existing key after an edit: an axis that the wish leaves out stays, unless the preset changes;
    /// then the org and user that the key had are the ones it is for.
    pub(super) fn rebound(
        mut self,
        before: &Bindings,
        wish: &Wish<'_>,
        problems: &mut Problems,
    ) -> Option<Bindings> {
        let same_preset = wish.preset.is_none_or(|preset| preset == before.preset().name());
        let home = match before.org() {
            OrgBinding::Fixed(org) => Some(org),
            OrgBinding::List { default, .. } | OrgBinding::Open { default, .. } => default.as_ref(),
            OrgBinding::None => None,
        };
        let user = match before.user() {
            UserBinding::Fixed(user) => Some(user),
            binding => binding.default_entry().map(|entry| &entry.user),
        };
        self.issued_for.org = self.issued_for.org.or_else(|| home.cloned());
        self.issued_for.user = self.issued_for.user.or_else(|| user.cloned());
        let rule = self.preset_rule(wish.preset, problems)?;
        let org = if same_preset && wish.org.is_none() && wish.org_id.is_none() {
            Some(before.org().clone())
        } else {
            self.org(rule, wish, problems)
        };
        let user = if same_preset && wish.user.is_none() && wish.user_id.is_none() {
            Some(before.user().clone())
        } else {
            self.user(rule, wish, problems)
        };
        self.join(rule, org?, user?, wish, problems)
    }

    fn preset_rule(&self, preset: Option<&str>, problems: &mut Problems) -> Option<&'a PresetRule> {
        let names = || self.kind.presets.iter().map(|rule| rule.preset.name());
        let Some(name) = preset else { return self.kind.presets.first() };
        let Some(preset) = Preset::from_name(name) else {
            problems.field("preset", super::problems::unknown_word(name, names()));
            return None;
        };
        let rule = self.kind.preset(preset);
        if rule.is_none() {
            let message = format!("is not one that keys of this kind may have; allowed: {}", listed(names()));
            problems.coded(Code::BindingInvalid, "preset", message);
        }
        rule
    }

    fn org(&self, rule: &PresetRule, wish: &Wish<'_>, problems: &mut Problems) -> Option<OrgBinding> {
        let forms = &*rule.org;
        match wish.org {
            None => match forms.first()? {
                BindingForm::None => {
                    if wish.org_id.is_some() {
                        problems.coded(
                            Code::BindingInvalid,
                            "org_id",
                            "keys of this preset have no org; leave it out",
                        );
                        return None;
                    }
                    Some(OrgBinding::None)
                }
                BindingForm::List => {
                    let org = self.needed_org("give `org_id` or a list as `org`", problems)?;
                    Some(OrgBinding::List { orgs: vec![org.clone()], default: self.default_for(Some(org)) })
                }
                BindingForm::Open => self.open_org(rule, None, None, problems),
                form => {
                    let org = self.needed_org("give `org_id`", problems)?;
                    let is_allowed =
                        *form != BindingForm::Owner || self.owned("org_id", self.org_is_own, problems);
                    is_allowed.then_some(OrgBinding::Fixed(org))
                }
            },
            Some(OrgSpec::None) => {
                self.allowed("org", forms, BindingForm::None, problems).then_some(OrgBinding::None)
            }
            Some(OrgSpec::Fixed(id)) => {
                let org = self.org_id("org.fixed", id, problems)?;
                let is_own = self.org_is_own && self.issued_for.org.as_ref() == Some(&org);
                self.fixed_allowed("org", forms, is_own, problems).then_some(OrgBinding::Fixed(org))
            }
            Some(OrgSpec::List { ids, default }) => {
                let orgs = ids.iter().map(|id| self.org_id("org.list.ids", id, problems)).collect::<Vec<_>>();
                let default = self.given_org("org.list.default", default.as_deref(), problems)?;
                self.allowed("org", forms, BindingForm::List, problems).then_some(())?;
                Some(OrgBinding::List { orgs: orgs.into_iter().collect::<Option<_>>()?, default })
            }
            Some(OrgSpec::Open { create, default }) => {
                let default = self.given_org("org.open.default", default.as_deref(), problems)?;
                self.allowed("org", forms, BindingForm::Open, problems).then_some(())?;
                self.open_org(rule, *create, default, problems)
            }
        }
    }

    fn open_org(
        &self,
        rule: &PresetRule,
        create: Option<bool>,
        default: Option<OrgId>,
        problems: &mut Problems,
    ) -> Option<OrgBinding> {
        let default = default.or_else(|| {
            if rule.preset == Preset::Flexible {
                self.issued_for.org.clone()
            } else {
                self.default_for(self.issued_for.org.clone())
            }
        });
        if rule.preset == Preset::Flexible && default.is_none() {
            problems.coded(
                Code::BindingInvalid,
                "org_id",
                "is needed: the owner's own org is the default of such a key",
            );
            return None;
        }
        Some(OrgBinding::Open { create: self.create("org.open.create", create, problems)?, default })
    }

    fn user(&self, rule: &PresetRule, wish: &Wish<'_>, problems: &mut Problems) -> Option<UserBinding> {
        let forms = &*rule.user;
        match wish.user {
            None => match forms.first()? {
                BindingForm::None => self.no_user(wish, problems),
                BindingForm::List => {
                    let user = self.needed_user("give `user_id` or a list as `user`", problems)?;
                    let entry = UserEntry { org: None, user };
                    Some(UserBinding::List {
                        entries: vec![entry.clone()],
                        default: self.default_for(Some(entry)),
                    })
                }
                BindingForm::Open => self.open_user(rule, None, None, problems),
                BindingForm::Optional => Some(UserBinding::Optional { create: self.creates() }),
                form => {
                    let user = self.needed_user("give `user_id`", problems)?;
                    let is_allowed =
                        *form != BindingForm::Owner || self.owned("user_id", self.user_is_own, problems);
                    is_allowed.then_some(UserBinding::Fixed(user))
                }
            },
            Some(UserSpec::None) => {
                self.allowed("user", forms, BindingForm::None, problems).then_some(UserBinding::None)
            }
            Some(UserSpec::Fixed(id)) => {
                let user = self.user_id("user.fixed", id, problems)?;
                let is_own = self.user_is_own && self.issued_for.user.as_ref() == Some(&user);
                self.fixed_allowed("user", forms, is_own, problems).then_some(UserBinding::Fixed(user))
            }
            Some(UserSpec::List { entries, default }) => {
                let entries =
                    entries.iter().map(|e| self.entry("user.list.entries", e, problems)).collect::<Vec<_>>();
                let default = self.given_entry("user.list.default", default.as_ref(), problems)?;
                self.allowed("user", forms, BindingForm::List, problems).then_some(())?;
                Some(UserBinding::List { entries: entries.into_iter().collect::<Option<_>>()?, default })
            }
            Some(UserSpec::Open { create, default }) => {
                let default = self.given_entry("user.open.default", default.as_ref(), problems)?;
                self.allowed("user", forms, BindingForm::Open, problems).then_some(())?;
                self.open_user(rule, *create, default, problems)
            }
            Some(UserSpec::Optional { create }) => {
                self.allowed("user", forms, BindingForm::Optional, problems).then_some(())?;
                Some(UserBinding::Optional {
                    create: self.create("user.optional.create", *create, problems)?,
                })
            }
        }
    }

    fn open_user(
        &self,
        rule: &PresetRule,
        create: Option<bool>,
        default: Option<UserEntry>,
        problems: &mut Problems,
    ) -> Option<UserBinding> {
        let own = || {
            let user = self.issued_for.user.clone()?;
            // A default user lives in one org (row T-64); without one there is no default.
            Some(UserEntry { org: Some(self.issued_for.org.clone()?), user })
        };
        let default =
            default.or_else(|| if rule.preset == Preset::Flexible { own() } else { self.default_for(own()) });
        if rule.preset == Preset::Flexible && default.is_none() {
            problems.coded(
                Code::BindingInvalid,
                "user_id",
                "is needed: the owner's own user is the default of such a key",
            );
            return None;
        }
        Some(UserBinding::Open { create: self.create("user.open.create", create, problems)?, default })
    }

    fn no_user(&self, wish: &Wish<'_>, problems: &mut Problems) -> Option<UserBinding> {
        if wish.user_id.is_some() {
            problems.coded(Code::BindingInvalid, "user_id", "keys of this preset have no user; leave it out");
            return None;
        }
        Some(UserBinding::None)
    }

    fn default_for<T>(&self, issued_for: Option<T>) -> Option<T> {
        issued_for.filter(|_| self.policy.tenancy().absent == Absent::Default)
    }

    fn creates(&self) -> bool {
        self.policy.tenancy().unknown_tenant == UnknownTenant::Create
    }

    /// Whether unknown ids are registered: the request may ask for less than the policy allows, never for more.
    fn create(&self, field: &str, wished: Option<bool>, problems: &mut Problems) -> Option<bool> {
        if wished == Some(true) && !self.creates() {
            problems.coded(
                Code::BindingInvalid,
                field,
                "the policy registers no unknown tenants; leave it out",
            );
            return None;
        }
        Some(wished.unwrap_or_else(|| self.creates()))
    }

    fn allowed(
        &self,
        field: &str,
        forms: &[BindingForm],
        form: BindingForm,
        problems: &mut Problems,
    ) -> bool {
        let is_allowed = forms.contains(&form);
        if !is_allowed {
            let message =
                format!("is `{}`; allowed: {}", form.word(), listed(forms.iter().map(|form| form.word())));
            problems.coded(Code::BindingInvalid, field, message);
        }
        is_allowed
    }

    /// A fixed binding; where the policy says `owner`, only to whom the key is issued for.
    fn fixed_allowed(
        &self,
        field: &str,
        forms: &[BindingForm],
        is_own: bool,
        problems: &mut Problems,
    ) -> bool {
        let is_owner = forms.contains(&BindingForm::Owner) && is_own;
        is_owner || self.allowed(field, forms, BindingForm::Fixed, problems)
    }

    fn owned(&self, field: &str, is_own: bool, problems: &mut Problems) -> bool {
        if !is_own {
            problems.coded(Code::BindingInvalid, field, "is not the owner's own; leave it out");
        }
        is_own
    }

    fn needed_org(&self, advice: &str, problems: &mut Problems) -> Option<OrgId> {
        needed("org_id", self.issued_for.org.clone(), advice, problems)
    }

    fn needed_user(&self, advice: &str, problems: &mut Problems) -> Option<UserId> {
        needed("user_id", self.issued_for.user.clone(), advice, problems)
    }

    fn syntax(&self) -> &IdSyntax {
        &self.policy.tenancy().id_syntax
    }

    fn org_id(&self, field: &str, text: &str, problems: &mut Problems) -> Option<OrgId> {
        checked(field, OrgId::parse(text, self.syntax()), problems)
    }

    fn user_id(&self, field: &str, text: &str, problems: &mut Problems) -> Option<UserId> {
        checked(field, UserId::parse(text, self.syntax()), problems)
    }

    /// `Some(None)` where none is given, `None` where it is wrong.
    fn given_org(&self, field: &str, text: Option<&str>, problems: &mut Problems) -> Option<Option<OrgId>> {
        text.map_or(Some(None), |text| self.org_id(field, text, problems).map(Some))
    }

    fn given_entry(
        &self,
        field: &str,
        entry: Option<&UserRef>,
        problems: &mut Problems,
    ) -> Option<Option<UserEntry>> {
        entry.map_or(Some(None), |entry| self.entry(field, entry, problems).map(Some))
    }

    fn entry(&self, field: &str, entry: &UserRef, problems: &mut Problems) -> Option<UserEntry> {
        let (org, user) = entry.parts();
        let org = self.given_org(field, org, problems);
        let user = self.user_id(field, user, problems);
        Some(UserEntry { org: org?, user: user? })
    }
}

fn checked<T>(field: &str, parsed: Result<T, IdError>, problems: &mut Problems) -> Option<T> {
    parsed.map_err(|e| problems.coded(Code::BindingInvalid, field, e.to_string())).ok()
}

fn needed<T>(field: &str, id: Option<T>, advice: &str, problems: &mut Problems) -> Option<T> {
    if id.is_none() {
        problems.coded(Code::BindingInvalid, field, format!("is needed for this preset; {advice}"));
    }
    id
}
