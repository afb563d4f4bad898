//! Steps 8 and 9: rates and quotas, all or none; then new tenants; then the decision.

use super::Inner;
use super::call::{Call, Judged, Stop, Want};
use super::limits::is_own;
use crate::clock::Timestamp;
use crate::code::Code;
use crate::decision::{
    Charges, Decision, Denial, Flags, Grant, Identity, LimitKind, LimitState, LimitStates, Reason, Texts,
};
use crate::error::Error;
use crate::ledger::{
    HeldLine, KeyedCall, Outcome, QuotaState, QuotaUse, RateUse, Refusal, RefusedBy, TakeCall, Taken,
};
use crate::limit::gcra::RateVerdict;
use crate::limit::{
    ConfigVersion, Credit, CreditAmount, LimitId, OperationId, Reason as LimitReason, RefundId, Units,
};
use crate::policy::{LimitDef, RateDef, RateMode};
use crate::store::{Applied, Change, Conflict, Guard, TenantKey, TenantRecord, TenantState, TenantWrite};
use crate::tenant::resolve::Warning;
use crate::tenant::{AccountId, OrgId, UserId};

/// What follows the judgement.
// A decided call is the hot one: boxing it would cost every such call an allocation.
#[allow(clippy::large_enum_variant)]
pub(super) enum Next {
    /// Decided: everything that applies was at hand.
    Done(Decision),
    /// The store must be asked; everything it needs is in here, and nothing is charged yet.
    Ask(Box<Pending>),
}

/// A judged call that needs the store.
pub(super) struct Pending {
    identity: Identity,
    now: Timestamp,
    take: TakeCall,
    /// Name, unit and what else answers say of each of `take.rates` and `take.quotas`, in that order.
    labels: Vec<Label>,
    create: Vec<TenantKey>,
    max_orgs: Option<u64>,
    max_users: Option<u64>,
    revision: u32,
    warning: Option<Warning>,
    entitlements: u64,
    units: Units,
    want: Want,
}

/// What answers say of one limit.
struct Label {
    name: Box<str>,
    unit: Box<str>,
    exposed: bool,
    status: u16,
    burst: Option<(Units, u64)>,
    local: bool,
    limit_id: LimitId,
}

impl Inner {
    /// Decides at once if only rates of this process apply and nothing is created; else says what the store must do.
    #[inline]
    pub(super) fn charge_local(&self, call: &Call<'_>, judged: Judged<'_>) -> Result<Next, Stop> {
        let creates = judged.create_org || judged.create_user;
        let shared = call.rates(&judged).any(|(rate, _)| rate.mode == RateMode::Strict);
        if creates || shared || call.request.operation_id.is_some() || call.quotas(&judged).next().is_some() {
            return self.pending(call, &judged).map(|pending| Next::Ask(Box::new(pending)));
        }
        let mut limits = LimitStates::new();
        let mut texts = Texts::new();
        let ver = ConfigVersion::new(call.engine.revision, 0).unwrap_or_default();
        for (taken, (rate, units)) in call.rates(&judged).enumerate() {
            let (limit_id, verdict) = call.rate_slot(rate, &judged, &self.ledger, |slot| {
                let local = slot.rate.as_ref();
                let verdict = local.map(|local| match call.want {
                    Want::Inspect => local.peek(&rate.rate, units, call.now),
                    Want::Charge | Want::Reserve(_) => local.take(&rate.rate, ver, units, call.now),
                });
                (slot.limit_id, verdict)
            })?;
            let Some(verdict) = verdict else { return Err(Stop::NeedStore) };
            let name = texts.push(&rate.name);
            let state = rate_state(rate, units, verdict, limit_id, call.now, is_own(&rate.subject, &judged));
            limits.push(LimitState { name, unit: texts.push(unit_of(call, rate)), ..state });
            if !verdict.fits {
                self.give_back(call, &judged, taken);
                return Err(refuse_rate(call, &judged, limits, texts, units, verdict));
            }
        }
        let mut grant = grant_of(judged.identity, call.now, call.engine.revision, limits, texts);
        grant.flags = grant.flags.with(Flags::FROM_CACHE);
        grant.warning = judged.warning;
        grant.entitlements = judged.entitlements;
        Ok(Next::Done(Decision::Allow(grant)))
    }

