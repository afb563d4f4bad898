use super::*;
use crate::entropy::OsEntropy;
use crate::tenant::id::IdSyntax;
use std::collections::HashMap;

/// Names and their TXT records; a name that maps to `None` gets no answer.
struct Zone(HashMap<String, Option<Vec<String>>>);

impl Zone {
    fn with(name: &str, records: Option<&[&str]>) -> Self {
        let records = records.map(|records| records.iter().map(|&r| r.to_owned()).collect());
        Self(HashMap::from([(name.to_owned(), records)]))
    }
}

impl Resolver for Zone {
    fn txt(&self, name: &str) -> Result<Vec<String>, LookupError> {
        match self.0.get(name) {
            None => Ok(Vec::new()),
            Some(Some(records)) => Ok(records.clone()),
            Some(None) => Err(LookupError::new("timed out")),
        }
    }
}

struct Files(Result<Option<String>, LookupError>);

impl FileFetcher for Files {
    fn fetch(&self, url: &str) -> Result<Option<String>, LookupError> {
        assert_eq!(url, "https://example.com/.well-known/tenantkit-challenge.txt");
        self.0.clone()
    }
}

fn claim(org: &str, resource: Option<&str>) -> DomainClaim {
    DomainClaim {
        account_id: AccountId::parse("acme", &IdSyntax::wide()).unwrap(),
        org_id: Some(OrgId::parse(org, &IdSyntax::wide()).unwrap()),
        resource: resource.map(|r| Resource::parse(r).unwrap()),
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn pending() -> VerifiedDomain {
    let domain = DomainName::parse("example.com").unwrap();
    VerifiedDomain::challenge(claim("o1", Some("agent:a1")), domain, DomainMethod::Dns, &OsEntropy, at(0))
        .unwrap()
}

#[test]
fn ms_13_a_domain_counts_once_its_token_is_found() {
    let domain = pending();
    let claim = domain.claim().clone();
    assert_eq!(domain.state(), DomainState::Pending);
    assert!(!is_host_verified(std::slice::from_ref(&domain), &claim, "app.example.com", None));

    let zone = Zone::with("_tenantkit-challenge.example.com", Some(&["v=spf1 -all", &domain.proof_text()]));
    let check = domain.look_up_txt(&zone).unwrap();
    assert_eq!(check, TokenCheck::Found);
    let verified = domain.checked(check, at(1));
    assert_eq!((verified.state(), verified.verified_at()), (DomainState::Verified, Some(at(1))));
    for host in ["example.com", "app.example.com", "localhost", "127.0.0.1"] {
        assert!(is_host_verified(std::slice::from_ref(&verified), &claim, host, None), "{host}");
    }
    assert!(!is_host_verified(&[verified], &claim, "evilexample.com", None));
}

#[test]
fn only_the_own_token_in_the_right_place_verifies() {
    let domain = pending();
    let proof = domain.proof_text();
    let name = domain.txt_name();
    for (name, records) in [
        ("example.com", vec![proof.as_str()]),
        (&name, vec![]),
        (&name, vec!["tenantkit-verification="]),
        (&name, vec![&proof[..proof.len() - 1]]),
        (&name, vec![&proof.to_uppercase()]),
        (&name, vec![&format!("{proof} ")]),
        (&name, vec![&pending().proof_text()]),
    ] {
        let zone = Zone::with(name, Some(&records));
        assert_eq!(domain.look_up_txt(&zone), Ok(TokenCheck::Missing), "{records:?} at {name}");
    }
    assert_eq!(domain.clone().checked(TokenCheck::Missing, at(1)).state(), DomainState::Pending);
}

#[test]
fn a_claim_is_for_one_org_and_resource_only() {
    let domain = pending().checked(TokenCheck::Found, at(1));
    for other in [claim("o2", Some("agent:a1")), claim("o1", Some("agent:a2")), claim("o1", None)] {
        assert!(!is_host_verified(std::slice::from_ref(&domain), &other, "example.com", None), "{other:?}");
    }
}

#[test]
fn a_look_up_without_an_answer_changes_nothing() {
    let domain = pending();
    assert!(domain.look_up_txt(&Zone::with(&domain.txt_name(), None)).is_err());
    assert!(domain.look_up_file(&Files(Err(LookupError::new("refused")))).is_err());
}

#[test]
fn the_file_holds_the_proof_and_nothing_else() {
    let domain = pending();
    let proof = domain.proof_text();
    for (body, found) in [
        (Some(proof.clone()), true),
        (Some(format!("{proof}\n")), true),
        (Some(format!("{proof}\r\n")), true),
        (Some(format!("<p>{proof}</p>")), false),
        (Some(format!("{proof}{}", "\n".repeat(5_000))), false),
        (Some(String::new()), false),
        (None, false),
    ] {
        let expected = if found { TokenCheck::Found } else { TokenCheck::Missing };
        assert_eq!(domain.look_up_file(&Files(Ok(body.clone()))), Ok(expected), "{body:?}");
    }
}

#[test]
fn a_17_a_loss_counts_only_while_re_checking_is_on() {
    let week = 7 * 86_400;
    let verified = pending().checked(TokenCheck::Found, at(0));
    assert!(!verified.is_recheck_due(None, at(i64::MAX / 2_000_000)));
    assert!(!verified.is_recheck_due(Some(week), at(i64::from(week) - 1)));
    assert!(verified.is_recheck_due(Some(week), at(i64::from(week))));
    assert!(!pending().is_recheck_due(Some(week), at(i64::from(week))));

    let lost = verified.checked(TokenCheck::Missing, at(10));
    assert_eq!(lost.state(), DomainState::Lost);
    assert!(!lost.covers("example.com", Some(week)));
    assert!(lost.covers("example.com", None));
    // Published again, it counts again.
    let back = lost.checked(TokenCheck::Found, at(20));
    assert_eq!(
        (back.state(), back.verified_at(), back.checked_at()),
        (DomainState::Verified, Some(at(0)), Some(at(20)))
    );
}

#[test]
fn tokens_differ_and_rows_are_told_apart_by_claim_and_domain() {
    let (a, b) = (pending(), pending());
    assert_ne!(a.proof_text(), b.proof_text());
    assert_eq!(a.proof_text().len(), "tenantkit-verification=".len() + 32);
    assert!(a.is_same_claim(&b));
    let mut other = b;
    other.domain = DomainName::parse("example.org").unwrap();
    assert!(!a.is_same_claim(&other));
}

#[test]
fn records_read_back_what_was_stored() {
    for domain in [pending(), pending().checked(TokenCheck::Found, at(1)).checked(TokenCheck::Missing, at(2))]
    {
        let json = serde_json::to_string(&domain).unwrap();
        assert_eq!(serde_json::from_str::<VerifiedDomain>(&json).unwrap(), domain);
        assert!(
            serde_json::from_str::<VerifiedDomain>(&json.replace("example.com", "example.com.")).is_err()
        );
    }
}
