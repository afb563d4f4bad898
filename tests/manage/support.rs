//! A product to manage: an authority over one of the example policies, or over a policy of the test's own.

use std::sync::{Arc, Mutex};
use tenantkit::clock::ManualClock;
use tenantkit::decision::Decision;
use tenantkit::entropy::FixedEntropy;
use tenantkit::key::id::KeyId;
use tenantkit::observer::Event;
use tenantkit::seal::SealKey;
use tenantkit::store::memory::{MemoryRecords, MemoryUsage};
use tenantkit::{
    Authority, AuthorityBuilder, Caller, Code, Error, IssuedKey, KeyView, NewKey, Policy, Request, Timestamp,
};

pub(crate) const ACCOUNT: &str = "acme";

/// An authority, and what it stands on.
pub(crate) struct World {
    pub(crate) authority: Authority,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) records: Arc<MemoryRecords>,
    pub(crate) events: Arc<Mutex<Vec<String>>>,
}

/// A deterministic source: every byte is another.
pub(crate) struct Counter(u64);

impl rand_core::TryRng for Counter {
    type Error = std::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        rand_core::utils::next_word_via_fill(self)
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        rand_core::utils::next_word_via_fill(self)
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        use sha2::Digest as _;
        for chunk in bytes.chunks_mut(32) {
            self.0 += 1;
            let block = sha2::Sha256::digest(self.0.to_be_bytes());
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Counter {}

/// Noon of 15 January 2026.
pub(crate) fn start() -> Timestamp {
    Timestamp::parse("2026-01-15T12:00:00Z").unwrap()
}

pub(crate) fn product(name: &str) -> World {
    with(policy(name), |builder| builder)
}

pub(crate) fn policy(name: &str) -> Policy {
    let path = format!("{}/examples/policies/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    Policy::from_file(path).unwrap_or_else(|e| panic!("{e:?}"))
}

/// One of the example policies with some of its text replaced.
pub(crate) fn variant(name: &str, changes: &[(&str, &str)]) -> Policy {
    let path = format!("{}/examples/policies/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let mut text = std::fs::read_to_string(path).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "`{from}` is not in {name}.toml");
        text = text.replace(from, to);
    }
    Policy::parse(&text).unwrap_or_else(|e| panic!("{e}"))
}

pub(crate) fn with(policy: Policy, configure: impl FnOnce(AuthorityBuilder) -> AuthorityBuilder) -> World {
    let clock = Arc::new(ManualClock::new(start()));
    let records = Arc::new(MemoryRecords::new());
    let usage = Arc::new(MemoryUsage::with_clock(clock.clone()));
    let events = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&events);
    let observer = move |event: &Event<'_>| {
        if let Event::Changed { actor, act, object } = event {
            heard.lock().unwrap().push(format!("{actor} {act} {object}"));
        }
    };
    let builder = Authority::builder(policy)
        .stores(records.clone(), usage)
        .clock(clock.clone())
        .entropy(Arc::new(FixedEntropy::new(Counter(0))))
        .seal_key(SealKey::new(1, [7; 32]))
        .observer(Arc::new(observer));
    let authority = configure(builder).open().unwrap();
    World { authority, clock, records, events }
}

pub(crate) fn admin() -> Caller {
    Caller::admin("alice")
}

impl World {
    /// Issues a key as the administrator.
    pub(crate) fn issue(&self, new: NewKey) -> (String, KeyView) {
        let issued = self.authority.issue(&admin(), &new).unwrap_or_else(|e| panic!("{e:?}"));
        (text(&issued), issued.view)
    }

    /// Why a key is not issued.
    pub(crate) fn refusal(&self, new: NewKey) -> Error {
        self.authority.issue(&admin(), &new).expect_err("the key was issued")
    }

    /// `ok`, or the code of the denial.
    pub(crate) fn ask(&self, request: &Request<'_>) -> &'static str {
        match self.authority.authorize(request).unwrap() {
            Decision::Allow(_) => "ok",
            Decision::Deny(denial) => denial.code().name(),
        }
    }

    /// A key as it is now.
    pub(crate) fn view(&self, id: &KeyId) -> KeyView {
        self.authority.key(&admin(), ACCOUNT, id).unwrap()
    }

    pub(crate) fn advance_days(&self, days: i64) {
        self.clock.advance_seconds(days * 86_400);
    }

    /// The account's audit lines, as `act object outcome`.
    pub(crate) fn audit_lines(&self) -> Vec<String> {
        let entries = self.authority.audit(&admin(), ACCOUNT, 1, 1_000).unwrap();
        entries.iter().map(|e| format!("{} {} {}", e.draft.act, e.draft.object, e.draft.outcome)).collect()
    }
}

/// The text of a key that was just made.
pub(crate) fn text(issued: &IssuedKey) -> String {
    issued.key.as_ref().expect("a new key has its text").reveal().to_owned()
}

/// The fields an error complains about.
pub(crate) fn fields(error: &Error) -> Vec<&str> {
    error.fields().iter().map(|field| &*field.field).collect()
}

#[track_caller]
pub(crate) fn check_code<T>(result: Result<T, Error>, code: Code) {
    match result {
        Ok(_) => panic!("allowed instead of `{code}`"),
        Err(error) => assert_eq!(error.code(), code, "{error:?}"),
    }
}

/// New keys of the products, with what their policies need.
pub(crate) fn runstack(name: &str) -> NewKey {
    NewKey::new(ACCOUNT, name).user_id("ann")
}

pub(crate) fn service(name: &str) -> NewKey {
    NewKey::new(ACCOUNT, name).org_id("org_1")
}

pub(crate) fn live(name: &str) -> NewKey {
    NewKey::new(ACCOUNT, name).org_id("org_1").environment("live")
}
