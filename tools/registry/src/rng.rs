//! Generates deterministic numbers. Everything here is integer arithmetic. Floating point functions
//! such as `ln` may differ in the last bit between machines, and archives must not.

/// Returns a seed from several texts, whose boundaries count.
pub fn seed(parts: &[&str]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in part.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    mix(hash)
}

fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// The generator SplitMix64.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Starts from texts.
    pub fn from_parts(parts: &[&str]) -> Self {
        Self(seed(parts))
    }

    /// Returns the next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Returns a number below `limit`, which must not be 0.
    pub fn below(&mut self, limit: usize) -> usize {
        let limit = limit.max(1) as u64;
        // Only the upper half is scaled, so the product stays below 2^64 for every limit used here.
        let scaled = ((self.next_u64() >> 32) * limit) >> 32;
        usize::try_from(scaled).unwrap_or(0)
    }

    /// Returns a number in `low..=high`.
    pub fn range(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// Returns true in `percent` of 100 cases.
    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// Returns one of the items, the first ones more often, because words in text are not equally
    /// frequent either.
    pub fn skewed<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let at = self.below(items.len()).min(self.below(items.len()));
        &items[at]
    }

    /// Returns one of the items.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// Returns a number with the distribution of a table of equally spaced quantiles, linear in
    /// between.
    pub fn quantile(&mut self, table: &[usize]) -> usize {
        let steps = table.len() - 1;
        let position = self.below(steps << 16);
        let (step, part) = (position >> 16, position & 0xffff);
        let (low, high) = (table[step], table[step + 1]);
        low + (((high - low) * part) >> 16)
    }

    /// Shuffles in place.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            let other = self.below(index + 1);
            items.swap(index, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Rng, seed};

    #[test]
    fn the_sequence_never_changes() {
        // Archives of all machines and runs depend on these numbers.
        let mut rng = Rng::new(1);
        assert_eq!(rng.next_u64(), 10_451_216_379_200_822_465);
        assert_ne!(seed(&["ab", "c"]), seed(&["a", "bc"]));
    }

    #[test]
    fn quantiles_stay_inside_their_table() {
        let mut rng = Rng::new(7);
        for _ in 0..1000 {
            let value = rng.quantile(&[3, 10, 100]);
            assert!((3..100).contains(&value));
        }
    }
}
