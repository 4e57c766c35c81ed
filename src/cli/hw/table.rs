//! Rows as a table that is legible without colour.

use std::fmt::Write as _;

use super::rows::Row;

/// What is found may be long; beyond this the rest of its row goes below it.
const FOUND_COLUMNS_MAX: usize = 36;

/// Rows under the names of their topics, then the remarks.
pub(super) fn render(rows: &[Row], remarks: &[String]) -> String {
    let wide = |text: &str| text.chars().count();
    let what_columns = rows.iter().map(|row| wide(&row.what)).max().unwrap_or(0);
    let found = rows.iter().map(|row| wide(&row.found));
    let found_columns = found.filter(|columns| *columns <= FOUND_COLUMNS_MAX).max();
    let found_columns = found_columns.unwrap_or(FOUND_COLUMNS_MAX);
    let (mut text, mut topic) = (String::new(), "");
    for row in rows {
        if row.topic != topic {
            topic = row.topic;
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}{topic}");
        }
        let used = match row.used {
            Some(true) => "used",
            Some(false) => "not used",
            None => "",
        };
        let (what, found, why) = (&row.what, &row.found, &row.why);
        let line = if wide(found) > found_columns {
            let first = format!("  {what:<what_columns$}  {found}");
            let (rest, nothing) = (format!("{used:<8}  {why}"), "");
            let rest = format!("  {nothing:what_columns$}  {nothing:found_columns$}  {rest}");
            if used.is_empty() && why.is_empty() {
                first
            } else {
                format!("{first}\n{}", rest.trim_end())
            }
        } else {
            format!("  {what:<what_columns$}  {found:<found_columns$}  {used:<8}  {why}")
        };
        let _ = writeln!(text, "{}", line.trim_end());
    }
    if !remarks.is_empty() {
        let _ = writeln!(text, "\nWhat costs something here");
    }
    for remark in remarks {
        let _ = writeln!(text, "  {remark}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(topic: &'static str, what: &str, found: &str, used: Option<bool>, why: &str) -> Row {
        let [what, found, why] = [what, found, why].map(str::to_owned);
        Row {
            topic,
            what,
            found,
            used,
            why,
        }
    }

    #[test]
    fn columns_are_aligned_and_long_findings_push_the_rest_below() {
        let long = "x".repeat(FOUND_COLUMNS_MAX + 1);
        let rows = [
            row("CPU", "AES-NI", "yes", Some(true), "records"),
            row("CPU", "model", &long, None, ""),
            row("NICs", "eth0", &long, Some(false), "off"),
            row("NICs", "eth1 is längst", "one queue", None, ""),
        ];
        let text = render(&rows, &["it is slow; make it fast".to_owned()]);
        let expected = format!(
            "CPU\n  AES-NI          yes        used      records\n  model           {long}\n\n\
             NICs\n  eth0            {long}\n{}not used  off\n  eth1 is längst  one queue\n\n\
             What costs something here\n  it is slow; make it fast\n",
            " ".repeat(2 + 14 + 2 + 9 + 2)
        );
        assert_eq!(text, expected);
    }
}
