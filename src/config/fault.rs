//! Faults as an operator reads them.

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::path::Path;

use super::Fault;

/// Longer words are not compared: they are no slip of the pen, and comparing is quadratic.
const WORD_CHARS_MAX: usize = 64;

/// All faults in the order of the file, those without a line last, two lines each, and their
/// count. Values of the file are not shown beside them: a PIN may stand in the wrong place.
pub fn render(file: &Path, faults: &[Fault]) -> String {
    let mut sorted: Vec<&Fault> = faults.iter().collect();
    sorted.sort_by(|one, other| order(one, other));
    let mut out = String::new();
    for Fault {
        file: of_client,
        line,
        key,
        what,
        cure,
        until: _,
    } in sorted
    {
        let file = of_client.as_deref().unwrap_or(file).display();
        // Writing to a String cannot fail.
        let _ = match line {
            0 => write!(out, "{file}: "),
            line => write!(out, "{file}:{line}: "),
        };
        let _ = match key.as_str() {
            "" => writeln!(out, "{what}"),
            key => writeln!(out, "{key}: {what}"),
        };
        let _ = writeln!(out, "  hint: {cure}");
    }
    let noun = if faults.len() == 1 { "fault" } else { "faults" };
    let clients = match faults.iter().any(|fault| fault.file.is_some()) {
        true => " and its clients' files",
        false => "",
    };
    let _ = writeln!(
        out,
        "{} {noun} in {}{clients}",
        faults.len(),
        file.display()
    );
    out
}

/// Sorts faults in the order of the file; those of clients' files are behind it.
pub(super) fn order(one: &Fault, other: &Fault) -> Ordering {
    let place = |fault: &Fault| (fault.line == 0, fault.line);
    { one.file.cmp(&other.file) }.then_with(|| place(one).cmp(&place(other)))
}

/// The word that was probably meant: at most a third of its letters differ.
pub fn closest<'w>(written: &str, words: &[&'w str]) -> Option<&'w str> {
    words
        .iter()
        .map(|word| (distance(written, word), *word))
        .filter(|(distance, word)| *distance <= (word.chars().count() / 3).max(1))
        .min()
        .map(|(_, word)| word)
}

/// Letters to insert, remove or replace to make one word of the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    if from.chars().count() > WORD_CHARS_MAX || to.len() > WORD_CHARS_MAX {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut next = vec![i + 1];
        let mut beside = i + 1;
        for (&b, pair) in to.iter().zip(row.windows(2)) {
            let &[diagonal, above] = pair else { continue };
            beside = (diagonal + usize::from(a != b))
                .min(above + 1)
                .min(beside + 1);
            next.push(beside);
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Until;

    #[test]
    fn distance_counts_letters_inserted_removed_and_replaced() {
        assert_eq!(distance("", ""), 0);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("adress", "address"), 1);
    }

    #[test]
    fn word_far_from_all_others_has_no_closest() {
        assert_eq!(closest("adress", &["address", "cpus"]), Some("address"));
        assert_eq!(closest("colour", &["address", "cpus"]), None);
        assert_eq!(closest(&"a".repeat(100_000), &["address"]), None);
    }

    #[test]
    fn rendered_faults_stand_in_file_order_with_hint_and_count() {
        let fault = |line, key: &str| Fault {
            file: None,
            line,
            key: key.into(),
            what: "is wrong".into(),
            cure: "mend it".into(),
            until: Until::Mended,
        };
        let faults = [fault(0, "upstream"), fault(9, "b"), fault(2, "a")];
        assert_eq!(
            render(Path::new("x.toml"), &faults),
            "x.toml:2: a: is wrong\n  hint: mend it\nx.toml:9: b: is wrong\n  hint: mend it\n\
             x.toml: upstream: is wrong\n  hint: mend it\n3 faults in x.toml\n"
        );
        assert!(render(Path::new("x.toml"), &faults[..1]).ends_with("1 fault in x.toml\n"));
        let of_client = |line| Fault {
            file: Some("d/a.toml".into()),
            ..fault(line, "c")
        };
        let faults = [of_client(1), of_client(0), fault(0, ""), fault(7, "b")];
        assert_eq!(
            render(Path::new("x.toml"), &faults),
            "x.toml:7: b: is wrong\n  hint: mend it\nx.toml: is wrong\n  hint: mend it\n\
             d/a.toml:1: c: is wrong\n  hint: mend it\nd/a.toml: c: is wrong\n  hint: mend it\n\
             4 faults in x.toml and its clients' files\n"
        );
    }
}
