//! Charts as SVG: curves with marks, and a legend below them. It knows nothing of benchmarks.
//!
//! Colours and text are readable on light and on dark pages: the picture brings its own background.

use plotters::coord::Shift;
use plotters::prelude::{
    ChartBuilder, Circle, DrawingArea, DrawingAreaErrorKind, IntoDrawingArea, IntoFont, LineSeries,
    PathElement, RGBColor, SVGBackend, Text, WHITE,
};
use plotters::style::{Color, ShapeStyle};

use crate::figures::{Chart, Curve};

const WIDTH: u32 = 720;
const PLOT_HEIGHT: u32 = 400;
const LEGEND_LINE: u32 = 18;

/// Colours that people with red-green blindness can distinguish, too (Okabe and Ito's palette).
const COLOURS: [RGBColor; 6] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
];
const TEXT: RGBColor = RGBColor(0x22, 0x22, 0x22);
const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);

const TICKS: usize = 6;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Failed = DrawingAreaErrorKind<std::io::Error>;

/// Draws the chart.
///
/// # Panics
/// Never: writing to a text cannot fail.
pub fn svg(chart: &Chart) -> String {
    let mut out = String::new();
    let lines = u32::try_from(chart.curves.len()).expect("few curves");
    let size = (WIDTH, PLOT_HEIGHT + LEGEND_LINE * lines + LEGEND_LINE / 2);
    let root = SVGBackend::with_string(&mut out, size).into_drawing_area();
    draw(chart, &root).expect("a text takes all");
    drop(root);
    out
}

fn draw(chart: &Chart, root: &Area<'_>) -> Result<(), Failed> {
    root.fill(&WHITE)?;
    let (plot, legend) = root.split_vertically(PLOT_HEIGHT);
    let scale = Scale::of(chart);
    let mut context = ChartBuilder::on(&plot)
        .caption(&chart.title, ("sans-serif", 19).into_font().color(&TEXT))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(scale.x[0]..scale.x[1], 0.0..scale.y_max)?;
    context
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(GRID)
        .max_light_lines(1)
        .axis_style(TEXT)
        .label_style(("sans-serif", 15).into_font().color(&TEXT))
        .x_labels(scale.x_labels)
        .y_labels(TICKS)
        .x_label_formatter(&|x| format_number(scale.steps.value(*x)))
        .y_label_formatter(&|y| format_number(*y))
        .x_desc(&chart.x)
        .y_desc(&chart.y)
        .draw()?;
    for (at, curve) in chart.curves.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let places = scale.places(curve);
        context.draw_series(LineSeries::new(places.clone(), line(colour)))?;
        let marks = places.into_iter();
        context.draw_series(marks.map(|place| Circle::new(place, 3, colour.filled())))?;
        name(&legend, at, curve, colour)?;
    }
    plot.present()
}

fn name(legend: &Area<'_>, at: usize, curve: &Curve, colour: RGBColor) -> Result<(), Failed> {
    let line_height = i32::try_from(LEGEND_LINE).expect("small");
    let y = i32::try_from(at).expect("few curves") * line_height + line_height / 2;
    let stroke = vec![(76, y), (98, y)];
    legend.draw(&PathElement::new(stroke, line(colour)))?;
    let style = ("sans-serif", 15).into_font().color(&TEXT);
    legend.draw(&Text::new(curve.name.clone(), (106, y - 7), style))
}

fn line(colour: RGBColor) -> ShapeStyle {
    colour.stroke_width(2)
}

/// The steps that have equal width on the x axis.
#[derive(Debug, Clone, Copy)]
enum Steps {
    Even,
    Doublings,
    Decades,
}

impl Steps {
    fn place(self, x: f64) -> f64 {
        match self {
            Self::Even => x,
            Self::Doublings => x.log2(),
            Self::Decades => x.log10(),
        }
    }

    fn value(self, place: f64) -> f64 {
        match self {
            Self::Even => place,
            Self::Doublings => place.exp2(),
            Self::Decades => 10_f64.powf(place),
        }
    }
}

/// The positions of values.
struct Scale {
    steps: Steps,
    x: [f64; 2],
    x_labels: usize,
    y_max: f64,
}

impl Scale {
    fn of(chart: &Chart) -> Self {
        let finite = |p: &&(f64, f64)| p.0.is_finite() && p.1.is_finite();
        let points = || chart.curves.iter().flat_map(|c| &c.points).filter(finite);
        let low = points().map(|p| p.0).fold(f64::INFINITY, f64::min);
        let high = points().map(|p| p.0).fold(f64::NEG_INFINITY, f64::max);
        let top = points().map(|p| p.1).fold(0.0, f64::max);
        let mut scale = Self {
            steps: Steps::Even,
            x: [low, high],
            x_labels: TICKS,
            y_max: if top > 0.0 { top * 1.05 } else { 1.0 },
        };
        if low >= high || points().next().is_none() {
            // One round, or none, still makes a picture.
            scale.x = [0.0, high.max(2.0)];
        } else if chart.x_log && low > 0.0 {
            scale.steps = if high / low >= 1000.0 {
                Steps::Decades
            } else {
                Steps::Doublings
            };
            scale.x = [low, high].map(|x| scale.steps.place(x));
            // One label per step.
            let steps = (1..32).take_while(|n| scale.x[0] + f64::from(*n) < scale.x[1] + 0.001);
            scale.x_labels = steps.count() + 1;
        }
        scale
    }

    fn places(&self, curve: &Curve) -> Vec<(f64, f64)> {
        let finite = |p: &&(f64, f64)| p.0.is_finite() && p.1.is_finite();
        let points = curve.points.iter().filter(finite);
        let place = |(x, y): &(f64, f64)| (self.steps.place(*x), *y);
        points.map(place).collect()
    }
}

/// A number in its shortest form.
fn format_number(value: f64) -> String {
    if value >= 1e6 {
        return format!("{}M", value / 1e6);
    }
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
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
    fn doubling_steps_are_even_and_each_point_has_its_mark() {
        let points = vec![(1.0, 0.0), (8.0, 5.0), (64.0, 10.0)];
        let chart = chart(points);
        let scale = Scale::of(&chart);
        assert_eq!(scale.x.map(format_number), ["0", "6"]);
        assert_eq!(scale.x_labels, 7);
        let places = scale.places(chart.curves.first().expect("one"));
        let places: Vec<_> = places.into_iter().map(|(x, _)| format_number(x)).collect();
        assert_eq!(places, ["0", "3", "6"]);
        let drawn = svg(&chart);
        assert_eq!(drawn.matches("<circle").count(), 3, "{drawn}");
        assert!(drawn.contains("a &lt; b &amp; c"), "{drawn}");
    }

    #[test]
    fn one_point_or_none_makes_a_picture_without_nonsense() {
        for points in [vec![], vec![(1.0, 3.0)], vec![(1.0, f64::NAN)]] {
            let drawn = svg(&chart(points));
            assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
        }
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [0.0, 1e6, 1500.0, 0.25].map(format_number),
            ["0", "1M", "1500", "0.25"]
        );
    }
}
