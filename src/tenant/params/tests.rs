use super::*;
use crate::headers::HeaderLine;
use proptest::prelude::*;

fn names(query: &str, header: &str) -> ParamNames {
    ParamNames { query: Some(query.into()), header: Some(header.parse().unwrap()), path: None }
}

fn read<'r>(syntax: IdSyntax, sources: &ParamSources<'r>) -> Result<TenantParams<'r>, Code> {
    let (org, user) = (names("org_id", "X-Org-Id"), names("user_id", "X-User-Id"));
    let proof = names("user_proof", "X-User-Proof");
    TenantParams::read(&ParamRules { org: &org, user: &user, proof: &proof, syntax }, sources)
}

/// Org and user under the wide syntax.
fn check(sources: ParamSources<'_>, expected: Result<(Option<&str>, Option<&str>), Code>) {
    let params = read(IdSyntax::wide(), &sources);
    let found = params.as_ref().map(|p| (p.org.as_deref(), p.user.as_deref())).map_err(|&code| code);
    assert_eq!(found, expected, "{:?} {:?} {:?}", sources.query, sources.org_id, sources.headers);
}

fn query(query: &str, expected: Result<(Option<&str>, Option<&str>), Code>) {
    check(ParamSources { query, ..Default::default() }, expected);
}

