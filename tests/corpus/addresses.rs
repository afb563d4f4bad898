//! Category G: client addresses and lists of networks.

use crate::Bytes;
use serde::Deserialize;
use std::net::IpAddr;
use tenantkit::address::{ForwardedHeader, NetworkList, TrustedProxies, limiter_address};
use tenantkit::headers::{HeaderLine, Headers};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    trusted: Vec<String>,
    peer: IpAddr,
    header: String,
    allow: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hop {
    pub(crate) id: String,
    note: String,
    /// `Some(None)` is a Unix socket.
    #[serde(default, deserialize_with = "present")]
    peer: Option<Option<IpAddr>>,
    header: Option<String>,
    allow: Option<Vec<String>>,
    #[serde(default)]
    requests: Vec<Vec<Bytes>>,
    #[serde(default)]
    other: Vec<(String, Bytes)>,
    load: Option<Vec<String>>,
    load_times: Option<usize>,
    #[serde(default)]
    limiter: Vec<IpAddr>,
    expect: Expect,
}

#[derive(Deserialize, PartialEq, Debug)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Expect {
    Client(IpAddr),
    Code(String),
    LoadError(bool),
    LimiterKey(IpAddr),
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<IpAddr>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

pub(crate) fn run(context: &Context, case: &Hop) {
    let what = format!("{} {}", case.id, case.note);
    if let Some(list) = &case.load {
        let list: Vec<_> = list.iter().cycle().take(case.load_times.unwrap_or(list.len())).collect();
        assert_eq!(Expect::LoadError(NetworkList::parse(list).is_err()), case.expect, "{what}");
        return;
    }
    for address in &case.limiter {
        assert_eq!(Expect::LimiterKey(limiter_address(*address)), case.expect, "{what}");
    }
    assert!(!case.requests.is_empty() || !case.limiter.is_empty(), "{what}");

    let name = case.header.as_ref().unwrap_or(&context.header);
    let header = match name.as_str() {
        "Forwarded" => ForwardedHeader::Forwarded,
        other => ForwardedHeader::List(other.parse().unwrap()),
    };
    let proxies = TrustedProxies::new(NetworkList::parse(&context.trusted).unwrap(), header);
    let allow = NetworkList::parse(case.allow.as_ref().unwrap_or(&context.allow)).unwrap();
    let peer = case.peer.unwrap_or(Some(context.peer));
    for (values, number) in case.requests.iter().zip(1..) {
        let values: Vec<_> = values.iter().map(|value| (name.as_str(), value.get())).collect();
        let other: Vec<_> = case.other.iter().map(|(name, value)| (name.as_str(), value.get())).collect();
        let lines: Vec<HeaderLine<'_>> =
            values.iter().chain(&other).map(|(n, v)| (*n, v.as_slice())).collect();
        let client = proxies.client_address(peer, Headers::new(&lines));
        let outcome = match client {
            Some(client) if allow.allows(Some(client)) => Expect::Client(client),
            _ => Expect::Code("ip_not_allowed".to_owned()),
        };
        assert_eq!(outcome, case.expect, "{what}, request {number}");
    }
}
