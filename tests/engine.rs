//! The engine from outside, on every store of the crate.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;
use tenantkit::clock::ManualClock;
use tenantkit::{
    Authority, Caller, Code, Decision, KeyEdit, NewKey, Person, Policy, Request, Reserved, Rotation,
    TenantName, Timestamp,
};

struct Bench {
    authority: Authority,
    clock: Arc<ManualClock>,
    _folder: Option<tempfile::TempDir>,
}

fn start() -> Timestamp {
    Timestamp::parse("2026-03-01T12:00:00Z").unwrap()
}

fn policy(name: &str) -> Policy {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/policies/");
    Policy::from_file(format!("{folder}{name}.toml")).unwrap()
}

/// The same authority on memory and on SQLite.
fn on_each_store(name: &str, check: impl Fn(&Bench)) {
    let seal = || tenantkit::seal::SealKey::new(1, [7; 32]);
    for sqlite in [false, true] {
        let clock = Arc::new(ManualClock::new(start()));
        let folder = sqlite.then(|| tempfile::tempdir().unwrap());
        let mut builder =
            Authority::builder(policy(name)).clock(clock.clone()).seal_key(seal()).plan_hook(|_| Ok(true));
        if let Some(folder) = &folder {
            builder = builder.sqlite(folder.path().join("keys.db"));
        }
        check(&Bench { authority: builder.open().unwrap(), clock, _folder: folder });
    }
}

fn admin() -> Caller {
    Caller::admin("tests")
}

impl Bench {
    fn issue(&self, new: NewKey) -> (String, tenantkit::key::id::KeyId) {
        let issued = self.authority.issue(&admin(), &new).unwrap();
        (issued.key.unwrap().reveal().to_owned(), issued.view.id)
    }

    fn decide(&self, request: &Request<'_>) -> Decision {
        let cached = self.authority.inspect(request).unwrap();
        let decision = self.authority.authorize(request).unwrap();
        assert_eq!(
            cached.denial().map(|denial| denial.code()),
            decision.denial().map(|denial| denial.code()),
            "inspect and authorize agree on {request:?}"
        );
        decision
    }

    fn code(&self, request: &Request<'_>) -> Option<Code> {
        self.decide(request).denial().map(|denial| denial.code())
    }
}

#[test]
fn rs_03_fifty_executions_and_not_one_more() {
    on_each_store("runstack", |bench| {
        let (key, id) = bench.issue(NewKey::new("acme", "Claude Desktop").user_id("ada"));
        let execute = Request::new("execute_tool").key(&key);
        for n in 1..=50 {
            assert_eq!(bench.code(&execute), None, "call {n}");
        }
        let denial = bench.decide(&execute).into_result().unwrap_err();
        assert_eq!((denial.code(), denial.http_status()), (Code::UsageLimitReached, 429));
        assert_eq!(denial.retry_after_ms(), None, "nothing resets a lifetime limit");
        assert_eq!(bench.code(&Request::new("search_tools").key(&key)), None, "free tools go on");
        let usage = bench.authority.key_usage(&admin(), "acme", &id, &[]).unwrap();
        assert_eq!((usage[0].count, usage[0].percent, &*usage[0].state), (50, Some(100), "red"));
        assert!(usage[0].exhausted);
    });
}

#[test]
fn rs_27_an_upgrade_unblocks_and_keeps_the_count() {
    on_each_store("runstack", |bench| {
        let (key, id) = bench.issue(NewKey::new("acme", "k").user_id("ada"));
        let execute = Request::new("execute_tool").key(&key);
        (0..50).for_each(|_| assert_eq!(bench.code(&execute), None));
        assert_eq!(bench.code(&execute), Some(Code::UsageLimitReached));
        bench.authority.update(&admin(), "acme", &id, &KeyEdit::default().plan("STARTER")).unwrap();
        assert_eq!(bench.code(&execute), None);
        let usage = bench.authority.key_usage(&admin(), "acme", &id, &[]).unwrap();
        assert_eq!((usage[0].count, usage[0].cap), (51, None));
        bench.authority.update(&admin(), "acme", &id, &KeyEdit::default().plan("FREE")).unwrap();
        assert_eq!(
            bench.code(&execute),
            Some(Code::UsageLimitReached),
            "a downgrade below the count blocks at once"
        );
    });
}

#[test]
fn am_10_to_13_one_url_three_presets() {
    on_each_store("allmcp", |bench| {
        let solo = bench.issue(NewKey::new("acme", "solo").preset("solo").org_id("o0").user_id("u0")).0;
        let client = bench.issue(NewKey::new("acme", "client").preset("client").org_id("o1")).0;
        let platform = bench.issue(NewKey::new("acme", "platform").preset("platform")).0;
        let scope = |key: &str, query: &str| {
            let request =
                Request::new("provider_tool").key(key).query(query).dimensions(&[("provider", "x")]);
            match bench.decide(&request) {
                Decision::Allow(grant) => Ok((
                    grant.org_id().unwrap().to_owned(),
                    grant.user_id().unwrap().to_owned(),
                    grant.created(),
                )),
                Decision::Deny(denial) => Err(denial.code()),
            }
        };
        let ok = |org: &str, user: &str, created| Ok((org.to_owned(), user.to_owned(), created));
        assert_eq!(scope(&solo, ""), ok("o0", "u0", false));
        assert_eq!(scope(&solo, "user_id=u9"), Err(Code::UserMismatch));
        assert_eq!(scope(&client, ""), Err(Code::UserRequired));
        assert_eq!(scope(&client, "user_id=u1"), ok("o1", "u1", true));
        assert_eq!(scope(&client, "user_id=u1"), ok("o1", "u1", false));
        assert_eq!(scope(&client, "user_id=u1&org_id=o2"), Err(Code::OrgMismatch));
        assert_eq!(scope(&platform, "user_id=u1"), Err(Code::OrgRequired));
        assert_eq!(scope(&platform, "org_id=o7&user_id=u1"), ok("o7", "u1", true));
        assert_eq!(scope(&platform, "org_id=o7&user_id=u2"), ok("o7", "u2", true));
        assert_eq!(scope(&platform, "org_id=&user_id=u2"), Err(Code::OrgInvalid));
        let org = TenantName::org("acme", "o7");
        bench.authority.suspend_tenant(&admin(), &org).unwrap();
        assert_eq!(scope(&platform, "org_id=o7&user_id=u1"), Err(Code::OrgSuspended));
        bench.authority.resume_tenant(&admin(), &org).unwrap();
        assert_eq!(scope(&platform, "org_id=o7&user_id=u1"), ok("o7", "u1", false));
    });
}

