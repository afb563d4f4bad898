//! The product that is measured: client keys with open users, one permission and one rate.

use std::sync::Arc;
use tenantkit::clock::SystemClock;
use tenantkit::entropy::OsEntropy;
use tenantkit::key::digest::{DigestScheme, KeyDigest};
use tenantkit::key::id::KeyId;
use tenantkit::key::record::{KeyRecord, Lineage, Owner};
use tenantkit::resource::ResourceBinding;
use tenantkit::store::{
    Change, Expected, KeyWrite, RecordStore, TenantKey, TenantRecord, TenantState, TenantWrite,
};
use tenantkit::tenant::{AccountId, Bindings, IdSyntax, OrgBinding, OrgId, Preset, UserBinding, UserId};
use tenantkit::{Policy, Timestamp};

const POLICY: &str = r#"
name = "bench"

[environments.live]
label = "Live"

[kinds.key]
native = "bk"
permissions = "optional"

[kinds.key.presets.client]
org = "fixed"
user = "open"

[tenancy]
org_param = { query = "org_id" }
user_param = { query = "user_id" }
unknown_tenant = "known_only"

[[permissions]]
group = "Flows"
names = ["FLOWS:READ", "FLOWS:WRITE"]

[meters.calls]
label = "Calls"

[operations.read]
level = "user"
permission = "FLOWS:READ"
cost = { calls = 1 }
"#;

/// The policy with these further limits.
pub fn policy(more: &str) -> Policy {
    Policy::parse(&format!("{POLICY}\n{more}")).unwrap_or_else(|faults| panic!("{faults}"))
}

/// One local rate that is never reached, by number.
pub fn rate(n: usize) -> String {
    format!(
        "[[rates]]\nname = \"rate-{n}\"\nmeter = \"calls\"\nsubject = [\"key\"]\nrate = \"1000000000/s\"\n"
    )
}

/// A key's text and its user, ready to be presented.
pub struct Issued {
    pub key: String,
    pub query: String,
}

fn account(n: usize) -> AccountId {
    AccountId::parse(&format!("account-{n:04}"), &IdSyntax::narrow()).unwrap()
}

/// Fills `store` with `count` keys, each of one org of twelve bytes with one registered user.
pub fn fill(store: &dyn RecordStore, policy: &Policy, count: usize) -> Vec<Issued> {
    let clock: Arc<dyn tenantkit::clock::Clock> = Arc::new(SystemClock);
    let now = clock.now();
    let format = policy.formats().format(0, 0).unwrap();
    let mut issued = Vec::with_capacity(count);
    let mut change = Change { at: now, ..Change::default() };
    for n in 0..count {
        let key = format.generate(&OsEntropy).unwrap();
        let (account_id, user) = (account(n % 1_000), format!("user-{n:07}"));
        change.keys.push(KeyWrite::Put {
            record: Box::new(record(key.reveal(), account_id.clone(), now)),
            expected: Expected::Absent,
        });
        change.tenants.push(TenantWrite::Create { record: Box::new(user_row(account_id, &user, now)) });
        issued.push(Issued { key: key.reveal().to_owned(), query: format!("user_id={user}") });
        if change.keys.len() == 500 || n + 1 == count {
            store.apply(&change).unwrap();
            change = Change { at: now, ..Change::default() };
        }
    }
    issued
}

fn org() -> OrgId {
    OrgId::parse("org-00000001", &IdSyntax::narrow()).unwrap()
}

fn record(key: &str, account_id: AccountId, now: Timestamp) -> KeyRecord {
    let id = KeyId::generate(&OsEntropy, now).unwrap();
    let user = UserBinding::Open { create: false, default: None };
    KeyRecord {
        id,
        account_id,
        kind: "key".into(),
        environment: "live".into(),
        name: "bench".into(),
        digest: KeyDigest::sha256(key.as_bytes()),
        scheme: DigestScheme::Sha256,
        display: tenantkit::key::format::KeyDisplay::new("bk_live_", ""),
        sealed: None,
        owner: Owner::Account,
        bindings: Bindings::new(Preset::Client, OrgBinding::Fixed(org()), user).unwrap(),
        role: None,
        permissions: vec!["FLOWS:READ".into()],
        template: None,
        resources: ResourceBinding::None,
        origins: Vec::new(),
        ip_allow: None,
        plan: None,
        labels: std::collections::BTreeMap::new(),
        created_at: now,
        created_by: "bench".into(),
        updated_at: now,
        expires_at: None,
        disabled_at: None,
        revoked: None,
        lineage: Lineage { id, predecessor: None, successor: None },
        parent: None,
        secret_at: now,
    }
}

fn user_row(account_id: AccountId, user: &str, now: Timestamp) -> TenantRecord {
    let user = UserId::parse(user, &IdSyntax::narrow()).unwrap();
    TenantRecord {
        key: TenantKey::user(account_id, "live", Some(org()), user),
        state: TenantState::Active,
        created_at: now,
        updated_at: now,
        plan: None,
        proof_secret: None,
        labels: std::collections::BTreeMap::new(),
        version: 0,
    }
}
