//! The table of counts that stands in the repository, and what a measurement is held against it.

use std::fmt::{Display, Formatter};

/// Growth over the table that a change may bring without saying so, in percent: what instruction
/// counts differ by for reasons of the compiler's own.
pub const TOLERANCE_PERCENT: u64 = 5;

/// Instructions of one round of each case, and the compiler they were made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub rustc: String,
    pub rows: Vec<Row>,
}

/// One case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub case: String,
    pub instructions: u64,
    /// What one round of it is.
    pub what: String,
}

const HEADING: &str = "\
# What one round of each case costs, in instructions

Written by `make bench-counts` and held against every change by `make bench-check`. aws-lc and what
it calls is not counted. The profile is `release` with one codegen unit for the gateway's crate.

";
const RUSTC: &str = "Compiler: ";
const HEAD: &str = "\n\n| case | instructions | one round |\n| --- | ---: | --- |\n";

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{HEADING}{RUSTC}{}{HEAD}", self.rustc)?;
        for row in &self.rows {
            let instructions = grouped(row.instructions);
            writeln!(f, "| {} | {instructions} | {} |", row.case, row.what)?;
        }
        Ok(())
    }
}

impl Table {
    /// Reads what [`Display`] has written.
    ///
    /// # Errors
    /// There is no compiler or no row, or a row is none.
    pub fn read(text: &str) -> Result<Self, String> {
        let compiler = text.lines().find_map(|line| line.strip_prefix(RUSTC));
        let (_, rows) = text.split_once(HEAD).ok_or("it has no table")?;
        let rows = rows.lines().map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [_, case, instructions, what, _] = cells[..] else {
                return Err(format!("{line:?} is no row"));
            };
            let number = instructions.replace(',', "").parse();
            Ok(Row {
                case: case.to_owned(),
                instructions: number.map_err(|_| format!("{instructions:?} is no number"))?,
                what: what.to_owned(),
            })
        });
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            rustc: compiler.ok_or("it names no compiler")?.to_owned(),
            rows,
        })
    }

    fn instructions(&self, case: &str) -> Option<u64> {
        let row = self.rows.iter().find(|row| row.case == case);
        row.map(|row| row.instructions)
    }

    /// Holds a measurement against this table: a line for each case of either.
    pub fn compare(&self, measured: &Self) -> Comparison {
        let mut lines: Vec<Line> = Vec::new();
        for row in &measured.rows {
            let (case, new) = (row.case.clone(), Some(row.instructions));
            let old = self.instructions(&case);
            lines.push(Line { case, old, new });
        }
        for row in &self.rows {
            if measured.instructions(&row.case).is_none() {
                let (case, old) = (row.case.clone(), Some(row.instructions));
                let new = None;
                lines.push(Line { case, old, new });
            }
        }
        let rustc = (self.rustc != measured.rustc).then(|| self.rustc.clone());
        Comparison { lines, rustc }
    }
}

/// A measurement held against the table.
#[derive(Debug)]
pub struct Comparison {
    lines: Vec<Line>,
    /// The table's compiler, where it was another one.
    rustc: Option<String>,
}

#[derive(Debug)]
struct Line {
    case: String,
    old: Option<u64>,
    new: Option<u64>,
}

/// What became of one count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Same,
    Grown,
    Shrunk,
    /// Not in the table.
    New,
    /// In the table, and no case.
    Gone,
}

impl Line {
    fn verdict(&self) -> Verdict {
        match (self.old, self.new) {
            (Some(old), Some(new)) if new * 100 > old * (100 + TOLERANCE_PERCENT) => Verdict::Grown,
            (Some(old), Some(new)) if new * 100 < old * (100 - TOLERANCE_PERCENT) => {
                Verdict::Shrunk
            }
            (Some(_), Some(_)) => Verdict::Same,
            (None, _) => Verdict::New,
            (_, None) => Verdict::Gone,
        }
    }
}

impl Comparison {
    /// Whether the table is still true, or truer than it says.
    pub fn holds(&self) -> bool {
        let holds = |verdict| matches!(verdict, Verdict::Same | Verdict::Shrunk);
        self.lines.iter().all(|line| holds(line.verdict()))
    }

    fn cases(&self, wanted: Verdict) -> String {
        let lines = self.lines.iter().filter(|line| line.verdict() == wanted);
        let cases: Vec<&str> = lines.map(|line| line.case.as_str()).collect();
        cases.join(", ")
    }

