//! Where the text of a key may appear: in the answer that makes it, and nowhere else.

use crate::support::*;
use data_encoding::{BASE64, HEXLOWER};
use std::sync::Arc;
use std::sync::Mutex;
use tenantkit::observer::Event;
use tenantkit::seal::SealKey;
use tenantkit::store::{KeyFilter, KeyQuery, RecordStore, StandingFilter};
use tenantkit::{Caller, Code, KeyEdit, NewKey, Request, Rotation};

/// Every piece of a key's body that would give it away: 12 characters in a row, plain, in base64 or in hex.
fn assert_absent(haystack: &str, keys: &[String], shown: usize, place: &str) {
    for key in keys {
        let hidden = &key[shown..];
        for start in 0..hidden.len() - 12 {
            let piece = &hidden[start..start + 12];
            assert!(!haystack.contains(piece), "{place} holds a piece of a key");
        }
        for encoded in [BASE64.encode(key.as_bytes()), HEXLOWER.encode(key.as_bytes())] {
            assert!(!haystack.contains(&encoded), "{place} holds an encoded key");
        }
    }
}

#[test]
fn inv_43_a_keys_text_is_in_the_answer_that_makes_it_and_in_no_other_output() {
    let world = product("runstack");
    let mut sink = String::new();
    let mut keys = Vec::new();
    let mut note = |what: &dyn std::fmt::Debug| sink.push_str(&format!("{what:?}\n"));

    let issued = world.authority.issue(&admin().operation_id("a"), &runstack("laptop")).unwrap();
    note(&issued);
    keys.push(text(&issued));
    note(&world.authority.issue(&admin().operation_id("a"), &runstack("laptop")).unwrap());
    let id = issued.view.id;
    let rotated = world.authority.rotate(&admin(), ACCOUNT, &id, &Rotation::default()).unwrap();
    note(&rotated);
    keys.push(text(&rotated));
    let regenerated = world.authority.regenerate(&admin(), ACCOUNT, &rotated.view.id).unwrap();
    note(&regenerated);
    keys.push(text(&regenerated));
    let live = regenerated.view.id;
    note(&world.authority.update(&admin(), ACCOUNT, &live, &KeyEdit::default().name("x")).unwrap());
    note(&world.authority.keys(&admin(), ACCOUNT, &KeyFilter::default(), None, 200).unwrap());
    note(&world.authority.reveal(&admin(), ACCOUNT, &live).unwrap_err());
    for key in &keys {
        note(&world.authority.authorize(&Request::new("search_tools").key(key)).unwrap());
    }
    // A secret in the wrong place is not repeated.
    let wrong = &keys[0];
    note(&world.refusal(runstack("x").plan(wrong.as_str())));
    note(&world.refusal(runstack("x").kind(wrong.as_str())));
    note(&world.refusal(runstack("x").environment(wrong.as_str())));
    note(&world.refusal(runstack("x").role(wrong.as_str())));
    note(&world.refusal(runstack("x").template(wrong.as_str())));
    note(&world.refusal(runstack("x").permissions([wrong.as_str()])));
    note(&world.refusal(runstack("x").preset(wrong.as_str())));
    note(&world.refusal(runstack("x").expires_at(wrong.as_str())));
    note(&world.refusal(runstack("x").resources([wrong.as_str()])));
    note(&world.refusal(runstack("x").origins([wrong.as_str()])));
    note(&world.refusal(runstack("x").label("client", "y".repeat(300)).ip_allow([wrong.as_str()])));
    note(&wrong.parse::<tenantkit::key::id::KeyId>().unwrap_err());
    note(&world.authority.revoke_by_value(&Caller::admin("scanner"), &keys[2]).unwrap());
    note(&world.authority.audit(&admin(), ACCOUNT, 1, 1_000).unwrap());
    note(&world.events.lock().unwrap());
    note(&world.authority);
    note(&world.authority.health());

    // The store: every row, and the rows as JSON.
    let account = tenantkit::tenant::AccountId::parse(ACCOUNT, &Default::default()).unwrap();
    let filter = KeyFilter { standing: StandingFilter::All, ..KeyFilter::default() };
    let query = KeyQuery { account_id: account, filter, now: start(), after: None, limit: 200 };
    for stored in world.records.keys(&query).unwrap().keys {
        note(&stored);
        note(&serde_json::to_string(&stored.record).unwrap());
    }
    assert_eq!(keys.len(), 3);
    assert_absent(&sink, &keys, 12, "the output");
    assert!(sink.len() > 5_000);
}

#[test]
fn inv_44_what_the_store_holds_of_a_key_opens_nothing() {
    let world = product("runstack");
    let (key, view) = world.issue(runstack("a"));
    let account = tenantkit::tenant::AccountId::parse(ACCOUNT, &Default::default()).unwrap();
    let stored = world.records.key_by_id(&account, &view.id).unwrap().unwrap();
    let digest = HEXLOWER.encode(stored.record.digest.as_bytes());
    for presented in [digest.clone(), format!("rsk_{digest}"), view.id.to_string(), view.masked.to_string()] {
        assert_eq!(world.ask(&Request::new("search_tools").key(&presented)), "invalid_key", "{presented}");
    }
    assert_eq!(world.ask(&Request::new("search_tools").key(&key)), "ok");
    assert_eq!(stored.record.sealed, None);
}

