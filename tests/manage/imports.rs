//! Taking keys over by their digests.

use crate::support::*;
use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use sha2::{Digest, Sha256};
use std::io::{BufRead, BufReader, Read};
use tenantkit::key::digest::{DigestEncoding, Digester, Pepper};
use tenantkit::{
    Caller, Code, Error, ErrorKind, ImportEvent, ImportOptions, ImportReport, NewKey, Person, Request,
};

/// A key as another system would have made it.
fn foreign_key(i: usize) -> String {
    format!("rsk_{}", HEXLOWER.encode(&Sha256::digest(i.to_be_bytes())))
}

fn digest(i: usize) -> String {
    HEXLOWER.encode(&Sha256::digest(foreign_key(i)))
}

fn line(i: usize) -> String {
    let key = foreign_key(i);
    format!(
        r#"{{"digest":"{}","name":"key {i}","user_id":"u{i}","key_prefix":"{}","created_at":"2025-06-01T00:00:00Z"}}"#,
        digest(i),
        &key[..12]
    )
}

fn lines(range: std::ops::Range<usize>) -> String {
    range.map(|i| line(i) + "\n").collect()
}

fn import(world: &World, text: &str) -> (ImportReport, Vec<(u64, String)>) {
    import_from(world, text.as_bytes()).unwrap_or_else(|e| panic!("{e:?}"))
}

fn import_from(world: &World, reader: impl BufRead) -> Result<(ImportReport, Vec<(u64, String)>), Error> {
    let options = ImportOptions::sha256(DigestEncoding::Hex);
    let mut refused = Vec::new();
    let report = world.authority.import_jsonl(&admin(), ACCOUNT, reader, &options, |event| {
        if let ImportEvent::Refused(line) = event {
            refused.push((line.line, line.reason.clone()));
        }
    })?;
    Ok((report, refused))
}

fn counts(report: ImportReport) -> [u64; 4] {
    [report.lines, report.imported, report.present, report.refused]
}

#[test]
fn imported_keys_go_on_working() {
    let world = product("runstack");
    let (report, refused) = import(&world, &lines(0..250));
    assert_eq!((counts(report), refused), ([250, 250, 0, 0], vec![]));
    for i in [0, 99, 100, 249] {
        assert_eq!(world.ask(&Request::new("search_tools").key(&foreign_key(i))), "ok");
    }
    let page = world.authority.keys(&admin(), ACCOUNT, &Default::default(), None, 1).unwrap();
    let view = &page.items[0];
    assert_eq!((view.created_at.to_string(), view.age_days), ("2025-06-01T00:00:00Z".into(), 228));
    assert!(view.key_prefix.starts_with("rsk_") && view.key_prefix.len() == 12);
    assert_eq!(
        world.audit_lines(),
        ["key.import 100 keys ok", "key.import 100 keys ok", "key.import 50 keys ok"]
    );
}

#[test]
fn an_import_that_was_interrupted_is_run_again() {
    /// Ends with an error instead of the end.
    struct Cut<'a>(&'a [u8]);
    impl Read for Cut<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.0.is_empty() { Err(std::io::Error::other("gone")) } else { self.0.read(buffer) }
        }
    }
    let world = product("runstack");
    let text = lines(0..230);
    let cut = &text.as_bytes()[..text.len() - 7];
    let error = import_from(&world, BufReader::new(Cut(cut))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    let (report, _) = import(&world, &text);
    assert_eq!(counts(report), [230, 30, 200, 0]);
    let (report, _) = import(&world, &text);
    assert_eq!(counts(report), [230, 0, 230, 0]);
    // A key that was ended since is not brought back (INV-05).
    let id = world.authority.keys(&admin(), ACCOUNT, &Default::default(), None, 1).unwrap().items[0].id;
    world.authority.disable(&admin(), ACCOUNT, &id).unwrap();
    import(&world, &text);
    assert!(world.view(&id).disabled_at.is_some());
}

