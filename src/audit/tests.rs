use super::*;
use crate::tenant::id::IdSyntax;

fn account(id: &str) -> AccountId {
    AccountId::parse(id, &IdSyntax::wide()).unwrap()
}

fn draft(n: u64) -> AuditDraft {
    AuditDraft {
        account_id: account("acme"),
        at: Timestamp::from_seconds(1_000 + i64::try_from(n).unwrap()),
        actor: "admin".into(),
        act: "key.revoke".into(),
        object: format!("key_{n}").into(),
        tenant: "org_1".into(),
        outcome: "ok".into(),
        operation_id: "op".into(),
        details: "{}".into(),
    }
}

fn chain(len: u64) -> Vec<AuditEntry> {
    let mut entries: Vec<AuditEntry> = Vec::new();
    for n in 1..=len {
        let head = entries.last().map(AuditEntry::head);
        entries.push(AuditEntry::append(head.as_ref(), &draft(n)));
    }
    entries
}

fn check(entries: &[AuditEntry], head: Option<ChainHead>) -> Result<Verified, Broken> {
    verify(&account("acme"), entries, head)
}

#[test]
fn a_whole_chain_is_verified_in_one_go_and_in_pages() {
    let entries = chain(7);
    let head = entries[6].head();
    assert_eq!(check(&entries, None), Ok(Verified { head: Some(head) }));
    assert_eq!(check(&entries, Some(head)), Ok(Verified { head: Some(head) }));
    assert_eq!(check(&[], None), Ok(Verified { head: None }));
    let mut pages = ChainVerifier::after(account("acme"), Some(entries[2].head())).expect(entries[4].head());
    for entry in &entries[3..] {
        pages.push(entry).unwrap();
    }
    assert_eq!(pages.finish(), Ok(Verified { head: Some(head) }));
}

/// Every text an entry has, to be changed in place.
fn texts(entry: &mut AuditEntry) -> [&mut Box<str>; 7] {
    let d = &mut entry.draft;
    [
        &mut d.actor,
        &mut d.act,
        &mut d.object,
        &mut d.tenant,
        &mut d.outcome,
        &mut d.operation_id,
        &mut d.details,
    ]
}

#[test]
fn inv_61_an_edit_of_any_byte_of_any_row_is_found() {
    let entries = chain(4);
    let mut edits = 0;
    let mut expect_broken = |row: usize, edit: &mut dyn FnMut(&mut AuditEntry)| {
        let mut edited = entries.clone();
        edit(&mut edited[row]);
        assert_ne!(edited, entries);
        let broken = check(&edited, None).expect_err("the edit was not found");
        // An edit shows at the row itself.
        assert_eq!(broken.at, row as u64 + 1, "{broken}");
        edits += 1;
    };
    for row in 0..entries.len() {
        for byte in 0..32 {
            for bit in 0..8 {
                expect_broken(row, &mut |e| e.hash.0[byte] ^= 1 << bit);
                expect_broken(row, &mut |e| e.previous.0[byte] ^= 1 << bit);
            }
        }
        for bit in 0..64 {
            expect_broken(row, &mut |e| e.number ^= 1 << bit);
            expect_broken(row, &mut |e| {
                e.draft.at = Timestamp::from_micros(e.draft.at.as_micros() ^ (1 << bit))
            });
        }
        for field in 0..7 {
            let text = texts(&mut entries.clone()[row])[field].to_string();
            for at in 0..text.len() {
                expect_broken(row, &mut |e| {
                    let mut bytes = text.clone().into_bytes();
                    bytes[at] ^= 1;
                    *texts(e)[field] = String::from_utf8(bytes).unwrap().into();
                });
            }
            expect_broken(row, &mut |e| *texts(e)[field] = format!("{text}x").into());
            expect_broken(row, &mut |e| *texts(e)[field] = "".into());
        }
        expect_broken(row, &mut |e| e.draft.account_id = account("other"));
    }
    assert!(edits > 2_000, "{edits}");
}

#[test]
fn inv_61_an_edit_with_a_hash_of_its_own_shows_at_the_next_row() {
    let entries = chain(4);
    for row in 0..3 {
        let mut edited = entries.clone();
        edited[row].draft.actor = "nobody".into();
        edited[row].hash = edited[row].compute_hash();
        assert_eq!(check(&edited, None), Err(Broken { at: row as u64 + 2, why: BrokenWhy::Previous }));
    }
}

#[test]
fn text_that_moves_to_the_next_field_is_an_edit() {
    let entry = AuditEntry::append(None, &draft(1));
    let mut moved = entry.clone();
    moved.draft.act = "key.revokek".into();
    moved.draft.object = "ey_1".into();
    assert_ne!(entry.compute_hash(), moved.compute_hash());
}

#[test]
fn inv_61_a_removed_doubled_or_moved_row_is_found() {
    let entries = chain(6);
    for row in 0..entries.len() {
        let mut without = entries.clone();
        without.remove(row);
        let found = check(&without, Some(entries[5].head()));
        assert_eq!(found.unwrap_err().at, row as u64 + 1, "row {row} removed");
        let mut doubled = entries.clone();
        doubled.insert(row, entries[row].clone());
        assert!(check(&doubled, None).is_err(), "row {row} doubled");
        for other in row + 1..entries.len() {
            let mut swapped = entries.clone();
            swapped.swap(row, other);
            assert_eq!(
                check(&swapped, None).unwrap_err().at,
                row as u64 + 1,
                "rows {row} and {other} swapped"
            );
        }
    }
}

