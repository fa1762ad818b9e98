//! The table as a picture: an SVG with a bar a workload, and a line where both servers are equally fast.

use std::fmt::Write;

use crate::report::Ratio;

/// A bar chart of speeds; `server` is whom ours is compared with.
pub(crate) fn svg(server: &str, rows: &[(&str, Ratio)]) -> String {
    let most = rows
        .iter()
        .fold(1.0, |most, (_, speed)| speed.high.max(most));
    let step = STEPS
        .iter()
        .find(|step| most / **step <= 8.0)
        .unwrap_or(&50.0);
    let end = (most / step).ceil() * step;
    let x = |speed: f64| LEFT + speed / end * (RIGHT - LEFT);
    let bottom = TOP + ROW * rows.len() as f64;
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {}" font-family="sans-serif" font-size="13">
<rect width="100%" height="100%" fill="white"/>
<text x="12" y="22" font-size="15">Speed beside {}: how many times as fast (median; the thin line is from the lowest to the highest)</text>
"#,
        bottom + 30.0,
        escape(server)
    );
    let mut line = |words: std::fmt::Arguments| {
        writeln!(svg, "{words}").expect("a String takes all that is written");
    };
    for tick in 0..=(end / step).round() as u32 {
        let speed = f64::from(tick) * step;
        let at = x(speed);
        line(format_args!(
            r##"<path d="M{at:.1} {TOP}V{bottom}" stroke="#ddd"/><text x="{at:.1}" y="{:.1}" text-anchor="middle" fill="#555">{speed}×</text>"##,
            bottom + 18.0
        ));
    }
    for (n, (title, speed)) in rows.iter().enumerate() {
        let top = TOP + ROW * n as f64 + 4.0;
        let (middle, height) = (top + (ROW - 8.0) / 2.0, ROW - 8.0);
        let colour = if speed.median < 1.0 { "#c66" } else { "#48a" };
        line(format_args!(
            r#"<text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
            LEFT - 8.0,
            middle + 4.5,
            escape(title)
        ));
        line(format_args!(
            r#"<rect x="{LEFT}" y="{top:.1}" width="{:.1}" height="{height}" fill="{colour}"/>"#,
            x(speed.median) - LEFT
        ));
        line(format_args!(
            r##"<path d="M{:.1} {middle:.1}H{:.1}" stroke="#222"/><text x="{:.1}" y="{:.1}">{:.1}×</text>"##,
            x(speed.low),
            x(speed.high),
            x(speed.high.max(speed.median)) + 6.0,
            middle + 4.5,
            speed.median
        ));
    }
    line(format_args!(
        r##"<path d="M{0:.1} {TOP}V{bottom}" stroke="#222" stroke-dasharray="4 3"/>"##,
        x(1.0)
    ));
    svg.push_str("</svg>\n");
    svg
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// What may lie between two lines of the grid.
const STEPS: [f64; 5] = [1.0, 2.0, 5.0, 10.0, 20.0];

const WIDTH: f64 = 900.0;
const LEFT: f64 = 320.0;
const RIGHT: f64 = 850.0;
const TOP: f64 = 40.0;
const ROW: f64 = 26.0;
