//! Several callers at once.

use crate::support::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use tenantkit::{Code, Error, KeyEdit, Rotation};

/// Runs `deed` in eight threads; how many succeeded, and the codes of the others.
fn together(deed: impl Fn(usize) -> Result<(), Error> + Sync) -> (usize, Vec<Code>) {
    let done = AtomicUsize::new(0);
    let refused = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for i in 0..8 {
            let (deed, done, refused) = (&deed, &done, &refused);
            scope.spawn(move || match deed(i) {
                Ok(()) => drop(done.fetch_add(1, Ordering::SeqCst)),
                Err(error) => refused.lock().unwrap().push(error.code()),
            });
        }
    });
    (done.into_inner(), refused.into_inner().unwrap())
}

#[test]
fn edits_of_one_key_are_all_made_one_after_the_other() {
    let world = product("mcpstack");
    let (_, key) = world.issue(service("a"));
    let (done, refused) = together(|i| {
        let edit = KeyEdit::default().labels([("environment", format!("e{i}"))]);
        world.authority.update(&admin(), ACCOUNT, &key.id, &edit).map(drop)
    });
    assert_eq!((done, refused), (8, vec![]));
    assert_eq!(world.view(&key.id).version, 9);
    assert_eq!(world.audit_lines().len(), 9);
    assert!(world.authority.audit_verify(&admin(), ACCOUNT, None).unwrap().is_ok());
}

#[test]
fn of_edits_that_expect_one_version_one_is_made() {
    let world = product("mcpstack");
    let (_, key) = world.issue(service("a"));
    let (done, refused) = together(|i| {
        let edit = KeyEdit::default().name(format!("n{i}"));
        world.authority.update(&admin().if_version(1), ACCOUNT, &key.id, &edit).map(drop)
    });
    assert_eq!((done, refused), (1, vec![Code::VersionConflict; 7]));
}

#[test]
fn a_key_is_rotated_once() {
    let world = product("mcpstack");
    let (_, key) = world.issue(service("a"));
    let rotation = Rotation::default().grace_s(60);
    let (done, refused) =
        together(|_| world.authority.rotate(&admin(), ACCOUNT, &key.id, &rotation).map(drop));
    assert_eq!((done, refused), (1, vec![Code::RotationInProgress; 7]));
}

#[test]
fn one_operation_id_makes_one_key() {
    let world = product("mcpstack");
    let caller = admin().operation_id("op");
    let texts = AtomicUsize::new(0);
    let (done, _) = together(|_| {
        let issued = world.authority.issue(&caller, &service("a"))?;
        texts.fetch_add(usize::from(issued.key.is_some()), Ordering::SeqCst);
        Ok(())
    });
    assert_eq!((done, texts.into_inner()), (8, 1));
    assert_eq!(
        world.authority.keys(&admin(), ACCOUNT, &Default::default(), None, 200).unwrap().items.len(),
        1
    );
}

#[test]
fn caps_and_unique_names_hold_against_a_crowd() {
    let policy =
        variant("runstack", &[("owner = \"user\"", "owner = \"user\"\nmax_keys = 3\nunique_names = true")]);
    let world = with(policy, |builder| builder);
    let (done, refused) =
        together(|i| world.authority.issue(&admin(), &runstack(&format!("n{i}"))).map(drop));
    assert_eq!((done, refused), (3, vec![Code::KeyLimitReached; 5]));
    let page = world.authority.keys(&admin(), ACCOUNT, &Default::default(), None, 200).unwrap();
    for key in &page.items {
        world.authority.delete(&admin(), ACCOUNT, &key.id).unwrap();
    }
    let (done, refused) = together(|_| world.authority.issue(&admin(), &runstack("same")).map(drop));
    assert_eq!((done, refused), (1, vec![Code::NameConflict; 7]));
}
