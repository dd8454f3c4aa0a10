//! Statistics: minimum, median, maximum, quantiles. Pure.

use std::time::Duration;

/// Bytes of a megabyte, the unit of speeds (10^6), and of a mebibyte, the unit of sizes (2^20).
pub const MB: f64 = 1e6;
/// See [`MB`].
pub const MIB: u64 = 1 << 20;
/// Bytes of a gigabyte, a unit of speeds.
pub const GB: f64 = 1e9;

/// Minimum, median and maximum of some samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The smallest.
    pub min: f64,
    /// The middle one; with an even number of samples, the mean of the two middle ones.
    pub median: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// The spread of these samples; `None` without samples.
    pub fn of(samples: &[f64]) -> Option<Self> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let upper = *sorted.get(sorted.len() / 2)?;
        let lower = *sorted.get((sorted.len() - 1) / 2)?;
        Some(Self {
            min,
            median: f64::midpoint(lower, upper),
            max,
        })
    }
}

/// The duration that `percent` of 100 do not exceed (nearest rank), in milliseconds; 0 without samples.
pub fn quantile_ms(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    let rank = (times.len() * percent).div_ceil(100).max(1);
    times
        .get(rank - 1)
        .map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

/// An integer as a real number; exact below 2^53, far above every size and count here.
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "counts and bytes below 2^53"
)]
pub fn real(number: u64) -> f64 {
    number as f64
}

/// A length as a number of bytes.
pub fn bytes(len: usize) -> u64 {
    u64::try_from(len).expect("lengths fit 64 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_ones() {
        let spread = Spread::of(&[4.0, 1.0, 3.0, 2.0]).expect("samples");
        assert_eq!(
            spread,
            Spread {
                min: 1.0,
                median: 2.5,
                max: 4.0
            }
        );
        let odd = Spread::of(&[9.0, 1.0, 2.0]).expect("samples");
        assert!((odd.median - 2.0).abs() < f64::EPSILON);
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn quantiles_are_nearest_ranks() {
        let mut times: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
        let told = [50, 99, 100].map(|percent| quantile_ms(&mut times, percent));
        assert_eq!(told.map(|ms| format!("{ms:.0}")), ["100", "198", "200"]);
        assert!(quantile_ms(&mut [], 99).abs() < f64::EPSILON);
        let one = quantile_ms(&mut [Duration::from_millis(7)], 50);
        assert_eq!(format!("{one:.0}"), "7");
    }
}