    fn write_hints(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        if let Some(rustc) = &self.rustc {
            writeln!(f, "\nthe table was made by another compiler: {rustc}")?;
        }
        for (verdict, said) in [
            (Verdict::Grown, "grown by more than 5 %"),
            (Verdict::New, "not in the table"),
            (Verdict::Gone, "in the table, and no case any more"),
            (Verdict::Shrunk, "shrunk by more than 5 %"),
        ] {
            let cases = self.cases(verdict);
            if !cases.is_empty() {
                writeln!(f, "\n{said}: {cases}")?;
            }
        }
        if !self.holds() {
            writeln!(
                f,
                "hint: where that is meant, `make bench-counts` writes the table anew; commit it \
                 with the change, and say there what the instructions are for"
            )?;
        } else if !self.cases(Verdict::Shrunk).is_empty() {
            writeln!(
                f,
                "hint: `make bench-counts` writes the table anew, so that it stays so"
            )?;
        }
        Ok(())
    }
}

impl Display for Comparison {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let or_none = |count: Option<u64>| count.map_or("-".to_owned(), grouped);
        writeln!(
            f,
            "{:<16}{:>10}{:>10}{:>10}",
            "case", "table", "now", "growth"
        )?;
        for line in &self.lines {
            let (old, new) = (or_none(line.old), or_none(line.new));
            let growth = line.old.zip(line.new).map(|(old, new)| growth(old, new));
            let growth = growth.unwrap_or_default();
            writeln!(f, "{:<16}{old:>10}{new:>10}{growth:>10}", line.case)?;
        }
        self.write_hints(f)
    }
}

/// `+1.2 %`.
#[expect(
    clippy::cast_precision_loss,
    reason = "a count beyond 2^53 would take weeks"
)]
fn growth(old: u64, new: u64) -> String {
    let percent = (new as f64 / old.max(1) as f64 - 1.0) * 100.0;
    format!("{percent:+.1} %")
}

/// `12,345`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rustc: &str, rows: &[(&str, u64)]) -> Table {
        let row = |&(case, instructions): &(&str, u64)| Row {
            case: case.to_owned(),
            instructions,
            what: "a thing done".to_owned(),
        };
        Table {
            rustc: rustc.to_owned(),
            rows: rows.iter().map(row).collect(),
        }
    }

    #[test]
    fn table_reads_back_as_it_was_written() {
        let written = table(
            "rustc 1.95.0 (x 2026-01-01)",
            &[("a", 7), ("b-c", 1_234_567)],
        );
        assert!(
            written
                .to_string()
                .contains("| b-c | 1,234,567 | a thing done |")
        );
        assert_eq!(Table::read(&written.to_string()), Ok(written));
    }

    #[test]
    fn table_that_is_none_is_refused() {
        let good = table("rustc", &[("a", 1_000)]).to_string();
        assert!(Table::read("").is_err());
        assert!(Table::read(&good.replace("Compiler: ", "")).is_err());
        assert!(Table::read(&good.replace("1,000", "many")).is_err());
        assert!(Table::read(&good.replace("| a thing done", "")).is_err());
    }

    #[test]
    fn growth_of_five_percent_passes_and_more_fails() {
        let old = table("r", &[("a", 1_000), ("b", 1_000)]);
        let just = old.compare(&table("r", &[("a", 1_050), ("b", 1_000)]));
        assert!(just.holds() && !just.to_string().contains("hint"));
        let more = old.compare(&table("r", &[("a", 1_051), ("b", 900)]));
        assert!(!more.holds());
        let said = more.to_string();
        assert!(said.contains("grown by more than 5 %: a\n"), "{said}");
        assert!(said.contains("make bench-counts"), "{said}");
        assert!(said.contains("+5.1 %"), "{said}");
    }

    #[test]
    fn shrinking_is_said_and_does_not_fail() {
        let old = table("r", &[("a", 1_000)]);
        let less = old.compare(&table("r", &[("a", 949)]));
        assert!(less.holds());
        assert!(
            less.to_string()
                .contains("shrunk by more than 5 %: a\nhint")
        );
        let hardly = old.compare(&table("r", &[("a", 950)]));
        assert!(!hardly.to_string().contains("shrunk"));
    }

    #[test]
    fn case_that_is_not_in_the_table_or_only_there_fails() {
        let (one, two) = (table("r", &[("a", 9)]), table("r", &[("a", 9), ("b", 9)]));
        assert!(!one.compare(&two).holds());
        assert!(!two.compare(&one).holds());
    }

    #[test]
    fn other_compiler_is_said_and_does_not_fail() {
        let old = table("rustc 1.95.0", &[("a", 1_000)]);
        let new = old.compare(&table("rustc 1.96.0", &[("a", 1_001)]));
        assert!(new.holds());
        assert!(new.to_string().contains("another compiler: rustc 1.95.0"));
        let same = old.compare(&old);
        assert!(!same.to_string().contains("compiler"));
    }
}
