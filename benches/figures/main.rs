//! The figures of the project, as ratios within one run: `make bench`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod fixtures;
mod harness;

use fixtures::{Issued, fill, policy, rate};
use harness::{Case, Goal, Line, report, time};
use sha2::{Digest, Sha256};
use std::hint::black_box;
use std::sync::Arc;
use tenantkit::store::memory::{MemoryRecords, MemoryUsage};
use tenantkit::{Authority, Policy, Request};

fn authority(policy: Policy, keys: usize) -> (Authority, Vec<Issued>) {
    let records = Arc::new(MemoryRecords::new());
    let issued = fill(&*records, &policy, keys);
    let authority = Authority::builder(policy)
        .stores(records, Arc::new(MemoryUsage::new()))
        .cache_capacity(keys.max(100_000))
        .open()
        .unwrap();
    (authority, issued)
}

fn allow(authority: &Authority, issued: &Issued) {
    let request = Request::new("read").key(&issued.key).query(&issued.query);
    let decision = authority.authorize(&request).unwrap();
    assert!(black_box(decision).is_allowed());
}

fn main() {
    let mut lines = Vec::new();
    let (hot, issued) = authority(policy(&rate(1)), 1_024);
    let (five, five_issued) = authority(policy(&(1..=5).map(rate).collect::<String>()), 1);
    let key = &issued[0];
    let mut wrong = key.key.clone().into_bytes();
    let last = wrong.len() - 1;
    wrong[last] = if wrong[last] == b'a' { b'b' } else { b'a' };
    let wrong = String::from_utf8(wrong).unwrap();
    let unknown = {
        let format = hot.policy();
        let format = format.formats().format(0, 0).unwrap().clone();
        format.generate(&tenantkit::entropy::OsEntropy).unwrap().reveal().to_owned()
    };
    let refused = |text: &str| {
        let request = Request::new("read").key(text).query(&key.query);
        assert!(!black_box(hot.authorize(&request).unwrap()).is_allowed());
    };
    let timings = time(vec![
        Case::new("sha256", |n| {
            for _ in 0..n {
                black_box(Sha256::digest(black_box(key.key.as_bytes())));
            }
        }),
        Case::new("P1", |n| (0..n).for_each(|_| allow(&hot, key))),
        Case::new("P3", |n| (0..n).for_each(|_| refused(&wrong))),
        Case::new("P4", |n| (0..n).for_each(|_| refused(&unknown))),
        Case::new("P7", |n| (0..n).for_each(|_| allow(&five, &five_issued[0]))),
    ]);
    let ns = |name: &str| timings.iter().find(|(n, _)| *n == name).unwrap().1.median_ns;
    let sha = ns("sha256");
    lines.push(Line {
        id: "",
        case: "SHA-256 of the key".into(),
        ns: Some(sha),
        figure: 1.0,
        unit: "x",
        goal: Goal::None,
    });
    let mut ratio = |id, case: &str, figure: f64, ns, goal| {
        lines.push(Line { id, case: case.into(), ns: Some(ns), figure, unit: "x", goal });
    };
    ratio("P1", "authorize, hot key, one rate", ns("P1") / sha, ns("P1"), Goal::AtMost(3.0));
    ratio("P3", "refused by checksum", ns("P3") / sha, ns("P3"), Goal::AtMost(0.7));
    ratio("P4", "unknown key", ns("P4") / sha, ns("P4"), Goal::AtMost(3.0));
    ratio("P7", "each further limit", (ns("P7") - ns("P1")) / 4.0 / sha, ns("P7"), Goal::AtMost(0.25));
    report(&lines);
}