    /// Undoes the first `count` rates of a call that a later one refused.
    fn give_back(&self, call: &Call<'_>, judged: &Judged<'_>, count: usize) {
        if call.want == Want::Inspect {
            return;
        }
        for (rate, units) in call.rates(judged).take(count) {
            let refunded = call.rate_slot(rate, judged, &self.ledger, |slot| {
                if let Some(local) = &slot.rate {
                    local.refund(units);
                }
            });
            // The slot was there a moment ago.
            debug_assert!(refunded.is_ok());
        }
    }

    /// Everything the store needs to know, owned, so that no guard is held while it is asked.
    fn pending(&self, call: &Call<'_>, judged: &Judged<'_>) -> Result<Pending, Stop> {
        let mut labels = Vec::new();
        let mut rates = Vec::new();
        let ver = ConfigVersion::new(call.engine.revision, 0).unwrap_or_default();
        for (rate, units) in call.rates(judged) {
            let (limit_id, local) =
                call.rate_slot(rate, judged, &self.ledger, |slot| (slot.limit_id, slot.rate.clone()))?;
            labels.push(Label::of_rate(call, rate, limit_id, judged));
            rates.push(RateUse { limit_id, rate: rate.rate, ver, units, local });
        }
        let mut quotas = Vec::new();
        let mut primary: Option<&LimitDef> = None;
        for (limit, units) in call.quotas(judged) {
            let quota = call.quota_use(limit, units, judged)?;
            labels.push(Label::of_limit(call, limit, quota.limit_id, judged));
            quotas.push(quota);
            primary = primary.or(Some(limit));
        }
        let keyed = call.request.operation_id.filter(|_| primary.is_some()).map(|id| -> Result<_, Error> {
            Ok(KeyedCall { scope: call.operation_scope(primary, judged)?, id: OperationId::new(id) })
        });
        let operation = keyed.transpose()?;
        let tenancy = call.policy().tenancy();
        Ok(Pending {
            identity: identity_again(&judged.identity),
            now: call.now,
            units: quotas.iter().map(|quota: &QuotaUse| quota.units).max().unwrap_or(Units::ZERO),
            take: TakeCall { now: call.now, rates, quotas, operation },
            labels,
            create: tenants_to_create(judged),
            max_orgs: tenancy.max_orgs,
            max_users: tenancy.max_users_per_org,
            revision: call.engine.revision,
            warning: judged.warning,
            entitlements: judged.entitlements,
            want: call.want,
        })
    }

    /// Charges with the store's help, creates what is to be created, and decides.
    pub(super) fn charge(&self, pending: Pending) -> Result<(Decision, Vec<HeldLine>), Stop> {
        match pending.want {
            Want::Inspect => self.advise(pending).map(|decision| (decision, Vec::new())),
            Want::Reserve(_) => self.charge_held(pending),
            Want::Charge if pending.create.is_empty() => {
                let outcome = self.ledger.take(&pending.take)?;
                Ok((pending.conclude(outcome), Vec::new()))
            }
            Want::Charge if pending.take.operation.is_some() => self.charge_keyed_and_create(pending),
            Want::Charge => {
                let (decision, held) = self.charge_held(pending)?;
                self.ledger.settle_held(held, HeldLine::units)?;
                Ok((decision, Vec::new()))
            }
        }
    }

