//! Measured figures with their goals, as values: printed as a table, stored as JSON, drawn elsewhere.
//!
//! A goal is judged by the median. All samples are kept, so that everybody can check a summary.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::stats::Spread;

/// One run of the program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The machine and the commit.
    pub machine: Machine,
    /// The command line that repeats it.
    pub command: String,
    /// One for each case that ran.
    pub sheets: Vec<Sheet>,
}

/// One case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sheet {
    /// Its name on the command line.
    pub case: String,
    /// Sentences about what was measured on what.
    pub notes: Vec<String>,
    /// The figures.
    pub figures: Vec<Figure>,
    /// Pictures.
    pub charts: Vec<Chart>,
    /// Duration of the case, including preparations.
    pub took_secs: f64,
}

/// One figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Its name.
    pub name: String,
    /// `GB/s`, `ms`, `x`...
    pub unit: String,
    /// In the order of measurement.
    pub samples: Vec<f64>,
    /// Its goal, if any.
    pub goal: Option<Goal>,
}

/// A goal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// The median is this or more.
    AtLeast(f64),
    /// The median is this or less.
    AtMost(f64),
    /// The median is less.
    Below(f64),
}

/// A picture of curves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chart {
    /// File name without extension.
    pub file: String,
    /// What it shows.
    pub title: String,
    /// Label of the x axis.
    pub x: String,
    /// Label of the y axis.
    pub y: String,
    /// Whether the x axis is logarithmic.
    pub x_log: bool,
    /// The curves.
    pub curves: Vec<Curve>,
}

/// One curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Its name in the legend.
    pub name: String,
    /// Points, by x.
    pub points: Vec<(f64, f64)>,
}

impl Goal {
    /// The limit of the goal.
    pub fn bound(self) -> f64 {
        let (Self::AtLeast(bound) | Self::AtMost(bound) | Self::Below(bound)) = self;
        bound
    }

    /// Whether a value reaches the goal.
    pub fn is_met_by(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
            Self::Below(bound) => value < bound,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, ">= {least}"),
            Self::AtMost(most) => write!(f, "<= {most}"),
            Self::Below(bound) => write!(f, "< {bound}"),
        }
    }
}

impl Figure {
    /// Minimum, median and maximum; zeros when nothing was measured.
    pub fn spread(&self) -> Spread {
        Spread::of(&self.samples).unwrap_or(Spread {
            min: 0.0,
            median: 0.0,
            max: 0.0,
        })
    }

    /// Whether the goal was reached, if there is one.
    pub fn is_reached(&self) -> Option<bool> {
        let measured = !self.samples.is_empty();
        self.goal
            .map(|goal| measured && goal.is_met_by(self.spread().median))
    }
}

impl Sheet {
    /// An empty sheet.
    pub fn new(case: &str) -> Self {
        Self {
            case: case.to_owned(),
            notes: Vec::new(),
            figures: Vec::new(),
            charts: Vec::new(),
            took_secs: 0.0,
        }
    }

    /// Adds a sentence about what was measured.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Adds a sample to the figure of this name.
    pub fn add(&mut self, name: &str, unit: &str, sample: f64) {
        self.figure(name, unit).samples.push(sample);
    }

    /// Adds a sample to a figure with a goal.
    pub fn promise(&mut self, name: &str, unit: &str, goal: Goal, sample: f64) {
        let figure = self.figure(name, unit);
        figure.goal = Some(goal);
        figure.samples.push(sample);
    }

    fn figure(&mut self, name: &str, unit: &str) -> &mut Figure {
        let at = self.figures.iter().position(|f| f.name == name);
        let at = at.unwrap_or_else(|| {
            self.figures.push(Figure {
                name: name.to_owned(),
                unit: unit.to_owned(),
                samples: Vec::new(),
                goal: None,
            });
            self.figures.len() - 1
        });
        let figure = self.figures.get_mut(at).expect("found or just pushed");
        assert_eq!(figure.unit, unit, "one unit for all samples of {name}");
        figure
    }
}

impl Chart {
    /// Figures of these names by round, each with its goal as a horizontal line.
    pub fn over_rounds(file: &str, title: &str, sheet: &Sheet, names: &[&str]) -> Self {
        let figures = names
            .iter()
            .filter_map(|name| sheet.figures.iter().find(|figure| figure.name == *name));
        let curves = figures.clone().flat_map(|figure| {
            let rounds = (1_u32..).map(f64::from);
            let measured = Curve {
                name: figure.name.clone(),
                points: rounds.zip(figure.samples.iter().copied()).collect(),
            };
            let goal = figure.goal.map(|goal| {
                let name = format!("goal of {}: {goal}", figure.name);
                let ends = [measured.points.first(), measured.points.last()];
                let points = ends.iter().flatten().map(|(x, _)| (*x, goal.bound()));
                Curve {
                    name,
                    points: points.collect(),
                }
            });
            std::iter::once(measured).chain(goal)
        });
        Self {
            file: file.to_owned(),
            title: title.to_owned(),
            x: "round".to_owned(),
            y: figures
                .clone()
                .map(|f| f.unit.clone())
                .next()
                .unwrap_or_default(),
            x_log: false,
            curves: curves.collect(),
        }
    }
}

impl Curve {
    /// The medians of each of these figures over x; figures without samples are left out.
    pub fn of_medians(name: &str, figures: &[(f64, Vec<f64>)]) -> Self {
        let points = figures
            .iter()
            .filter_map(|(x, samples)| Spread::of(samples).map(|spread| (*x, spread.median)))
            .collect();
        Self {
            name: name.to_owned(),
            points,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_judged_by_the_median_and_needs_samples() {
        let mut sheet = Sheet::new("put");
        for sample in [0.1, 0.7, 0.9] {
            sheet.promise("ratio", "x", Goal::AtLeast(0.65), sample);
        }
        sheet.add("speed", "GB/s", 1.0);
        let reached: Vec<_> = sheet.figures.iter().map(Figure::is_reached).collect();
        assert_eq!(reached, [Some(true), None]);
        let mut empty = sheet.figures.first().expect("two figures").clone();
        empty.samples.clear();
        assert_eq!(empty.is_reached(), Some(false));
        assert!(!Goal::Below(20.0).is_met_by(20.0) && Goal::AtMost(20.0).is_met_by(20.0));

        let chart = Chart::over_rounds("put", "PUT", &sheet, &["ratio", "missing"]);
        let curves = chart.curves.iter().map(|curve| curve.points.as_slice());
        let wanted: [&[(f64, f64)]; 2] = [
            &[(1.0, 0.1), (2.0, 0.7), (3.0, 0.9)],
            &[(1.0, 0.65), (3.0, 0.65)],
        ];
        assert_eq!(curves.collect::<Vec<_>>(), wanted);
    }
}
