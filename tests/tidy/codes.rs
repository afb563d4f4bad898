//! The page of codes: the head of each entry is written from the table, the words below it are people's.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use tenantkit::code::Code;

const HEAD: &str = "# Codes

What was refused, as a stable name. Error bodies, denials and the audit trail carry these names; the C ABI carries the
numbers. Names and numbers are never changed or reused.

";

/// Compares the page with the table, or writes it anew where `TENANTKIT_BLESS` is set.
pub(crate) fn check(page: &Path) {
    let present = std::fs::read_to_string(page).unwrap_or_default();
    let fresh = render(&explanations(&present));
    if std::env::var_os("TENANTKIT_BLESS").is_some() {
        std::fs::create_dir_all(page.parent().unwrap()).unwrap();
        std::fs::write(page, &fresh).unwrap();
    } else {
        assert_eq!(present, fresh, "{} is stale; write it anew with TENANTKIT_BLESS=1", page.display());
    }
    let explained = explanations(&fresh);
    for code in Code::ALL {
        let words = explained.get(code.name()).map_or("", String::as_str);
        for part in ["**Cause.** ", "**Fix.** "] {
            let has = words.split_once(part).is_some_and(|(_, rest)| rest.trim().len() > 20);
            assert!(has, "{}: the entry of `{code}` has no `{}`", page.display(), part.trim());
        }
    }
}

/// The words of each entry: what follows its heading and its line of figures.
fn explanations(page: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in page.split("\n## `").skip(1) {
        let (name, rest) = entry.split_once("`\n").unwrap_or((entry, ""));
        // An empty line, the line of figures, an empty line, then the words.
        let words = rest.splitn(4, '\n').nth(3).unwrap_or("");
        found.insert(name.to_owned(), words.trim().to_owned());
    }
    found
}

fn render(explained: &BTreeMap<String, String>) -> String {
    let mut page = HEAD.to_owned();
    for code in Code::ALL {
        let words = explained.get(code.name()).map_or("", String::as_str);
        let (number, status, text) = (code.number(), code.http_status(), code.text());
        writeln!(page, "## `{code}`\n\n{number}, HTTP {status}: {text}.\n\n{words}\n").unwrap();
    }
    page.trim_end().to_owned() + "\n"
}
