//! Domains of publishable keys.

use crate::support::*;
use std::sync::Mutex;
use tenantkit::domain::{DomainMethod, DomainState, FileFetcher, LookupError, Resolver};
use tenantkit::{Caller, Code, DomainRequest, KeyEdit, Lookup, NewKey, Person, Request};

/// A zone of TXT records; a name that is not there has none. `None` as records: no answer.
#[derive(Default)]
struct Zone(Mutex<Vec<(String, Option<Vec<String>>)>>);

impl Zone {
    fn publish(&self, name: &str, text: &str) {
        self.0
            .lock()
            .unwrap()
            .insert(0, (name.to_owned(), Some(vec!["other=1".to_owned(), text.to_owned()])));
    }

    fn fail(&self, name: &str) {
        self.0.lock().unwrap().insert(0, (name.to_owned(), None));
    }

    fn clear(&self) {
        self.0.lock().unwrap().clear();
    }
}

impl Resolver for Zone {
    fn txt(&self, name: &str) -> Result<Vec<String>, LookupError> {
        let zone = self.0.lock().unwrap();
        match zone.iter().find(|(known, _)| known == name) {
            None => Ok(Vec::new()),
            Some((_, Some(records))) => Ok(records.clone()),
            Some((_, None)) => Err(LookupError::new("servfail")),
        }
    }
}

impl FileFetcher for Zone {
    fn fetch(&self, url: &str) -> Result<Option<String>, LookupError> {
        Ok(self.txt(url)?.pop())
    }
}

fn request() -> DomainRequest {
    DomainRequest::new("example.com").org_id("org_1").resource("agent:a1")
}

fn public(agent: &str, origin: &str) -> NewKey {
    service("embed").kind("public").resources([agent]).origins([origin])
}

#[test]
fn ms_13_a_public_key_needs_a_verified_domain() {
    let (world, zone) = (product("mcpstack"), Zone::default());
    let new = public("agent:a1", "https://app.example.com");
    assert_eq!(world.refusal(new.clone()).code(), Code::DomainNotVerified);
    let claimed = world.authority.claim_domain(&admin(), ACCOUNT, &request()).unwrap();
    assert_eq!((claimed.state, claimed.method), (DomainState::Pending, DomainMethod::Dns));
    assert_eq!(claimed.publish_at, "_tenantkit-challenge.example.com");
    assert_eq!(world.refusal(new.clone()).code(), Code::DomainNotVerified, "claimed is not verified");
    let verify =
        || world.authority.verify_domain(&admin(), ACCOUNT, &request(), Lookup::dns(&zone)).unwrap().state;
    assert_eq!(verify(), DomainState::Pending);
    zone.publish(&claimed.publish_at, &claimed.publish);
    assert_eq!(verify(), DomainState::Verified);
    let (key, view) = world.issue(new.clone());
    let chat = Request::new("agent.chat").key(&key).org_id("org_1").resource("agent:a1");
    assert_eq!(world.ask(&chat.origin("https://app.example.com")), "ok");
    // Per agent and org, and sub-domains only.
    for other in [
        public("agent:a2", "https://app.example.com"),
        new.clone().org_id("org_2"),
        public("agent:a1", "https://evilexample.com"),
        public("agent:a1", "https://example.org"),
    ] {
        assert_eq!(world.refusal(other).code(), Code::DomainNotVerified);
    }
    world.issue(public("agent:a1", "https://example.com"));
    world.issue(public("agent:a9", "http://localhost:3000"));
    let elsewhere = KeyEdit::default().origins(["https://app.example.net"]);
    check_code(world.authority.update(&admin(), ACCOUNT, &view.id, &elsewhere), Code::DomainNotVerified);
}

#[test]
fn a_17_a_look_up_without_an_answer_changes_nothing() {
    let (world, zone) = (product("mcpstack"), Zone::default());
    let claimed = world.authority.claim_domain(&admin(), ACCOUNT, &request()).unwrap();
    let verify = || world.authority.verify_domain(&admin(), ACCOUNT, &request(), Lookup::dns(&zone));
    zone.publish(&claimed.publish_at, &claimed.publish);
    verify().unwrap();
    zone.fail(&claimed.publish_at);
    let error = verify().unwrap_err();
    assert!(error.is_retryable() && error.kind() == tenantkit::ErrorKind::StoreUnavailable);
    assert_eq!(world.authority.domains(&admin(), ACCOUNT).unwrap()[0].state, DomainState::Verified);
    zone.clear();
    assert_eq!(verify().unwrap().state, DomainState::Lost);
    zone.publish(&claimed.publish_at, &claimed.publish);
    assert_eq!(verify().unwrap().state, DomainState::Verified);
}

