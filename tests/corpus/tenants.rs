//! Category H: tenant ids.

use crate::Bytes;
use serde::Deserialize;
use tenantkit::code::Code;
use tenantkit::policy::model::ParamNames;
use tenantkit::tenant::params::{ParamRules, ParamSources, TenantParams};
use tenantkit::tenant::{IdSyntax, OrgId};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    param: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Id {
    pub(crate) id: String,
    note: String,
    #[serde(default)]
    queries: Vec<Bytes>,
    #[serde(default)]
    json: Vec<Bytes>,
    pair: Option<(Bytes, Bytes)>,
    scopes: Option<[(Bytes, Bytes); 2]>,
    expect: Alphabets,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Alphabets {
    narrow: Expect,
    wide: Expect,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Expect {
    Code(String),
    Tenants(Vec<Bytes>),
    TwoTenants(bool),
}

/// Org and user of one request.
type Named = Result<(Option<String>, Option<String>), Code>;

fn read(context: &Context, syntax: IdSyntax, sources: ParamSources<'_>) -> Named {
    let mut org = ParamNames::default();
    org.query = Some(context.param.as_str().into());
    let other = ParamNames::default();
    let rules = ParamRules { org: &org, user: &other, proof: &other, syntax };
    let params = TenantParams::read(&rules, &sources)?;
    Ok((params.org.map(Into::into), params.user.map(Into::into)))
}

pub(crate) fn run(context: &Context, case: &Id) {
    for (syntax, expect) in [(IdSyntax::narrow(), &case.expect.narrow), (IdSyntax::wide(), &case.expect.wide)]
    {
        let what = format!("{} {}, {syntax:?}", case.id, case.note);
        let direct = |org: &Bytes, user: Option<&Bytes>| {
            let (org, user) = (org.text(), user.map(Bytes::text));
            read(
                context,
                syntax,
                ParamSources { org_id: Some(&org), user_id: user.as_deref(), ..Default::default() },
            )
        };
        let named: Vec<Named> = match (&case.pair, &case.scopes) {
            (Some((a, b)), _) => vec![direct(a, None), direct(b, None)],
            (_, Some([a, b])) => vec![direct(&a.0, Some(&a.1)), direct(&b.0, Some(&b.1))],
            _ => {
                let query = |query: &Bytes| {
                    read(context, syntax, ParamSources { query: &query.text(), ..Default::default() })
                };
                case.queries.iter().map(query).collect()
            }
        };
        assert!(!named.is_empty() || !case.json.is_empty(), "{what}");
        match expect {
            Expect::Code(code) => {
                let refused =
                    |named: &Named| named.as_ref().err().is_some_and(|refusal| refusal.name() == code);
                // One half of a pair may be good by itself.
                let is_pair = case.pair.is_some() || case.scopes.is_some();
                assert!(
                    named.iter().any(refused) && (is_pair || named.iter().all(refused)) || named.is_empty(),
                    "{what}"
                );
                assert!(
                    case.json.iter().all(|json| serde_json::from_slice::<OrgId>(&json.get()).is_err()),
                    "{what}"
                );
            }
            Expect::Tenants(tenants) => {
                let expected: Vec<Named> = tenants.iter().map(|id| Ok((Some(id.text()), None))).collect();
                assert_eq!(named, expected, "{what}");
            }
            Expect::TwoTenants(two) => {
                assert!(named.iter().all(Result::is_ok), "{what}: {named:?}");
                assert_eq!(named[0] != named[1], *two, "{what}: {named:?}");
            }
        }
    }
}
