//! Random numbers that are the same for ever: the generators of the `rand` crate may change between versions.

/// SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The sequence of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next_u64() % limit
    }
}

/// Ranks with a frequency in proportion to `1 / rank^s`.
#[derive(Debug, Clone)]
pub struct Zipf {
    /// The summed weights up to each rank, scaled to 2^32.
    sums: Vec<u64>,
}

impl Zipf {
    /// Ranks from 0 to `ranks - 1`.
    #[must_use]
    pub fn new(ranks: usize, s: f64) -> Self {
        let weights: Vec<f64> = (1..=ranks).map(|rank| (rank as f64).powf(-s)).collect();
        let total: f64 = weights.iter().sum();
        let mut sum = 0.0;
        let scaled = weights.iter().map(|weight| {
            sum += weight;
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // at most 2^32, never negative
            let scaled = (sum / total * 4_294_967_296.0) as u64;
            scaled
        });
        Self { sums: scaled.collect() }
    }

    /// A rank.
    pub fn draw(&self, random: &mut Random) -> usize {
        let drawn = random.below(1 << 32);
        self.sums.partition_point(|&sum| sum <= drawn).min(self.sums.len() - 1)
    }
}