#[test]
fn a_claim_keeps_its_proof_until_it_is_given_up() {
    let (world, zone) = (product("mcpstack"), Zone::default());
    let claim = || world.authority.claim_domain(&admin(), ACCOUNT, &request()).unwrap();
    let first = claim();
    assert_eq!(claim(), first);
    let file = request().method(DomainMethod::Http);
    let by_file = world.authority.claim_domain(&admin(), ACCOUNT, &file).unwrap();
    assert_eq!(by_file.publish_at, "https://example.com/.well-known/tenantkit-challenge.txt");
    zone.publish(&by_file.publish_at, &by_file.publish);
    let error = world.authority.verify_domain(&admin(), ACCOUNT, &file, Lookup::dns(&zone)).unwrap_err();
    assert_eq!(error.kind(), tenantkit::ErrorKind::InvalidArgument, "no fetcher was given");
    let both = Lookup::dns(&zone).or(Lookup::files(&zone));
    assert_eq!(
        world.authority.verify_domain(&admin(), ACCOUNT, &file, both).unwrap().state,
        DomainState::Verified
    );
    world.authority.remove_domain(&admin(), ACCOUNT, &request()).unwrap();
    check_code(world.authority.remove_domain(&admin(), ACCOUNT, &request()), Code::ResourceNotFound);
    check_code(world.authority.verify_domain(&admin(), ACCOUNT, &request(), both), Code::ResourceNotFound);
    assert_ne!(claim().publish, first.publish);
}

#[test]
fn domains_are_claimed_where_the_caller_belongs() {
    let world = product("mcpstack");
    let member = Caller::person(Person::new(ACCOUNT, "ann").member_of("org_1", "admin"));
    world.authority.claim_domain(&member, ACCOUNT, &request()).unwrap();
    let elsewhere = request().org_id("org_2");
    check_code(world.authority.claim_domain(&member, ACCOUNT, &elsewhere), Code::GrantExceedsCreator);
    world.authority.claim_domain(&admin(), ACCOUNT, &elsewhere).unwrap();
    assert_eq!(world.authority.domains(&member, ACCOUNT).unwrap().len(), 1);
    assert_eq!(world.authority.domains(&admin(), ACCOUNT).unwrap().len(), 2);
    assert!(world.authority.domains(&admin(), "globex").unwrap().is_empty());
    for (bad, field) in [
        (DomainRequest::new("not a domain"), "domain"),
        (DomainRequest::new("com"), "domain"),
        (request().resource("agent"), "resource"),
        (request().org_id(""), "org_id"),
    ] {
        let error = world.authority.claim_domain(&admin(), ACCOUNT, &bad).unwrap_err();
        assert_eq!(fields(&error), [field], "{bad:?}");
    }
}

#[test]
fn a_claim_made_anew_while_it_was_looked_up_is_not_verified() {
    /// Gives the claim up and makes it anew before it answers for the old one.
    struct Meddler<'w>(&'w World, String);
    impl Resolver for Meddler<'_> {
        fn txt(&self, _: &str) -> Result<Vec<String>, LookupError> {
            self.0.authority.remove_domain(&admin(), ACCOUNT, &request()).unwrap();
            self.0.authority.claim_domain(&admin(), ACCOUNT, &request()).unwrap();
            Ok(vec![self.1.clone()])
        }
    }
    let world = product("mcpstack");
    let claimed = world.authority.claim_domain(&admin(), ACCOUNT, &request()).unwrap();
    let meddler = Meddler(&world, claimed.publish);
    let verified = world.authority.verify_domain(&admin(), ACCOUNT, &request(), Lookup::dns(&meddler));
    check_code(verified, Code::VersionConflict);
    assert_eq!(world.authority.domains(&admin(), ACCOUNT).unwrap()[0].state, DomainState::Pending);
}

#[test]
fn a_17_with_re_checking_a_domain_falls_due_and_its_loss_counts() {
    let policy = variant("mcpstack", &[("recheck = \"off\"", "recheck = \"24h\"")]);
    let (world, zone) = (with(policy, |builder| builder), Zone::default());
    let claimed = world.authority.claim_domain(&admin(), ACCOUNT, &request()).unwrap();
    zone.publish(&claimed.publish_at, &claimed.publish);
    let verify = || world.authority.verify_domain(&admin(), ACCOUNT, &request(), Lookup::dns(&zone)).unwrap();
    assert!(!verify().recheck_due);
    let due = || world.authority.domains(&admin(), ACCOUNT).unwrap()[0].recheck_due;
    world.clock.advance_seconds(86_399);
    assert!(!due());
    world.clock.advance_seconds(1);
    assert!(due());
    let (key, _) = world.issue(public("agent:a1", "https://app.example.com"));
    let chat = Request::new("agent.chat").key(&key).org_id("org_1").resource("agent:a1");
    let ask = || world.ask(&chat.origin("https://app.example.com"));
    assert_eq!(ask(), "ok");
    zone.clear();
    assert_eq!((verify().state, due(), ask()), (DomainState::Lost, false, "domain_not_verified"));
}