#[test]
fn inv_61_a_cut_anywhere_is_found_with_a_known_head_and_only_with_one() {
    let entries = chain(6);
    for from in 0..6 {
        for to in from..=6 {
            let part = &entries[from..to];
            let whole = part.len() == 6;
            assert_eq!(check(part, Some(entries[5].head())).is_ok(), whole, "entries {from} to {to}");
            // A cut tail is whole in itself.
            assert_eq!(check(part, None).is_ok(), from == 0 || part.is_empty(), "entries {from} to {to}");
        }
    }
    let truncated = check(&entries[..4], Some(entries[5].head())).unwrap_err();
    assert_eq!(truncated, Broken { at: 5, why: BrokenWhy::Truncated { known: 6 } });
    // An older head is still on the way of a chain that went on.
    assert!(check(&entries, Some(entries[2].head())).is_ok());
}

#[test]
fn a_chain_made_anew_does_not_pass_through_a_known_head() {
    let known = chain(5)[3].head();
    let mut forged: Vec<AuditEntry> = Vec::new();
    for n in 1..=5 {
        let head = forged.last().map(AuditEntry::head);
        let mut line = draft(n);
        if n == 2 {
            line.actor = "nobody".into();
        }
        forged.push(AuditEntry::append(head.as_ref(), &line));
    }
    assert!(check(&forged, None).is_ok());
    assert_eq!(check(&forged, Some(known)), Err(Broken { at: 4, why: BrokenWhy::OtherHead }));
}

#[test]
fn a_chain_of_another_account_is_not_this_ones() {
    let entries = chain(2);
    let found = verify(&account("other"), &entries, None).unwrap_err();
    assert_eq!(found, Broken { at: 1, why: BrokenWhy::Account });
}

#[test]
fn the_hash_of_a_known_entry_never_changes() {
    // Chains are kept for years: a change of the encoding needs a new tag and a reader for the old one.
    let entry = AuditEntry::append(None, &draft(1));
    assert_eq!(entry.hash.to_string(), "b5fd426f24a5b54b1284686f27ac741af0037402cdb13d85fa7e0fe486378946");
    assert_eq!(ChainHash::parse(&entry.hash.to_string()), Some(entry.hash));
    assert_eq!(ChainHash::parse(&entry.hash.to_string().to_uppercase()), None);
}

#[test]
fn entries_travel_as_json() {
    let entry = AuditEntry::append(None, &draft(1));
    let json = serde_json::to_string(&entry).unwrap();
    assert_eq!(serde_json::from_str::<AuditEntry>(&json).unwrap(), entry);
}

#[test]
fn a_checkpoint_is_signed_over_each_of_its_fields() {
    let key = CheckpointKey::new(7, &[1; 32]).unwrap();
    let head = chain(3)[2].head();
    let good = Checkpoint::sign(&key, account("acme"), head, Timestamp::from_seconds(5)).unwrap();
    assert!(good.is_signed_by(&key));
    assert!(!good.is_signed_by(&CheckpointKey::new(7, &[2; 32]).unwrap()));
    assert!(!good.is_signed_by(&CheckpointKey::new(8, &[1; 32]).unwrap()));
    let edits: [fn(&mut Checkpoint); 6] = [
        |c| c.account_id = account("acm"),
        |c| c.head.number += 1,
        |c| c.head.hash.0[31] ^= 1,
        |c| c.at = c.at.plus_micros(1),
        |c| c.key_id = 8,
        |c| c.signature.0[0] ^= 1,
    ];
    for edit in edits {
        let mut edited = good.clone();
        edit(&mut edited);
        assert!(!edited.is_signed_by(&key), "{edited:?}");
    }
    // The number is signed too: under another number the same bytes did not sign it.
    let renumbered = Checkpoint { key_id: 8, ..good };
    assert!(!renumbered.is_signed_by(&CheckpointKey::new(8, &[1; 32]).unwrap()));
    assert!(CheckpointKey::new(1, &[0; 31]).is_err());
    assert!(
        !format!("{:?}", CheckpointKey::new(1, b"a secret of exactly thirty-two b").unwrap())
            .contains("secret")
    );
}

#[test]
fn a_checkpoint_is_due_after_a_thousand_entries_or_ten_minutes() {
    let key = CheckpointKey::new(1, &[1; 32]).unwrap();
    let start = Timestamp::from_seconds(1_000);
    let head = |number| ChainHead { number, hash: ChainHash::default() };
    let last = Checkpoint::sign(&key, account("acme"), head(10), start).unwrap();
    for (number, seconds, due) in [
        (10, 0, false),
        (10, 10_000, false),
        (11, 599, false),
        (11, 600, true),
        (1_009, 0, false),
        (1_010, 0, true),
        (11, -1, true),
    ] {
        assert_eq!(
            Checkpoint::is_due(Some(&last), &head(number), start.plus_seconds(seconds)),
            due,
            "{number}, {seconds} s"
        );
    }
    assert!(Checkpoint::is_due(None, &head(1), start));
}
