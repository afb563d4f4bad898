//! Categories D and E: credential headers, and keys where no key is read.

use crate::Bytes;
use crate::keys::formats;
use serde::Deserialize;
use tenantkit::code::Code;
use tenantkit::credential::{BearerOther, Carrier, Carriers, Credential};
use tenantkit::headers::{HeaderLine, HeaderName, Headers};

type Lines = Vec<(String, Bytes)>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    #[serde(rename = "good_key")]
    _good_key: Bytes,
    carriers: Vec<String>,
    bearer_other: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    pub(crate) id: String,
    note: String,
    surface: Option<String>,
    #[serde(default)]
    requests: Vec<Lines>,
    raw: Option<Bytes>,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrongPlace {
    pub(crate) id: String,
    note: String,
    #[serde(rename = "method")]
    _method: Option<String>,
    target: Bytes,
    #[serde(default)]
    headers: Lines,
    body: Option<Bytes>,
    expect: Expect,
}

#[derive(Deserialize, PartialEq, Debug)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Expect {
    Code(String),
    Accept(String),
    RefusedByServer(Vec<u16>),
}

/// The carriers of the corpus.
pub(crate) fn carriers() -> Carriers {
    let carriers = [Carrier::Bearer, Carrier::ApiKeyHeader(HeaderName::X_API_KEY)];
    Carriers::new(carriers, BearerOther::Reject).unwrap()
}

/// What the parsers make of these lines: the key, or the code of the refusal.
fn judge(lines: &Lines) -> Expect {
    let values: Vec<_> = lines.iter().map(|(name, value)| (name, value.get())).collect();
    let lines: Vec<HeaderLine<'_>> =
        values.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
    let code = match carriers().extract(Headers::new(&lines), |text| formats().is_ours(text)) {
        Credential::Key(text, _) if formats().parse(text).is_ok() => {
            return Expect::Accept(data_encoding::HEXLOWER.encode(text));
        }
        Credential::Key(..) | Credential::Malformed => Code::InvalidKey,
        Credential::Conflict => Code::CredentialConflict,
        Credential::Missing => Code::MissingCredential,
        Credential::Human(_) => panic!("people have no part in the corpus"),
    };
    Expect::Code(code.name().to_owned())
}

fn check_context(context: &Context) {
    assert_eq!((&*context.carriers.join(" "), &*context.bearer_other), ("bearer X-API-Key", "reject"));
}

pub(crate) fn run(context: &Context, case: &Request) {
    check_context(context);
    if let Expect::RefusedByServer(statuses) = &case.expect {
        // Framing is over before headers are read; the HTTP server's own tests send these bytes.
        assert!(case.raw.as_ref().unwrap().get().starts_with(b"GET ") && statuses == &[400], "{}", case.id);
        assert!(["D-31", "D-32"].contains(&&*case.id));
        return;
    }
    assert!(case.surface.is_none() || case.id == "D-27", "{} is skipped", case.id);
    assert!(!case.requests.is_empty(), "{}", case.id);
    for (lines, number) in case.requests.iter().zip(1..) {
        assert_eq!(judge(lines), case.expect, "{} {}, request {number}", case.id, case.note);
    }
}

pub(crate) fn run_wrong_place(context: &Context, case: &WrongPlace) {
    check_context(context);
    let all: Vec<u8> = [case.target.get()]
        .into_iter()
        .chain(case.headers.iter().map(|(_, value)| value.get()))
        .chain(case.body.iter().map(Bytes::get))
        .flatten()
        .collect();
    let key = b"acme_live_7kQ2mZx9Lw4RtY8vB3nHs6JdF1gPcA5e";
    assert!(all.windows(key.len()).any(|part| part == key), "{} holds no key", case.id);
    assert_eq!(judge(&case.headers), case.expect, "{} {}", case.id, case.note);
}
