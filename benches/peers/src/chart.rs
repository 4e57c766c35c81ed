//! Bar charts of CPU time per operation, as SVG without a library: a dozen rectangles.

use std::fmt::Write as _;

use crate::report::Row;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 150.0;
const BAR: f64 = 26.0;
const TOP: f64 = 48.0;

/// CPU us per operation of each peer in a scenario; none where no run tells. Bars of rows whose
/// runs are all void are hollow.
pub fn cpu(scenario: &str, rows: &[Row]) -> Option<String> {
    let rows = rows.iter().filter(|row| row.scenario == scenario);
    let bars: Vec<(&str, f64, bool)> = rows
        .filter_map(|row| {
            let solid = row.cpu_us_per_op.map(|cpu| (cpu, true));
            let (cpu, solid) = solid.or(row.cpu_us_per_op_of_void.map(|cpu| (cpu, false)))?;
            Some((row.peer.as_str(), cpu, solid))
        })
        .collect();
    let longest = bars.iter().map(|(_, cpu, _)| *cpu).reduce(f64::max)?;
    if longest <= 0.0 {
        return None;
    }
    Some(draw(scenario, &bars, (WIDTH - LEFT - 90.0) / longest))
}

fn draw(scenario: &str, bars: &[(&str, f64, bool)], scale: f64) -> String {
    let height = TOP + bars.len() as f64 * (BAR + 10.0) + 10.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"14\">\n<rect width=\"{WIDTH}\" \
         height=\"{height}\" fill=\"white\"/>\n<text x=\"12\" y=\"26\" font-size=\"16\">{}: CPU \
         time of the proxy per operation, us</text>\n",
        escaped(scenario)
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
        let svg = cpu("get", &rows).expect("two bars");
        assert_eq!(svg.matches("<rect x=").count(), 2);
        assert!(svg.contains("a&lt;b") && svg.contains("20.0 void"));
        assert_eq!(cpu("post", &rows), None);
    }
}