    /// Takes the units into hand, creates, and leaves the units to the caller; a refused creation gives them back.
    fn charge_held(&self, pending: Pending) -> Result<(Decision, Vec<HeldLine>), Stop> {
        let (outcome, held) = self.ledger.hold(&pending.take)?;
        if let Outcome::Taken(_) = outcome
            && let Err(stop) = self.create(&pending)
        {
            self.ledger.settle_held(held, |_| Units::ZERO)?;
            pending.take.give_back_local_rates();
            return Err(stop);
        }
        Ok((pending.conclude(outcome), held))
    }

    /// A keyed charge stands in the store at once; a refused creation credits it in full, which removes its record.
    fn charge_keyed_and_create(&self, pending: Pending) -> Result<(Decision, Vec<HeldLine>), Stop> {
        let outcome = self.ledger.take(&pending.take)?;
        if let Outcome::Taken(taken) = &outcome
            && let Err(stop) = self.create(&pending)
        {
            if let (Some(attempt), Some(key)) = (taken.attempt, pending.take.operation_key()) {
                let refund_id = RefundId::from_bytes(*attempt.as_bytes());
                let credit =
                    Credit::Operation { key, refund_id, amount: CreditAmount::All, primary_only: false };
                self.ledger.credit(credit)?;
            }
            pending.take.give_back_local_rates();
            return Err(stop);
        }
        Ok((pending.conclude(outcome), Vec::new()))
    }

    /// Registers the tenants that the call names first, if the caps still allow it.
    fn create(&self, pending: &Pending) -> Result<(), Stop> {
        if pending.create.is_empty() {
            return Ok(());
        }
        let change = creation(pending);
        match self.store.apply(&change)? {
            Applied::Done(_) | Applied::Replayed(_) => Ok(()),
            Applied::Conflict(Conflict::Guard(i)) => Err(match change.guards.get(i) {
                Some(Guard::Active { .. }) => Stop::Again,
                _ => Stop::Deny(pending.refusal(Code::TenantLimitReached)),
            }),
            Applied::Conflict(_) => Err(Stop::Again),
        }
    }

    /// What would become of the call: read, not charged.
    fn advise(&self, pending: Pending) -> Result<Decision, Stop> {
        let advice = self.ledger.advise(&pending.take)?;
        Ok(pending.conclude(advice))
    }
}

impl Pending {
    /// The keyed operation as the usage store knows it.
    pub(super) fn operation_key(&self) -> Option<crate::limit::OperationKey> {
        self.take.operation_key()
    }

    fn refusal(&self, code: Code) -> Box<Denial> {
        let mut denial = Box::new(Denial::new(code, self.now));
        denial.who = Some(Box::new(identity_again(&self.identity)));
        denial
    }

    /// The decision, from what the limits answered.
    fn conclude(self, outcome: Outcome) -> Decision {
        match outcome {
            Outcome::Taken(taken) => Decision::Allow(self.grant(taken)),
            Outcome::Refused(refusal) => Decision::Deny(*self.denial(&refusal)),
        }
    }

    fn grant(self, taken: Taken) -> Grant {
        let mut texts = Texts::new();
        let limits = self.states(&taken.rates, &taken.quotas, &mut texts);
        let over = taken.quotas.iter().any(|quota| {
            quota.slow || quota.included.is_some_and(|included| quota.confirmed > included.signed())
        });
        let charged = self.want == Want::Charge && (!taken.charges.is_empty() || taken.attempt.is_some());
        let created = !self.create.is_empty() && self.want != Want::Inspect;
        let mut grant = grant_of(self.identity, self.now, self.revision, limits, texts);
        grant.cost = self.units.get();
        grant.delay_ms = taken.delay_ms;
        grant.warning = self.warning;
        grant.entitlements = self.entitlements;
        for (flag, set) in [
            (Flags::CHARGED, charged),
            (Flags::OVER_INCLUDED, over),
            (Flags::REPLAYED, taken.replayed),
            (Flags::TENANT_CREATED, created),
        ] {
            if set {
                grant.flags = grant.flags.with(flag);
            }
        }
        if !taken.charges.is_empty() {
            grant.charges = Some(Box::new(Charges { units: taken.charges }));
        }
        grant
    }

