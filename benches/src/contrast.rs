//! Figures of two builds as pairs, one pair per round, and their ratios. Pure.

use std::fmt::{self, Write};

use crate::stats::Spread;

/// A build counts as slower below this ratio.
const ALLOWED: f64 = 0.97;

/// The results of one part of the comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Contrast {
    /// What was measured.
    pub case: String,
    /// In the order of measurement.
    pub rows: Vec<Row>,
}

/// One figure of both builds.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// `GB/s`, `ms`...
    pub unit: String,
    /// Before and after, of each round.
    pub samples: Vec<[f64; 2]>,
}

impl Contrast {
    /// An empty contrast.
    pub fn new(case: &str) -> Self {
        Self {
            case: case.to_owned(),
            rows: Vec::new(),
        }
    }

    /// Adds the samples of one round, before and after.
    pub fn add(&mut self, name: &str, unit: &str, samples: [f64; 2]) {
        let known = self.rows.iter_mut().find(|row| row.name == name);
        match known {
            Some(row) => row.samples.push(samples),
            None => self.rows.push(Row {
                name: name.to_owned(),
                unit: unit.to_owned(),
                samples: vec![samples],
            }),
        }
    }
}

impl Row {
    /// After : before, of each round.
    pub fn ratios(&self) -> Option<Spread> {
        let ratios: Vec<_> = self.samples.iter().map(|[a, b]| b / a).collect();
        Spread::of(&ratios)
    }

    /// After : before over all rounds: the median. Processor time is counted in hundredths of a second, and a round has
    /// only a few of them, so its ratio is the ratio of the sums.
    pub fn ratio(&self) -> Option<f64> {
        if self.unit.starts_with("CPU") {
            let sum = |side: usize| self.samples.iter().map(|pair| pair[side]).sum::<f64>();
            return Some(sum(1) / sum(0));
        }
        self.ratios().map(|spread| spread.median)
    }

    /// Whether the later build lost more than allowed.
    pub fn is_worse(&self) -> bool {
        let more_is_better = matches!(self.unit.as_str(), "GB/s" | "1/s");
        self.ratio().is_some_and(|ratio| {
            if more_is_better {
                ratio < ALLOWED
            } else {
                ratio > 1.0 / ALLOWED
            }
        })
    }

    fn medians(&self) -> Option<[f64; 2]> {
        let of = |side: usize| {
            let samples: Vec<_> = self.samples.iter().map(|pair| pair[side]).collect();
            Spread::of(&samples).map(|spread| spread.median)
        };
        Some([of(0)?, of(1)?])
    }
}

impl fmt::Display for Contrast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.rows.iter().map(|row| row.name.chars().count());
        let width = names.max().unwrap_or(0);
        let mut out = format!("\n== {}\n{:width$}", self.case, "");
        for title in ["before", "after", "ratio", "min", "max"] {
            write!(out, "  {title:>8}")?;
        }
        out.push('\n');
        for row in &self.rows {
            let measured = (row.medians(), row.ratio(), row.ratios());
            let (Some([before, after]), Some(ratio), Some(Spread { min, max, .. })) = measured
            else {
                continue;
            };
            write!(out, "{:width$}", row.name)?;
            write!(out, "  {before:>8.3}  {after:>8.3}")?;
            write!(out, "  {ratio:>8.3}  {min:>8.3}  {max:>8.3}")?;
            let verdict = if row.is_worse() { "WORSE" } else { "" };
            writeln!(out, "  {:11} {verdict}", row.unit)?;
        }
        f.write_str(&out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(unit: &str, samples: &[[f64; 2]]) -> Row {
        let mut contrast = Contrast::new("put");
        for pair in samples {
            contrast.add("figure", unit, *pair);
        }
        contrast.rows.remove(0)
    }

    #[test]
    fn a_rate_that_falls_is_worse_and_so_is_a_cost_that_rises() {
        assert!(row("GB/s", &[[1.0, 0.96]]).is_worse());
        assert!(!row("GB/s", &[[1.0, 0.98]]).is_worse());
        assert!(!row("GB/s", &[[1.0, 2.0]]).is_worse());
        assert!(row("CPU-s/GB", &[[1.0, 1.04]]).is_worse());
        assert!(!row("ms", &[[1.0, 1.02]]).is_worse());
        assert!(!row("ms", &[[1.0, 0.5]]).is_worse());
    }

    #[test]
    fn rounds_are_compared_with_themselves() {
        // The machine is twice as slow in the second round: the ratios are not affected.
        let row = row("GB/s", &[[2.0, 2.2], [1.0, 1.1], [2.0, 1.0]]);
        let ratios = row.ratios().expect("three rounds");
        let told = [ratios.min, ratios.median, ratios.max].map(|r| format!("{r:.2}"));
        assert_eq!(told, ["0.50", "1.10", "1.10"]);
    }

    #[test]
    fn processor_time_is_compared_by_its_sums() {
        let row = row(
            "CPU-s/GB",
            &[[0.1, 0.2], [0.2, 0.1], [0.1, 0.2], [0.2, 0.1]],
        );
        let ratio = row.ratio().expect("four rounds");
        assert!((ratio - 1.0).abs() < 1e-9 && !row.is_worse(), "{ratio}");
    }

    #[test]
    fn the_table_tells_medians_ratios_and_who_lost() {
        let mut contrast = Contrast::new("get");
        contrast.add("GET", "GB/s", [2.0, 1.0]);
        let text = contrast.to_string();
        assert!(text.contains("2.000") && text.contains("0.500"), "{text}");
        assert!(text.contains("WORSE"), "{text}");
    }
}