#[test]
fn ms_07_people_and_keys_pass_one_permission_model() {
    on_each_store("mcpstack", |bench| {
        let operations: Vec<String> =
            bench.authority.policy().operations().names().map(str::to_owned).collect();
        for role in ["admin", "developer", "viewer"] {
            let issued = bench.issue(NewKey::new("acme", role).kind("service").org_id("o1").role(role));
            let person = Person::new("acme", "ada").member_of("o1", role);
            for operation in &operations {
                let request = Request::new(operation).org_id("o1").resource("agent:a1");
                let by_key =
                    bench.authority.authorize(&request.key(&issued.0)).map(|decision| decision.http_status());
                let by_person = bench
                    .authority
                    .authorize_person(&person, &request)
                    .map(|decision| decision.http_status());
                let public = bench.authority.policy().operation(operation).unwrap().public;
                if !public {
                    assert_eq!(by_key.unwrap(), by_person.unwrap(), "{role} {operation}");
                }
            }
        }
    });
}

#[test]
fn n_08_rotation_keeps_the_count_and_ends_the_old_key() {
    on_each_store("runtype", |bench| {
        let (old, id) = bench
            .issue(NewKey::new("acme", "ci").environment("live").org_id("o1").permissions(["FLOWS:READ"]));
        let read = |key: &str| bench.code(&Request::new("flows.list").key(key).environment("live"));
        assert_eq!(read(&old), None);
        let rotated =
            bench.authority.rotate(&admin(), "acme", &id, &Rotation::default().grace_s(3_600)).unwrap();
        let new = rotated.key.unwrap().reveal().to_owned();
        assert_eq!((read(&old), read(&new)), (None, None), "both work during the overlap");
        bench.clock.advance_seconds(3_600);
        assert_eq!((read(&old), read(&new)), (Some(Code::InvalidKey), None));
        bench.authority.revoke(&admin(), "acme", &rotated.view.id).unwrap();
        assert_eq!(read(&new), Some(Code::InvalidKey));
    });
}

#[test]
fn reservations_hold_commit_and_give_back() {
    on_each_store("runstack", |bench| {
        let (key, id) = bench.issue(NewKey::new("acme", "k").user_id("ada"));
        let count = || bench.authority.key_usage(&admin(), "acme", &id, &[]).unwrap()[0].count;
        let execute = Request::new("execute_tool").key(&key);
        let hold = || match bench.authority.reserve(&execute, 1).unwrap() {
            Reserved::Held(held) => held,
            Reserved::Denied(denial) => panic!("{denial:?}"),
        };
        hold().commit(1).unwrap();
        assert_eq!(count(), 1);
        hold().release().unwrap();
        drop(hold());
        assert_eq!(count(), 1);
        let held: Vec<_> = (0..49).map(|_| hold()).collect();
        assert!(
            matches!(bench.authority.reserve(&execute, 1).unwrap(), Reserved::Denied(_)),
            "all units are held"
        );
        assert_eq!(bench.authority.authorize(&execute).unwrap().http_status(), 429);
        drop(held);
        assert_eq!(bench.code(&execute), None);
        assert_eq!(count(), 2);
    });
}

#[test]
fn b13_an_operation_id_is_charged_once_and_refunded_once() {
    on_each_store("runstack", |bench| {
        let (key, id) = bench.issue(NewKey::new("acme", "k").user_id("ada"));
        let count = || bench.authority.key_usage(&admin(), "acme", &id, &[]).unwrap()[0].count;
        let request = Request::new("execute_tool").key(&key).operation_id("op-1");
        for replayed in [false, true, true] {
            let decision = bench.authority.authorize(&request).unwrap();
            assert_eq!(decision.grant().unwrap().replayed(), replayed);
        }
        assert_eq!(count(), 1);
        for _ in 0..2 {
            bench.authority.refund_operation(&request, "refund-1", None).unwrap();
            assert_eq!(count(), 0);
        }
        let mut grant = bench
            .authority
            .authorize(&Request::new("execute_tool").key(&key))
            .unwrap()
            .into_result()
            .unwrap();
        assert_eq!(count(), 1);
        bench.authority.refund(&mut grant, 1).unwrap();
        assert_eq!(count(), 0);
        assert!(bench.authority.refund(&mut grant, 1).is_err(), "a grant gives back once");
    });
}

#[test]
fn inv_26_parallel_calls_admit_exactly_the_limit() {
    on_each_store("runstack", |bench| {
        let (key, _) = bench.issue(NewKey::new("acme", "k").user_id("ada"));
        let admitted: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let request = Request::new("execute_tool").key(&key);
                        let decided = (0..25).map(|_| bench.authority.authorize(&request).unwrap());
                        decided.filter(Decision::is_allowed).count()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(admitted, 50);
    });
}