    fn states(&self, rates: &[RateVerdict], quotas: &[QuotaState], texts: &mut Texts) -> LimitStates {
        let mut states = LimitStates::new();
        for (label, verdict) in self.labels.iter().zip(rates) {
            let (name, unit) = (texts.push(&label.name), texts.push(&label.unit));
            states.push(LimitState { name, unit, ..label.rate_state(verdict, self.now) });
        }
        let counted = self.take.quotas.iter().zip(self.labels.iter().skip(self.take.rates.len()));
        let counted = counted.filter(|(quota, _)| quota.units > Units::ZERO);
        for ((_, label), quota) in counted.zip(quotas) {
            let (name, unit) = (texts.push(&label.name), texts.push(&label.unit));
            states.push(LimitState { name, unit, ..label.quota_state(quota) });
        }
        states
    }

    fn denial(self, refusal: &Refusal) -> Box<Denial> {
        let (label, code, reason, asked) = match refusal.by {
            RefusedBy::Rate(i) => {
                let asked = self.take.rates.get(i).map_or(Units::ZERO, |rate| rate.units);
                (i, Code::RateLimited, Reason::Rate, asked)
            }
            RefusedBy::Quota(i, reason) => {
                let asked = self.take.quotas.get(i).map_or(Units::ZERO, |quota| quota.units);
                let (code, reason) = quota_refusal(reason);
                (self.take.rates.len() + i, code, reason, asked)
            }
            RefusedBy::ClockUnsettled(i) => {
                (self.take.rates.len() + i, Code::RateLimited, Reason::ClockUnsettled, Units::ZERO)
            }
            RefusedBy::Slow(i, _) => {
                let asked = self.take.quotas.get(i).map_or(Units::ZERO, |quota| quota.units);
                (self.take.rates.len() + i, Code::UsageLimitReached, Reason::Exhausted, asked)
            }
        };
        let mut denial = self.refusal(code);
        denial.reason = reason;
        denial.asked = asked.get();
        if let Some(label) = self.labels.get(label) {
            let (name, unit) = (denial.texts.push(&label.name), denial.texts.push(&label.unit));
            let state = match refusal.by {
                RefusedBy::Rate(i) => refusal.rates.get(i).map(|verdict| label.rate_state(verdict, self.now)),
                _ => refusal.quotas.last().map(|quota| label.quota_state(quota)),
            };
            if let Some(state) = state {
                denial.available = state.remaining.unwrap_or(0);
                denial.limits.push(LimitState { name, unit, ..state });
                denial.refusing_limit = Some(0);
            }
            if code == Code::UsageLimitReached {
                denial.status = label.status;
            }
        }
        denial.retry_after_ms = retry_after_ms(refusal, asked, self.now);
        denial
    }
}

/// How long to wait until the same call can succeed; `None` when waiting does not help.
fn retry_after_ms(refusal: &Refusal, asked: Units, now: Timestamp) -> Option<u64> {
    let up = |us: i64| u64::try_from(us.max(0)).unwrap_or(0).div_ceil(1_000);
    match refusal.by {
        RefusedBy::Rate(i) => refusal.rates.get(i).and_then(|verdict| verdict.wait_us).map(up),
        RefusedBy::Slow(_, verdict) => verdict.wait_us.map(up),
        RefusedBy::ClockUnsettled(_) | RefusedBy::Quota(_, LimitReason::Contended) => Some(1_000),
        RefusedBy::Quota(..) => {
            let quota = refusal.quotas.last()?;
            let never = quota.window.is_lifetime() || quota.cap.is_some_and(|cap| asked.signed() > cap);
            (!never).then(|| up(quota.window.end.micros_since(now)))
        }
    }
}

