//! The word somebody probably meant.

/// No name of a policy is longer than this many characters, so a longer word is not compared.
const MAX_CHARS: usize = 64;

/// The word nearest to `found`, if one is near enough to be a slip of the pen: at most one edit for every three letters,
/// where a swap of neighbours is one edit and upper or lower case is none.
pub(crate) fn nearest<'a>(found: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let found: Vec<char> = found.chars().flat_map(char::to_lowercase).take(MAX_CHARS + 1).collect();
    if found.is_empty() || found.len() > MAX_CHARS {
        return None;
    }
    let most = found.len().div_ceil(3);
    let mut best = None;
    for word in words {
        let letters: Vec<char> = word.chars().flat_map(char::to_lowercase).take(MAX_CHARS + 1).collect();
        if letters.len().abs_diff(found.len()) > most {
            continue;
        }
        let distance = distance(&found, &letters);
        if distance <= most && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, word));
        }
    }
    best.map(|(_, word)| word)
}

/// Insertions, deletions, substitutions and swaps of neighbours from `a` to `b`.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, &y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let substituted = at(&last, j) + usize::from(x != y);
            let mut least = substituted.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            if j > 0 && i > 0 && a.get(i - 1) == Some(&y) && b.get(j - 1) == Some(&x) {
                least = least.min(at(&before_last, j - 1) + 1);
            }
            row.push(least);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_other_words_are_not() {
        let words = ["amount", "meter", "mode", "period", "subject"];
        let cases = [
            ("amout", Some("amount")),
            ("ammount", Some("amount")),
            ("maount", Some("amount")),
            ("Amount", Some("amount")),
            ("moed", Some("mode")),
            ("metre", Some("meter")),
            ("periode", Some("period")),
            ("cost", None),
            ("x", None),
            ("", None),
        ];
        for (found, expected) in cases {
            assert_eq!(nearest(found, words), expected, "{found}");
        }
        assert_eq!(nearest(&"a".repeat(1_000_000), words), None);
    }

    #[test]
    fn distances_count_edits() {
        let cases = [("", "", 0), ("ab", "ba", 1), ("kitten", "sitting", 3), ("abc", "", 3), ("", "abc", 3)];
        for (a, b, edits) in cases {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            assert_eq!(distance(&chars(a), &chars(b)), edits, "{a} {b}");
        }
    }
}
