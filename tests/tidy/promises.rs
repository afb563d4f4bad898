//! The promises INV-01 to INV-64: which have a test with their number in its name, and what the others wait for.

/// Promises that the engine keeps by itself, and so are tested here.
pub(crate) const WITHIN_REACH: &[(u8, &str)] = &[
    (1, "an allow implies an active key that was presented whole"),
    (2, "any changed byte is refused"),
    (3, "parse and format are inverse on the exact grammar"),
    (4, "nothing that was ended is allowed once the call that ended it returned"),
    (5, "a dead key never comes back"),
    (7, "a store that fails gives an error or a denial, never an allow"),
    (8, "unknown, wrong, revoked, deleted and disabled keys have one answer"),
    (9, "what a new key may do comes from the caller and the policy"),
    (10, "a key changes nothing beyond its own rights"),
    (12, "cached and uncached decisions are one function of one state"),
    (15, "absent, empty and all are three values"),
    (16, "a retry never leaves a second live key"),
    (18, "the scope is a pure function of record and declared parameters"),
    (19, "a parameter that contradicts a binding is never followed"),
    (20, "tenant, namespace and name make one storage key and no other"),
    (25, "metadata never feeds a scope"),
    (26, "admitted cost never passes the limit"),
    (31, "rotation and plan change keep the used count"),
    (35, "each limit field has a test that proves a refusal"),
    (36, "what was acknowledged survives kill -9"),
    (38, "a damaged row is reported and refused"),
    (41, "close flushes, or says what it could not"),
    (43, "a key's text appears once"),
    (44, "a dump authenticates nobody"),
    (61, "tampering with the audit trail is found"),
    (39, "migrations survive two starters and a kill at each statement"),
    (45, "no key is issued twice"),
    (50, "an inherited handle reopens or says so after a fork"),
    (63, "every input is bounded"),
    (64, "the client address comes only from the socket or trusted hops"),
];

/// Promises that the engine makes by itself and whose numbered test is still to be written; other tests touch them.
pub const OPEN: &[(u8, &str)] = &[
    (6, "valid while now < expiry, and a clock that goes back revives nothing"),
    (11, "failed attempts of others change no answer for the right holder"),
    (13, "kind and environment are checked on every call"),
    (14, "authorize writes no whole record and creates no key"),
    (17, "whatever one tenant does, another's results stay the same"),
    (22, "a cache hit is checked again"),
    (27, "at rest the ledger is the sum of what was acknowledged"),
    (28, "no overflow, no negative, cost 0 is free"),
    (29, "several limits are all or nothing"),
    (30, "windows are exact at their edges"),
    (37, "operations of several rows are atomic"),
    (56, "a panicking thread poisons nothing"),
];

/// Promises of parts that are not there yet.
pub(crate) const WAITING: &[(u8, &str)] = &[
    (21, "the parsed log of statements"),
    (23, "cursors and exports of the admin server"),
    (24, "the endpoints of the admin server"),
    (32, "the load rig"),
    (33, "limits that may fail open"),
    (34, "leases with chunks"),
    (40, "the first release"),
    (42, "the load rig"),
    (46, "the C ABI"),
    (47, "the C ABI"),
    (48, "the C ABI"),
    (49, "the C ABI"),
    (51, "the C ABI"),
    (52, "the C ABI"),
    (53, "the other languages"),
    (54, "the chaos rig"),
    (55, "the schedule explorer"),
    (57, "the asynchronous front"),
    (58, "the admin server"),
    (59, "the dashboard"),
    (60, "the admin server"),
    (62, "the admin server"),
];

/// The promises that the tests of a file are called after: each `inv_NN` in the name of a function.
pub(crate) fn numbers_in_test_names(text: &str) -> Vec<u8> {
    let mut numbers = Vec::new();
    for line in text.lines() {
        let Some((_, signature)) = line.split_once("fn ") else { continue };
        let name: &str = signature.split(['(', '<']).next().unwrap();
        for part in name.split("inv_").skip(1) {
            numbers.extend(part.get(..2).and_then(|digits| digits.parse::<u8>().ok()));
        }
    }
    numbers
}
