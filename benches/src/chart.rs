//! Charts as SVG, by hand: axes, ticks, curves with marks, a legend. It knows nothing of benchmarks.
//!
//! Colours and text are readable on light and on dark pages: the picture brings its own background.

use std::fmt::Write;

use crate::figures::{Chart, Curve};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 44.0;
/// Room for the axis' name and a line of legend per curve.
const BOTTOM: f64 = 56.0;
const LEGEND_LINE: f64 = 18.0;

/// Told apart also by who sees no red or no green (Okabe and Ito's palette).
const COLOURS: [&str; 6] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9",
];

/// Ticks on the y axis, at most.
const TICKS_MAX: f64 = 6.0;

/// Draws it.
pub fn svg(chart: &Chart) -> String {
    let frame = Frame::around(chart);
    let legend = LEGEND_LINE * f64::from(u32::try_from(chart.curves.len()).unwrap_or(0));
    let height = HEIGHT + legend;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    text(
        &mut out,
        WIDTH / 2.0,
        24.0,
        "middle\" font-size=\"15",
        &chart.title,
    );
    axes(&mut out, chart, &frame);
    for (at, curve) in chart.curves.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        draw(&mut out, curve, &frame, colour);
        let y = HEIGHT + 4.0 + LEGEND_LINE * f64::from(u32::try_from(at).unwrap_or(0));
        line(&mut out, [LEFT, y, LEFT + 22.0, y], colour, "2.5");
        text(&mut out, LEFT + 30.0, y + 4.0, "start", &curve.name);
    }
    out.push_str("</svg>\n");
    out
}

/// Where values lie on the picture.
struct Frame {
    x: [f64; 2],
    y_max: f64,
    y_step: f64,
    x_log: bool,
}

impl Frame {
    fn around(chart: &Chart) -> Self {
        let points = || chart.curves.iter().flat_map(|curve| &curve.points);
        let low = points().map(|p| p.0).fold(f64::INFINITY, f64::min);
        let high = points().map(|p| p.0).fold(f64::NEG_INFINITY, f64::max);
        let top = points().map(|p| p.1).fold(0.0, f64::max);
        let x_log = chart.x_log && low > 0.0;
        // One round, or none at all, still makes a picture.
        let x = if low < high {
            [low, high]
        } else {
            [0.0, high.max(2.0)]
        };
        let y_step = nice_step(if top > 0.0 { top } else { 1.0 } / TICKS_MAX);
        Self {
            x,
            y_max: (top / y_step).ceil().max(1.0) * y_step,
            y_step,
            x_log: x_log && low < high,
        }
    }

    fn across(&self, x: f64) -> f64 {
        let scale = |v: f64| if self.x_log { v.log2() } else { v };
        let part = (scale(x) - scale(self.x[0])) / (scale(self.x[1]) - scale(self.x[0]));
        LEFT + part * (WIDTH - LEFT - RIGHT)
    }

    fn up(&self, y: f64) -> f64 {
        HEIGHT - BOTTOM - y / self.y_max * (HEIGHT - BOTTOM - TOP)
    }
}

/// The smallest of 1, 2, 5 times a power of ten that is at least this.
fn nice_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0].map(|n| n * power);
    steps
        .into_iter()
        .find(|step| *step >= least)
        .unwrap_or(10.0 * power)
}

fn axes(out: &mut String, chart: &Chart, frame: &Frame) {
    let (left, right, floor) = (LEFT, WIDTH - RIGHT, frame.up(0.0));
    let mut y = 0.0;
    while y <= frame.y_max * 1.001 {
        let at = frame.up(y);
        line(out, [left, at, right, at], "#dddddd", "1");
        text(out, left - 8.0, at + 4.0, "end", &told(y));
        y += frame.y_step;
    }
    let mut seen = Vec::new();
    for (x, _) in chart.curves.iter().flat_map(|curve| &curve.points) {
        let at = frame.across(*x);
        // No two labels within 30 pixels.
        if seen.iter().all(|other: &f64| (other - at).abs() > 30.0) {
            seen.push(at);
            line(out, [at, floor, at, floor + 5.0], "#444444", "1");
            text(out, at, floor + 20.0, "middle", &told(*x));
        }
    }
    line(out, [left, floor, right, floor], "#444444", "1");
    line(out, [left, TOP, left, floor], "#444444", "1");
    text(
        out,
        f64::midpoint(left, right),
        floor + 38.0,
        "middle",
        &chart.x,
    );
    text(out, 10.0, TOP - 14.0, "start", &chart.y);
}

fn draw(out: &mut String, curve: &Curve, frame: &Frame, colour: &str) {
    let places: Vec<_> = curve
        .points
        .iter()
        .filter(|(x, y)| x.is_finite() && y.is_finite())
        .map(|(x, y)| (frame.across(*x), frame.up(*y)))
        .collect();
    let path: Vec<_> = places
        .iter()
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    let path = path.join(" ");
    put(
        out,
        format_args!(
            "<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\"/>\n"
        ),
    );
    for (x, y) in places {
        put(
            out,
            format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>\n"),
        );
    }
}

fn line(out: &mut String, [x1, y1, x2, y2]: [f64; 4], colour: &str, width: &str) {
    put(
        out,
        format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\" stroke-width=\"{width}\"/>\n"
        ),
    );
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    put(
        out,
        format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"#222222\" text-anchor=\"{anchor}\">{words}</text>\n"
        ),
    );
}

fn put(out: &mut String, what: std::fmt::Arguments<'_>) {
    out.write_fmt(what).expect("a String takes all");
}

/// A number as short as it can be told.
fn told(value: f64) -> String {
    if value >= 1e6 {
        return format!("{}M", value / 1e6);
    }
    let text = format!("{value:.2}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<(f64, f64)>) -> Chart {
        Chart {
            file: "f".to_owned(),
            title: "a < b & c".to_owned(),
            x: "x".to_owned(),
            y: "y".to_owned(),
            x_log: true,
            curves: vec![Curve {
                name: "rate".to_owned(),
                points,
            }],
        }
    }

    #[test]
    fn curves_fill_the_frame_and_doubling_steps_are_even() {
        let drawn = svg(&chart(vec![(1.0, 0.0), (8.0, 5.0), (64.0, 10.0)]));
        let wanted = "points=\"76.0,344.0 388.0,194.0 700.0,44.0\"";
        assert!(drawn.contains(wanted), "{drawn}");
        assert!(drawn.contains("a &lt; b &amp; c") && drawn.ends_with("</svg>\n"));
        assert_eq!(drawn.matches("<circle").count(), 3);
    }

    #[test]
    fn one_point_or_none_makes_a_picture_without_nonsense() {
        for points in [vec![], vec![(1.0, 3.0)], vec![(1.0, f64::NAN)]] {
            let drawn = svg(&chart(points));
            assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
        }
    }

    #[test]
    fn steps_and_numbers_are_round() {
        let steps = [0.013, 0.2, 3.1, 77.0].map(nice_step).map(told);
        assert_eq!(steps, ["0.02", "0.2", "5", "100"]);
        assert_eq!([0.0, 1e6, 1500.0].map(told), ["0", "1M", "1500"]);
    }
}