fn headers(lines: &[HeaderLine<'_>], expected: Result<(Option<&str>, Option<&str>), Code>) {
    check(ParamSources { headers: Headers::new(lines), ..Default::default() }, expected);
}

#[test]
fn only_declared_names_are_read() {
    query("", Ok((None, None)));
    query("org_id=o&user_id=u", Ok((Some("o"), Some("u"))));
    query("a=1&&org_id=o&b", Ok((Some("o"), None)));
    query("Org_id=o&org=o&org_id[]=o&org_ids=o&xorg_id=o&?org_id=o", Ok((None, None)));
    query("a=org_id=o;user_id=u", Ok((None, None)));
    query("other=%zz&bad%=1&%ff=2", Ok((None, None)));
    let undeclared = ParamNames::default();
    let rules =
        ParamRules { org: &undeclared, user: &undeclared, proof: &undeclared, syntax: IdSyntax::narrow() };
    let lines: &[HeaderLine<'_>] = &[("X-Org-Id", b"o")];
    let sources =
        ParamSources { query: "org_id=&org_id=", headers: Headers::new(lines), ..Default::default() };
    assert_eq!(TenantParams::read(&rules, &sources), Ok(TenantParams::default()));
}

#[test]
fn a_28_query_values_are_decoded_once_and_a_plus_is_a_plus() {
    query("user_id=a%40b.c", Ok((None, Some("a@b.c"))));
    query("user_id=a+b", Ok((None, Some("a+b"))));
    query("user_id=a%2Bb", Ok((None, Some("a+b"))));
    query("user_id=%252e", Ok((None, Some("%2e"))));
    query("user_id=%C3%A9", Ok((None, Some("é"))));
    query("user_id=é", Ok((None, Some("é"))));
    query("user_id=a=b", Ok((None, Some("a=b"))));
    query("user_id=%20a%20", Ok((None, Some(" a "))));
    query("org%5Fid=o&%75ser_id=u", Ok((Some("o"), Some("u"))));
    for bad in [
        "%",
        "%4",
        "%zz",
        "a%",
        "%4g",
        "%+4",
        "%ff",
        "%C3",
        "%C0%AF",
        "%ED%A0%80",
        "a%00b",
        "%0A",
        "\u{202e}",
    ] {
        query(&format!("user_id={bad}"), Err(Code::UserInvalid));
        query(&format!("org_id={bad}"), Err(Code::OrgInvalid));
    }
}

#[test]
fn header_and_path_values_stand_as_sent() {
    headers(&[("x-org-id", b"o%20"), ("X-USER-ID", "é".as_bytes())], Ok((Some("o%20"), Some("é"))));
    headers(&[("X_Org_Id", b"o")], Ok((None, None)));
    headers(&[("X-Org-Id", b"\xff")], Err(Code::OrgInvalid));
    headers(&[("X-Org-Id", b"o\n")], Err(Code::OrgInvalid));
    check(
        ParamSources { org_id: Some("%41"), user_id: Some(" u"), ..Default::default() },
        Ok((Some("%41"), Some(" u"))),
    );
}

#[test]
fn x_01_an_empty_value_is_not_an_absent_one() {
    for empty in ["org_id", "org_id=", "user_id=u&org_id="] {
        query(empty, Err(Code::OrgInvalid));
    }
    query("org_id=o&user_id", Err(Code::UserInvalid));
    headers(&[("X-Org-Id", b"")], Err(Code::OrgInvalid));
    check(ParamSources { user_id: Some(""), ..Default::default() }, Err(Code::UserInvalid));
}

#[test]
fn x_02_twice_in_one_carrier_is_refused_even_if_equal() {
    query("org_id=o&org_id=o", Err(Code::OrgDuplicate));
    query("org_id=o&org_id=p", Err(Code::OrgDuplicate));
    query("org_id=o&org%5fid=o", Err(Code::OrgDuplicate));
    query("org_id=&org_id=", Err(Code::OrgDuplicate));
    query("user_id=u&user_id=u", Err(Code::UserDuplicate));
    headers(&[("X-Org-Id", b"o"), ("x-org-id", b"o")], Err(Code::OrgDuplicate));
    headers(&[("X-User-Id", b"o"), ("x-user-id", b"o")], Err(Code::UserDuplicate));
}

#[test]
fn x_03_carriers_must_agree() {
    let with = |query: &str, header: Option<&str>, org_id: Option<&str>, expected| {
        let lines: Vec<HeaderLine<'_>> = header.iter().map(|value| ("X-Org-Id", value.as_bytes())).collect();
        let sources = ParamSources { query, headers: Headers::new(&lines), org_id, user_id: None };
        check(sources, expected);
    };
    with("org_id=o", Some("o"), Some("o"), Ok((Some("o"), None)));
    with("org_id=%6f", Some("o"), None, Ok((Some("o"), None)));
    with("org_id=o", Some("p"), None, Err(Code::TenantConflict));
    with("org_id=o", None, Some("O"), Err(Code::TenantConflict));
    with("", Some("o"), Some("p"), Err(Code::TenantConflict));
    with("org_id=o", Some(""), None, Err(Code::OrgInvalid));
    let lines: &[HeaderLine<'_>] = &[("X-User-Id", b"v")];
    let sources = ParamSources { query: "user_id=u", headers: Headers::new(lines), ..Default::default() };
    check(sources, Err(Code::TenantConflict));
}

#[test]
fn the_org_is_judged_before_the_user() {
    query("user_id=&org_id=", Err(Code::OrgInvalid));
    query("user_id=u&user_id=u&org_id=", Err(Code::OrgInvalid));
    query("user_id=&org_id=o&org_id=o", Err(Code::OrgDuplicate));
    query("user_id=%zz&org_id=o", Err(Code::UserInvalid));
}

#[test]
fn x_04_the_policys_syntax_judges_every_carrier() {
    let narrow = |sources: ParamSources<'_>| read(IdSyntax::narrow().with_max_len(8), &sources).map(|_| ());
    for (value, good) in
        [("org_1", true), ("12345678", true), ("123456789", false), ("null", false), ("a/b", false)]
    {
        let expected = if good { Ok(()) } else { Err(Code::OrgInvalid) };
        let in_query = format!("org_id={value}");
        let lines: &[HeaderLine<'_>] = &[("X-Org-Id", value.as_bytes())];
        assert_eq!(narrow(ParamSources { query: &in_query, ..Default::default() }), expected, "{value}");
        assert_eq!(
            narrow(ParamSources { headers: Headers::new(lines), ..Default::default() }),
            expected,
            "{value}"
        );
        assert_eq!(narrow(ParamSources { org_id: Some(value), ..Default::default() }), expected, "{value}");
    }
}

#[test]
fn a_proof_is_read_and_left_to_be_judged() {
    let proof = |query: &str, lines: &[HeaderLine<'_>], expected: ProofParam<'_>| {
        let sources = ParamSources { query, headers: Headers::new(lines), ..Default::default() };
        assert_eq!(read(IdSyntax::wide(), &sources).unwrap().proof, expected, "{query}");
    };
    let given = || ProofParam::Given(Cow::Borrowed("1.ab-_"));
    let long = "a".repeat(MAX_PROOF_LEN + 1);
    proof("", &[], ProofParam::Absent);
    proof("user_proof=1.ab-_", &[], given());
    proof("user_proof=1%2Eab-_", &[("X-User-Proof", b"1.ab-_")], given());
    proof("user_proof=1.ab-_", &[("X-User-Proof", b"1.ab")], ProofParam::Malformed);
    proof("user_proof=1&user_proof=1", &[], ProofParam::Malformed);
    proof("user_proof=%ff", &[], ProofParam::Malformed);
    proof(&format!("user_proof={long}"), &[], ProofParam::Malformed);
    proof(&format!("user_proof={}", &long[1..]), &[], ProofParam::Given(Cow::Borrowed(&long[1..])));
    assert_eq!(format!("{:?}", given()), "Given(redacted)");
}

#[test]
fn inv_63_what_is_read_is_bounded() {
    let padding = "a=1&".repeat(MAX_QUERY_LEN / 4);
    query(&format!("org_id=o&{}", &padding[9..]), Ok((Some("o"), None)));
    query(&format!("org_id=o&{padding}"), Err(Code::OrgInvalid));
    headers(&[("Accept", b"*/*".as_slice()); crate::headers::MAX_HEADERS + 1], Err(Code::OrgInvalid));
}

#[test]
fn nothing_is_allocated_for_plain_values() {
    let lines: &[HeaderLine<'_>] = &[("X-User-Id", b"u")];
    let sources = ParamSources { query: "org_id=o", headers: Headers::new(lines), ..Default::default() };
    let params = read(IdSyntax::narrow(), &sources).unwrap();
    assert!(matches!((params.org, params.user), (Some(Cow::Borrowed("o")), Some(Cow::Borrowed("u")))));
}

proptest! {
    #[test]
    fn encoding_is_undone_exactly_once(id in "\\PC{1,40}", plain in "[a-zA-Z0-9._~-]*") {
        let encoded: String = id.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let text = format!("user_id={plain}{encoded}");
        let sources = ParamSources { query: &text, ..Default::default() };
        let expected = format!("{plain}{id}");
        match (read(IdSyntax::wide(), &sources), IdSyntax::wide().check(&expected)) {
            (Ok(params), Ok(())) => prop_assert_eq!(params.user.as_deref(), Some(&*expected)),
            (Err(code), Err(_)) => prop_assert_eq!(code, Code::UserInvalid),
            (found, _) => prop_assert!(false, "{:?}", found),
        }
    }

    #[test]
    fn any_query_is_read_or_refused(query in "([&=%+]|org_id|user_id|[0-9a-f]|\\PC){0,30}") {
        let sources = ParamSources { query: &query, ..Default::default() };
        if let Ok(params) = read(IdSyntax::narrow(), &sources) {
            prop_assert!(params.org.iter().chain(&params.user).all(|id| IdSyntax::narrow().check(id).is_ok()));
        }
    }
}
