//! The table of refusals as the README prints it. A test holds the two equal;
//! `T8GATE_WRITE_README=1 cargo test --lib readme` writes the README's part anew.

use std::fmt::Write as _;
use std::path::Path;

use super::ROWS;
use super::connections::CONNECTION_ROWS;

const BEGIN: &str = "<!-- refusals: begin -->\n";
const END: &str = "<!-- refusals: end -->\n";

/// Both halves of the table, in Markdown.
fn markdown() -> String {
    let mut out = String::from(
        "Requests. `reason` is the label in `t8gate_requests_refused_total`, the word in the log \
         and in the\naudit file; `cause` is the one of the answer's problem details.\n\n\
         | reason | status | OAuth error | cause | what to check |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    // Writing to a String cannot fail.
    for row in &ROWS {
        let error = row.oauth_error.map(|error| format!("`{error}`"));
        let cause = match row.cause {
            "" => "none".to_owned(),
            cause => format!("`{cause}`"),
        };
        let _ = writeln!(
            out,
            "| `{}` | {} {} | {} | {} | {} |",
            row.word,
            row.status,
            row.title,
            error.as_deref().unwrap_or("none"),
            cause,
            escaped(row.cure),
        );
    }
    out.push_str(
        "\nConnections, refused or broken in TLS. `reason` is the label in\n\
         `t8gate_connections_refused_total`; where several alerts stand, `detail` in the audit\n\
         file says which one it was.\n\n\
         | reason | TLS alert | what to check |\n\
         | --- | --- | --- |\n",
    );
    for row in &CONNECTION_ROWS {
        let alert = match row.alert {
            "" => "none".to_owned(),
            alert => format!("`{}`", alert.replace(", ", "`, `")),
        };
        let _ = writeln!(out, "| `{}` | {alert} | {} |", row.word, escaped(row.cure));
    }
    out
}

/// A bar would end the cell, and `<` or `[` begin something else.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
        .replace('[', "\\[")
        .replace('<', "&lt;")
}

fn readme() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

/// What stands before, between and behind the markers.
fn parts(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (between, behind) = rest.split_once(END)?;
    Some((before, between, behind))
}

#[test]
fn readme_prints_the_table_of_refusals() {
    let text = std::fs::read_to_string(readme()).expect("README.md");
    let (before, between, behind) = parts(&text).expect("both markers");
    let wanted = markdown();
    if std::env::var_os("T8GATE_WRITE_README").is_some() {
        let whole = format!("{before}{BEGIN}{wanted}{END}{behind}");
        std::fs::write(readme(), whole).expect("README.md can be written");
        return;
    }
    assert!(
        between == wanted,
        "T8GATE_WRITE_README=1 cargo test --lib readme writes what README.md should say:\n{wanted}"
    );
}

#[test]
fn table_has_a_line_for_every_row() {
    let table = markdown();
    let lines = table.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(lines, ROWS.len() + CONNECTION_ROWS.len());
    for line in table.lines().filter(|line| line.starts_with('|')) {
        let bars = line.replace("\\|", "").matches('|').count();
        assert!(bars == 6 || bars == 4, "{line}");
    }
    assert_eq!(escaped("a | [[b]]"), "a \\| \\[\\[b]]");
}