#[test]
fn refused_lines_are_named_with_their_reason_and_the_others_are_taken() {
    let world = product("runstack");
    world.issue(NewKey::new("globex", "theirs").user_id("eve"));
    let theirs = HEXLOWER.encode(&Sha256::digest(world.issue(NewKey::new("globex", "x").user_id("eve")).0));
    let long = format!(r#"{{"digest":"{}","name":"{}"}}"#, digest(50), "x".repeat(70_000));
    let text = [
        line(1),
        "not json".to_owned(),
        r#"{"name":"no digest","user_id":"u"}"#.to_owned(),
        format!(r#"{{"digest":"{}","name":"upper","user_id":"u"}}"#, &digest(2)[1..]),
        String::new(),
        format!(r#"{{"digest":"{}","user_id":"u"}}"#, digest(3)),
        format!(r#"{{"digest":"{}","name":"n","user_id":"u","plan":"GOLD"}}"#, digest(4)),
        format!(r#"{{"digest":"{}","name":"n","user_id":"u","account_id":"globex"}}"#, digest(5)),
        format!(r#"{{"digest":"{theirs}","name":"n","user_id":"u"}}"#),
        line(1),
        long,
        format!(r#"{{"digest":"{}","name":"old","user_id":"u","expires_at":"2025-01-01"}}"#, digest(6)),
        line(7),
    ]
    .join("\n");
    let (report, refused) = import(&world, &text);
    assert_eq!(counts(report), [12, 2, 1, 9]);
    let numbers: Vec<u64> = refused.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [2, 3, 4, 6, 7, 8, 9, 11, 12]);
    let reasons = refused.iter().map(|(_, reason)| &**reason).collect::<Vec<_>>().join("\n");
    for word in [
        "one JSON object",
        "`digest` is needed",
        "64 hexadecimal",
        "`name`",
        "`plan`",
        "`account_id`",
        "belongs to another key",
        "64 KiB",
        "`expires_at`",
    ] {
        assert!(reasons.contains(word), "{word} is not in\n{reasons}");
    }
    assert_eq!(world.ask(&Request::new("search_tools").key(&foreign_key(7))), "ok");
}

#[test]
fn the_encoding_is_named_and_never_guessed() {
    let sha = Sha256::digest(foreign_key(1));
    let encodings = [
        (DigestEncoding::Hex, HEXLOWER.encode(&sha), true),
        (DigestEncoding::Hex, HEXUPPER.encode(&sha), true),
        (DigestEncoding::Base64, BASE64.encode(&sha), true),
        (DigestEncoding::Base64, BASE64_NOPAD.encode(&sha), true),
        (DigestEncoding::Base64Url, BASE64URL_NOPAD.encode(&sha), true),
        (DigestEncoding::Base64, HEXLOWER.encode(&sha), false),
        (DigestEncoding::Hex, BASE64.encode(&sha), false),
    ];
    for (encoding, text, fits) in encodings {
        let world = product("runstack");
        let line = serde_json::json!({"digest": text, "name": "k", "user_id": "u"}).to_string();
        let options = ImportOptions::sha256(encoding);
        let report =
            world.authority.import_jsonl(&admin(), ACCOUNT, line.as_bytes(), &options, |_| {}).unwrap();
        assert_eq!(report.imported, u64::from(fits), "{text}");
        let answer = if fits { "ok" } else { "invalid_key" };
        assert_eq!(world.ask(&Request::new("search_tools").key(&foreign_key(1))), answer);
    }
}

#[test]
fn an_external_id_always_names_the_same_key() {
    let row = |external: &str, i: usize| {
        format!(
            r#"{{"digest":"{}","name":"k","user_id":"u","external_id":"{external}","created_at":"2025-01-01"}}"#,
            digest(i)
        )
    };
    let ids = || {
        let world = product("runstack");
        import(&world, &format!("{}\n{}", row("a", 1), row("b", 2)));
        let page = world.authority.keys(&admin(), ACCOUNT, &Default::default(), None, 10).unwrap();
        (world, page.items.iter().map(|key| key.id).collect::<Vec<_>>())
    };
    let (world, first) = ids();
    assert_eq!(first, ids().1);
    assert_eq!(first.len(), 2);
    let (report, refused) = import(&world, &row("a", 3));
    assert_eq!(
        (report.refused, refused[0].1.contains("external_id")),
        (1, true),
        "another text under a known id"
    );
}

#[test]
fn the_policys_bounds_hold_for_imports_too() {
    let capped =
        variant("runstack", &[("owner = \"user\"", "owner = \"user\"\nmax_keys = 3\nunique_names = true")]);
    let world = with(capped, |builder| builder);
    let named = |i: usize, name: &str| {
        format!(r#"{{"digest":"{}","name":"{name}","user_id":"u"}}"#, digest(i)) + "\n"
    };
    let text: String = [named(1, "a"), named(2, "a"), named(3, "b"), named(4, "c"), named(5, "d")].concat();
    let (report, refused) = import(&world, &text);
    assert_eq!(counts(report), [5, 3, 0, 2]);
    assert_eq!(refused.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 5]);
    assert!(refused[0].1.contains("unique") && refused[1].1.contains("as many keys"));
    let disabled = format!(r#"{{"digest":"{}","name":"x","user_id":"u","disabled":true}}"#, digest(9));
    let world = product("runstack");
    import(&world, &disabled);
    assert_eq!(world.ask(&Request::new("search_tools").key(&foreign_key(9))), "invalid_key");
}

#[test]
fn only_administrators_import_and_only_where_plain_digests_are_looked_up() {
    let world = product("runstack");
    let person = Caller::person(Person::new(ACCOUNT, "ann"));
    let options = ImportOptions::sha256(DigestEncoding::Hex);
    let by_person = world.authority.import_jsonl(&person, ACCOUNT, line(1).as_bytes(), &options, |_| {});
    check_code(by_person, Code::GrantExceedsCreator);
    let pepper = || Pepper::new(1, vec![5; 32].into()).unwrap();
    let peppered = |digester: Digester| {
        let world = with(variant("runstack", &[("digest = \"sha256\"", "digest = \"hmac-sha256\"")]), |b| {
            b.digester(digester)
        });
        import_from(&world, line(1).as_bytes())
            .map(|_| world.ask(&Request::new("search_tools").key(&foreign_key(1))))
    };
    let error = peppered(Digester::peppered(pepper(), vec![]).unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert_eq!(peppered(Digester::peppered(pepper(), vec![]).unwrap().with_unpeppered()).unwrap(), "ok");
}

#[cfg(feature = "cli")]
#[test]
fn a_table_is_taken_over_like_lines_of_json() {
    let world = product("runtype");
    let rows = [
        format!("{},\"a, b\",live,org_1,FLOWS:READ;FLOWS:WRITE,2025-06-01,", digest(1)),
        format!("{},c,live,org_1,,,true", digest(2)),
        format!("{},d,staging,org_1,,,", digest(3)),
        "x,y,z,1,2,3,4,5".to_owned(),
    ];
    let text = format!(
        "digest,name,environment,org_id,permissions,created_at,disabled\r\n{}\r\n",
        rows.join("\r\n")
    );
    let options = ImportOptions::sha256(DigestEncoding::Hex);
    let mut refused = Vec::new();
    let report = world.authority.import_csv(&admin(), ACCOUNT, text.as_bytes(), &options, |event| {
        if let ImportEvent::Refused(line) = event {
            refused.push(line.line);
        }
    });
    assert_eq!((counts(report.unwrap()), refused), ([4, 2, 0, 2], vec![4, 5]));
    let page = world.authority.keys(&admin(), ACCOUNT, &Default::default(), None, 10).unwrap();
    let mut names: Vec<_> = page
        .items
        .iter()
        .map(|k| (k.name.to_string(), k.permissions.len(), k.disabled_at.is_some()))
        .collect();
    names.sort();
    assert_eq!(names, [("a, b".into(), 2, false), ("c".into(), 2, true)]);
}