#[test]
fn ms_17_ms_18_a_39_only_kinds_that_may_be_shown_again_are() {
    let policy = variant("mcpstack", &[("verified_domains = true", "verified_domains = false")]);
    let world = with(policy, |builder| builder);
    let new = service("embed").kind("public").resources(["agent:a1"]).origins(["https://app.example.com"]);
    let (key, view) = world.issue(new);
    world.clock.advance_seconds(1);
    let (secret, service) = world.issue(service("ci"));
    world.advance_days(30);
    assert_eq!(world.view(&view.id).value.as_deref(), Some(&*key));
    let page = world.authority.keys(&admin(), ACCOUNT, &KeyFilter::default(), None, 200).unwrap();
    let values: Vec<_> = page.items.iter().map(|key| key.value.as_deref()).collect();
    assert_eq!(values, [Some(&*key), None]);
    assert_eq!(world.authority.reveal(&admin(), ACCOUNT, &view.id).unwrap().reveal(), key);
    let error = world.authority.reveal(&admin(), ACCOUNT, &service.id).unwrap_err();
    assert_eq!(error.code(), Code::ValidationError);
    assert!(!format!("{page:?}").contains(&secret));
    // At rest the text is sealed, and every showing leaves a line.
    let account = tenantkit::tenant::AccountId::parse(ACCOUNT, &Default::default()).unwrap();
    let stored = world.records.key_by_id(&account, &view.id).unwrap().unwrap();
    assert_absent(
        &format!("{stored:?}{}", serde_json::to_string(&stored.record).unwrap()),
        &[key],
        12,
        "the row",
    );
    assert_eq!(world.audit_lines().last().unwrap(), &format!("key.reveal {} ok", view.id));
}

#[test]
fn a_39_test_only_shows_keys_of_the_sandbox() {
    let world =
        with(variant("runtype", &[("reveal = \"never\"", "reveal = \"test_only\"")]), |builder| builder);
    let (test_key, test) = world.issue(live("a").environment("test"));
    let (_, live) = world.issue(live("b"));
    assert_eq!(world.authority.reveal(&admin(), ACCOUNT, &test.id).unwrap().reveal(), test_key);
    check_code(world.authority.reveal(&admin(), ACCOUNT, &live.id), Code::ValidationError);
    assert_eq!(world.view(&test.id).value, None, "a secret is in no listing, revealable or not");
    let account = tenantkit::tenant::AccountId::parse(ACCOUNT, &Default::default()).unwrap();
    let kept = |id| world.records.key_by_id(&account, id).unwrap().unwrap().record.sealed.is_some();
    assert!(kept(&test.id) && !kept(&live.id), "what is never shown is not even kept");
}

#[test]
fn a_sealed_text_opens_under_its_key_and_in_its_row_only() {
    let policy = || variant("runtype", &[("reveal = \"never\"", "reveal = \"test_only\"")]);
    let world = with(policy(), |builder| builder);
    let (_, view) = world.issue(live("a").environment("test"));
    let usage = Arc::new(tenantkit::store::memory::MemoryUsage::new());
    let other = tenantkit::Authority::builder(policy())
        .stores(world.records.clone(), usage)
        .seal_key(SealKey::new(2, [8; 32]))
        .open()
        .unwrap();
    let error = other.reveal(&admin(), ACCOUNT, &view.id).unwrap_err();
    assert_eq!(error.kind(), tenantkit::ErrorKind::InvalidArgument);
    assert!(other.key(&admin(), ACCOUNT, &view.id).is_ok(), "the rest of the row is readable");
    let without = tenantkit::Authority::builder(policy()).open().unwrap_err();
    assert_eq!(without.kind(), tenantkit::ErrorKind::InvalidArgument);
}

#[test]
fn inv_45_no_key_is_issued_twice() {
    let world = with(policy("runstack"), |builder| builder.entropy(Arc::new(tenantkit::entropy::OsEntropy)));
    let keys = Mutex::new(std::collections::HashSet::new());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (world, keys) = (&world, &keys);
            scope.spawn(move || {
                for i in 0..250 {
                    let (key, view) =
                        world.issue(NewKey::new(ACCOUNT, format!("{thread}/{i}")).user_id("ann"));
                    assert!(
                        keys.lock().unwrap().insert(key) && keys.lock().unwrap().insert(view.id.to_string())
                    );
                }
            });
        }
    });
    assert_eq!(keys.lock().unwrap().len(), 2_000);
}

#[test]
fn a_random_source_that_fails_makes_no_key() {
    struct Broken;
    impl tenantkit::entropy::Entropy for Broken {
        fn fill(&self, _: &mut [u8]) -> Result<(), tenantkit::Error> {
            Err(tenantkit::Error::new(tenantkit::ErrorKind::Entropy, "no randomness"))
        }
    }
    let records = Arc::new(tenantkit::store::memory::MemoryRecords::new());
    let usage = Arc::new(tenantkit::store::memory::MemoryUsage::new());
    let opened = tenantkit::Authority::builder(policy("runstack"))
        .stores(records.clone(), usage)
        .entropy(Arc::new(Broken))
        .open();
    // Opening may need randomness too; whichever comes first refuses.
    let refused = match opened {
        Ok(authority) => authority.issue(&admin(), &runstack("a")).map(drop).unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(refused.kind(), tenantkit::ErrorKind::Entropy);
    let account = tenantkit::tenant::AccountId::parse(ACCOUNT, &Default::default()).unwrap();
    assert_eq!(records.audit_head(&account).unwrap(), None);
}

#[test]
fn events_of_changes_name_the_act_and_never_the_text() {
    let heard = Arc::new(Mutex::new(String::new()));
    let sink = Arc::clone(&heard);
    let observer = move |event: &Event<'_>| sink.lock().unwrap().push_str(&format!("{event:?}"));
    let world = with(policy("runstack"), |builder| builder.observer(Arc::new(observer)));
    let (key, _) = world.issue(runstack("a"));
    world.ask(&Request::new("search_tools").key(&key));
    let heard = heard.lock().unwrap();
    assert!(heard.contains("key.issue") && heard.contains("search_tools"));
    assert_absent(&heard, &[key], 12, "an event");
}
