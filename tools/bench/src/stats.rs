//! Computes medians and exponents.

use serde::Serialize;

/// The median and the ends of some figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Middle figure, or the mean of the two in the middle.
    pub median: f64,
    /// Smallest figure.
    pub min: f64,
    /// Largest figure.
    pub max: f64,
}

impl Spread {
    /// Returns the spread of figures, or `None` if there are none.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len().is_multiple_of(2) {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        } else {
            sorted[middle]
        };
        Some(Self { median, min, max })
    }
}

/// Returns the median of the ratios of figures that were taken in the same round, or `None` if
/// there are none. Rounds that only one of both has don't count.
pub fn pairwise(over: &[f64], under: &[f64]) -> Option<f64> {
    let ratios = over.iter().zip(under).map(|(over, under)| over / under);
    Some(Spread::of(ratios)?.median)
}

/// Returns the exponent with which figures grow: the slope of their logarithms over those of the
/// sizes. 1 is linear.
pub fn exponent(points: &[(f64, f64)]) -> Option<f64> {
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let count = f64::from(u32::try_from(logs.len()).ok()?);
    let mean = |of: fn(&(f64, f64)) -> f64| logs.iter().map(of).sum::<f64>() / count;
    let (middle, height) = (mean(|log| log.0), mean(|log| log.1));
    let width: f64 = logs.iter().map(|log| (log.0 - middle).powi(2)).sum();
    let rise: f64 = logs
        .iter()
        .map(|log| (log.0 - middle) * (log.1 - height))
        .sum();
    (width > 0.0 && rise.is_finite()).then(|| rise / width)
}

#[cfg(test)]
mod tests {
    use super::{Spread, exponent, pairwise};

    #[test]
    fn exponents_are_told_apart() {
        let sizes = [250.0, 500.0, 1000.0, 4000.0];
        for wanted in [0.5, 1.0, 2.0] {
            let points = sizes.map(|size: f64| (size, 0.003 * size.powf(wanted)));
            let found = exponent(&points).expect("an exponent");
            assert!((found - wanted).abs() < 1e-9, "{found}");
        }
        assert_eq!(exponent(&[]), None);
        assert_eq!(exponent(&[(2.0, 1.0), (2.0, 3.0)]), None);
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        // A disturbance of one round hits both sides, and drops out.
        let ratio = pairwise(&[1.0, 8.0, 1.0], &[2.0, 16.0, 2.0]).expect("a ratio");
        assert!((ratio - 0.5).abs() < 1e-9, "{ratio}");
        let ratio = pairwise(&[3.0, 9.0], &[1.0]).expect("a ratio");
        assert!((ratio - 3.0).abs() < 1e-9, "{ratio}");
        assert_eq!(pairwise(&[], &[1.0]), None);
    }

    #[test]
    fn the_median_is_the_middle() {
        let spread = Spread::of([3.0, 1.0, 2.0]).expect("figures");
        assert_eq!((spread.min, spread.median, spread.max), (1.0, 2.0, 3.0));
        let spread = Spread::of([4.0, 1.0, 2.0, 3.0]).expect("figures");
        assert!((spread.median - 2.5).abs() < 1e-9);
        assert_eq!(Spread::of([]), None);
    }
}
