//! Bar charts of what an operation costs, as SVG without a library: a dozen rectangles.

use std::fmt::Write as _;

use crate::report::Row;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 150.0;
const BAR: f64 = 26.0;
const TOP: f64 = 48.0;

/// What tells the peers of a scenario apart: CPU time, else memory, else latency.
type Figure = (&'static str, fn(&Row) -> Option<f64>);
const FIGURES: [Figure; 3] = [
    ("kB for each idle connection", |row| row.kb_per_connection),
    ("CPU time of the proxy per operation, us", |row| {
        row.cpu_us_per_op
    }),
    ("99th percentile of the latency, us", |row| row.p99_us),
];

/// A bar for each peer in a scenario; none where no run tells. Where all runs of all peers are
/// void, hollow bars show what CPU time they took.
pub fn bars(scenario: &str, rows: &[Row]) -> Option<String> {
    let rows: Vec<&Row> = rows.iter().filter(|row| row.scenario == scenario).collect();
    let tells = |(_, figure): &&Figure| rows.iter().any(|row| figure(row).is_some());
    let (title, figure) = FIGURES.iter().find(tells).unwrap_or(&FIGURES[1]);
    let bars: Vec<(&str, f64, bool)> = rows
        .iter()
        .filter_map(|row| {
            let solid = figure(row).map(|value| (value, true));
            let hollow = || row.cpu_us_per_op_of_void.map(|cpu| (cpu, false));
            let (value, solid) = solid.or_else(hollow)?;
            Some((row.peer.as_str(), value, solid))
        })
        .collect();
    let longest = bars.iter().map(|(_, value, _)| *value).reduce(f64::max)?;
    if longest <= 0.0 {
        return None;
    }
    let scale = (WIDTH - LEFT - 90.0) / longest;
    Some(draw(&format!("{scenario}: {title}"), &bars, scale))
}

fn draw(title: &str, bars: &[(&str, f64, bool)], scale: f64) -> String {
    let height = TOP + bars.len() as f64 * (BAR + 10.0) + 10.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"14\">\n<rect width=\"{WIDTH}\" \
         height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"12\" y=\"26\" font-size=\"16\">{}</text>\n",
        escaped(title)
    );
    for (place, (peer, cpu, solid)) in bars.iter().enumerate() {
        let y = TOP + place as f64 * (BAR + 10.0);
        let ours = peer.starts_with("t8gate");
        let colour = if ours { "#1b7f5c" } else { "#8a94a6" };
        let fill = if *solid { colour } else { "none" };
        let width = cpu * scale;
        // Writing to a String cannot fail.
        let _ = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text><rect x=\"{LEFT}\" \
             y=\"{y:.0}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{fill}\" \
             stroke=\"{colour}\"/><text x=\"{:.1}\" y=\"{:.0}\">{cpu:.1}{}</text>",
            LEFT - 8.0,
            y + BAR * 0.7,
            escaped(peer),
            LEFT + width + 8.0,
            y + BAR * 0.7,
            if *solid { "" } else { " void" },
        );
    }
    svg + "</svg>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chart_has_a_bar_for_each_peer_and_marks_void_ones() {
        let row = |peer: &str, valid: Option<f64>, void: Option<f64>| Row {
            scenario: "get".to_owned(),
            peer: peer.to_owned(),
            cpu_us_per_op: valid,
            cpu_us_per_op_of_void: void,
            ..Row::default()
        };
        let rows = [
            row("t8gate", Some(10.0), None),
            row("a<b", None, Some(20.0)),
        ];
        let svg = bars("get", &rows).expect("two bars");
        assert_eq!(svg.matches("<rect x=").count(), 2);
        assert!(svg.contains("a&lt;b") && svg.contains("20.0 void"));
        assert_eq!(bars("post", &rows), None);
    }
}
