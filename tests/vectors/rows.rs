//! The rows that the vectors are held against, and where those without a vector are tested.

/// Every row: of the truth table, of the four products, of what was decided, and of the needs beyond.
pub(crate) fn all() -> Vec<String> {
    let tables = [("T", 64), ("X", 16), ("RS", 32), ("MS", 44), ("RT", 40), ("AM", 26), ("A", 46), ("N", 15)];
    tables
        .into_iter()
        .flat_map(|(table, last)| (1..=last).map(move |number| format!("{table}-{number:02}")))
        .collect()
}

/// Whether a name is one of a promise (`INV-04`), a ledger invariant (`I7`) or a class of bugs (`B12`).
pub(crate) fn is_promise(name: &str) -> bool {
    let number = name.strip_prefix("INV-").or(name.strip_prefix('I')).or(name.strip_prefix('B'));
    number.and_then(|number| number.parse::<u8>().ok()).is_some_and(|number| (1..=64).contains(&number))
}

/// Where a row is tested that no vector can reach: another program, a page, a time that is still to come.
pub(crate) fn elsewhere(row: &str) -> Option<&'static str> {
    const MCP: &str = "the MCP guard's own tests";
    const CLI: &str = "the tests of the command line";
    const SERVER: &str = "the admin server, which is still to come";
    const LATER: &str = "a later release";
    const DOCS: &str = "nothing: it is no rule of the software";
    Some(match row {
        "X-11" | "RT-35" | "A-44" | "N-01" => MCP,
        "X-13" | "N-02" => "child keys, which are still to come",
        "X-15" => "tests/faults.rs, on a store that fails",
        "MS-08" | "MS-19" | "MS-20" | "MS-23" | "MS-24" | "MS-25" | "MS-26" | "MS-27" | "MS-36" | "MS-44"
        | "AM-19" | "AM-20" | "AM-21" | "A-22" | "RT-25" => CLI,
        "MS-21" | "RT-31" | "A-45" | "N-07" => SERVER,
        "N-05" | "N-06" => LATER,
        "N-10" => "the tests of `explain`",
        "N-13" => "row RT-17, which it repeats",
        "RT-36" | "RT-40" | "AM-26" | "A-33" => DOCS,
        _ => return None,
    })
}