fn quota_refusal(reason: LimitReason) -> (Code, Reason) {
    match reason {
        LimitReason::Contended => (Code::RateLimited, Reason::Contended),
        LimitReason::Insufficient(_) => (Code::UsageLimitReached, Reason::Insufficient),
        _ => (Code::UsageLimitReached, Reason::Exhausted),
    }
}

impl Label {
    fn of_rate(call: &Call<'_>, rate: &RateDef, limit_id: LimitId, judged: &Judged<'_>) -> Self {
        Self {
            name: rate.name.clone(),
            unit: unit_of(call, rate).into(),
            exposed: rate.expose || is_own(&rate.subject, judged),
            status: 429,
            burst: Some((rate.rate.burst(), rate.rate.window_us())),
            local: rate.mode == RateMode::Local,
            limit_id,
        }
    }

    fn of_limit(call: &Call<'_>, limit: &LimitDef, limit_id: LimitId, judged: &Judged<'_>) -> Self {
        Self {
            name: limit.name.clone(),
            unit: call
                .policy()
                .meters()
                .at(limit.meter)
                .map_or_else(Box::default, |meter| meter.unit.clone()),
            exposed: limit.expose || is_own(&limit.subject, judged),
            status: limit.exhausted_status,
            burst: None,
            local: false,
            limit_id,
        }
    }

    fn rate_state(&self, verdict: &RateVerdict, now: Timestamp) -> LimitState {
        let (burst, window_us) = self.burst.unwrap_or((Units::ZERO, 0));
        let used = burst.get().saturating_sub(verdict.remaining.get());
        LimitState {
            id: self.limit_id,
            kind: LimitKind::Rate,
            quota: Some(burst.get()),
            used,
            remaining: Some(verdict.remaining.get()),
            resets_at: Some(now.plus_micros(if verdict.fits {
                verdict.next_us
            } else {
                verdict.wait_us.unwrap_or(0)
            })),
            window_s: Some(window_us.div_ceil(1_000_000)),
            percent: percent(used, Some(burst.get())),
            exposed: self.exposed,
            per_process: self.local,
            ..LimitState::EMPTY
        }
    }

    fn quota_state(&self, quota: &QuotaState) -> LimitState {
        let used = Units::clamped(quota.confirmed).get();
        let cap = quota.cap.map(|cap| Units::clamped(cap).get());
        let lifetime = quota.window.is_lifetime();
        let length_s = quota.window.end.micros_since(quota.window.start) / 1_000_000;
        LimitState {
            id: self.limit_id,
            kind: LimitKind::Quota,
            quota: cap,
            used,
            remaining: quota.cap.map(|cap| Units::clamped(cap - quota.charged).get()),
            resets_at: (!lifetime).then_some(quota.window.end),
            window_s: (!lifetime).then(|| u64::try_from(length_s).unwrap_or(0)),
            percent: percent(used, quota.included.map(Units::get).or(cap)),
            exposed: self.exposed,
            ..LimitState::EMPTY
        }
    }
}

fn rate_state(
    rate: &RateDef,
    _units: Units,
    verdict: RateVerdict,
    limit_id: LimitId,
    now: Timestamp,
    own: bool,
) -> LimitState {
    let burst = rate.rate.burst().get();
    let used = burst.saturating_sub(verdict.remaining.get());
    LimitState {
        id: limit_id,
        kind: LimitKind::Rate,
        quota: Some(burst),
        used,
        remaining: Some(verdict.remaining.get()),
        resets_at: Some(now.plus_micros(if verdict.fits {
            verdict.next_us
        } else {
            verdict.wait_us.unwrap_or(0)
        })),
        window_s: Some(rate.rate.window_us().div_ceil(1_000_000)),
        percent: percent(used, Some(burst)),
        exposed: rate.expose || own,
        per_process: rate.mode == RateMode::Local,
        ..LimitState::EMPTY
    }
}

