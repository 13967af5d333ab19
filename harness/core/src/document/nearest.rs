//! "Did you mean": the known word nearest to an unknown one.
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// The known word that needs the fewest edits (insert, delete, replace, swap of neighbours), if that are at most
/// `max(2, len / 3)` of `unknown`, and fewer than its length. Of several, the first.
#[must_use]
pub fn nearest<'k>(unknown: &str, known: &'k [String]) -> Option<&'k str> {
    let len = unknown.chars().count();
    let most = usize::max(2, len / 3);
    known
        .iter()
        .map(|word| (distance(unknown, word), word.as_str()))
        .filter(|(edits, _)| *edits <= most && *edits < len)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, word)| word)
}

/// Optimal string alignment: Damerau and Levenshtein's edits, none of them twice at the same place.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replace = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replace.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = last;
        last = row;
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn check(unknown: &str, known: &[&str], expect: Option<&str>) {
        let known: Vec<String> = known.iter().map(ToString::to_string).collect();
        assert_eq!(nearest(unknown, &known), expect, "{unknown:?} among {known:?}");
    }

    #[test]
    fn a_swap_of_neighbours_is_one_edit() {
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn two_edits_are_near_and_three_are_not() {
        check("behavior", &["every", "behaviour"], Some("behaviour"));
        check("limti", &["limit"], Some("limit"));
        check("abcde", &["abxyz"], None);
    }

    #[test]
    fn a_third_of_a_long_word_is_near() {
        check("fleet-undisturbd-xx", &["fleet-undisturbed"], Some("fleet-undisturbed"));
    }

    #[test]
    fn a_short_word_is_near_to_nothing_that_shares_no_letter() {
        check("x", &["as"], None);
        check("as", &["do"], None);
    }
}