/// Used in percent of `whole`, rounded down: 79.9 is not 80.
fn percent(used: u64, whole: Option<u64>) -> u16 {
    match whole {
        None => 0,
        Some(0) => 100,
        Some(whole) => u16::try_from(u128::from(used) * 100 / u128::from(whole)).unwrap_or(u16::MAX),
    }
}

fn unit_of<'c>(call: &Call<'c>, rate: &RateDef) -> &'c str {
    rate.meter.and_then(|meter| call.policy().meters().at(meter)).map_or("requests", |meter| &*meter.unit)
}

fn refuse_rate(
    call: &Call<'_>,
    judged: &Judged<'_>,
    limits: LimitStates,
    texts: Texts,
    asked: Units,
    verdict: RateVerdict,
) -> Stop {
    let mut denial = call.denial(Code::RateLimited, Reason::Rate);
    denial.who = Some(Box::new(identity_again(&judged.identity)));
    denial.refusing_limit = u8::try_from(limits.as_slice().len()).ok().and_then(|len| len.checked_sub(1));
    denial.limits = limits;
    denial.texts = texts;
    denial.asked = asked.get();
    denial.available = verdict.remaining.get();
    denial.retry_after_ms = verdict.wait_us.map(|us| u64::try_from(us.max(0)).unwrap_or(0).div_ceil(1_000));
    Stop::Deny(denial)
}

fn grant_of(who: Identity, now: Timestamp, revision: u32, limits: LimitStates, texts: Texts) -> Grant {
    let limited = if limits.as_slice().is_empty() { Flags::default() } else { Flags::LIMITED };
    Grant {
        who,
        texts,
        decided_at: now,
        policy_revision: revision,
        cost: 0,
        delay_ms: 0,
        flags: limited,
        limits,
        entitlements: 0,
        warning: None,
        charges: None,
    }
}

fn identity_again(identity: &Identity) -> Identity {
    Identity::new(identity.key_id, identity.scope.clone(), identity.plan())
}

/// The org first: its user is created in it.
fn tenants_to_create(judged: &Judged<'_>) -> Vec<TenantKey> {
    let scope = &judged.identity.scope;
    let account = AccountId::from_stored(scope.account_id());
    let org = scope.org_id().map(OrgId::from_stored);
    let mut create = Vec::new();
    if let Some(org) = org.clone().filter(|_| judged.create_org) {
        create.push(TenantKey::org(account.clone(), scope.environment(), org));
    }
    if let Some(user) = scope.user_id().filter(|_| judged.create_user) {
        create.push(TenantKey::user(account, scope.environment(), org, UserId::from_stored(user)));
    }
    create
}

/// The change that registers tenants: idempotent, within the caps, below active tenants only.
fn creation(pending: &Pending) -> Change {
    let mut change = Change { at: pending.now, ..Change::default() };
    for key in &pending.create {
        let (account_id, environment) = (key.account_id.clone(), key.environment.clone());
        change.guards.push(Guard::Active { key: TenantKey::account(account_id.clone()) });
        if key.user_id.is_some() {
            if let Some(org) = &key.org_id {
                change.guards.push(Guard::Active {
                    key: TenantKey::org(account_id.clone(), &environment, org.clone()),
                });
            }
            if let Some(max) = pending.max_users {
                change.guards.push(Guard::Users { account_id, environment, org_id: key.org_id.clone(), max });
            }
        } else if let Some(max) = pending.max_orgs {
            change.guards.push(Guard::Orgs { account_id, environment, max });
        }
        change.guards.push(Guard::Active { key: key.clone() });
        change.tenants.push(TenantWrite::Create {
            record: Box::new(TenantRecord {
                key: key.clone(),
                state: TenantState::Active,
                created_at: pending.now,
                updated_at: pending.now,
                plan: None,
                proof_secret: None,
                labels: std::collections::BTreeMap::new(),
                version: 0,
            }),
        });
    }
    change
}
