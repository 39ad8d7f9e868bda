//! Where the cells of rows end.

use wide::u8x16;

/// So many bytes are looked at together: a bit for each stands in one number.
const BLOCK_BYTES: usize = 64;

/// So many borders are put down at once, whether there are as many or not: most blocks of a report have fewer, so that how
/// many there are need not be guessed.
const AT_ONCE: usize = 8;

/// The ends of cells, one row behind the other, each counted from where its row begins.
#[derive(Debug, Default)]
pub(super) struct Borders {
    // Only the first `count` of them mean something.
    ends: Vec<u32>,
    count: usize,
}

impl Borders {
    /// Forgets them and keeps the room.
    pub fn clear(&mut self) {
        self.count = 0;
    }

    pub fn len(&self) -> usize {
        self.count
    }

    pub fn all(&self) -> &[u32] {
        &self.ends[..self.count]
    }

    /// Puts others in their place. A record has at most [`super::MAX_RECORD_BYTES`].
    pub fn set(&mut self, ends: &[usize]) {
        self.clear();
        for end in ends {
            self.push(*end);
        }
    }

    /// Adds an end.
    pub fn push(&mut self, end: usize) {
        self.make_room(1);
        self.ends[self.count] = short(end);
        self.count += 1;
    }

    /// Adds those of another row.
    pub fn extend(&mut self, ends: &[u32]) {
        self.make_room(ends.len());
        self.ends[self.count..][..ends.len()].copy_from_slice(ends);
        self.count += ends.len();
    }

    /// Adds those of a line without quotes, and says how many they are.
    pub fn find(&mut self, line: &[u8]) -> usize {
        let before = self.count;
        // Each byte may be a comma, and room is wanted for what is put down and means nothing, too.
        self.make_room(line.len() + 2 * BLOCK_BYTES);
        let mut blocks = line.chunks_exact(BLOCK_BYTES);
        let mut start = 0;
        for block in &mut blocks {
            self.add_all(commas(block), start);
            start += BLOCK_BYTES;
        }
        let rest = blocks.remainder();
        let mut last = [0; BLOCK_BYTES];
        last[..rest.len()].copy_from_slice(rest);
        self.add_all(commas(&last), start);
        self.push(line.len());
        self.count - before
    }

    /// Adds an end for each bit.
    fn add_all(&mut self, mut bits: u64, start: usize) {
        let start = short(start);
        let count = bits.count_ones() as usize;
        let Some(places) = self.ends[self.count..].first_chunk_mut::<BLOCK_BYTES>() else { return };
        let (some, _) = places.as_chunks_mut::<AT_ONCE>();
        for places in some.iter_mut().take(count.div_ceil(AT_ONCE)) {
            for place in places {
                // The highest bit is one that is there, or means nothing.
                *place = start + (bits | 1 << 63).trailing_zeros();
                bits &= bits.wrapping_sub(1);
            }
        }
        self.count += count;
    }

    fn make_room(&mut self, more: usize) {
        if self.ends.len() < self.count + more {
            self.ends.resize((self.count + more).max(self.ends.len() * 2), 0);
        }
    }
}

fn short(end: usize) -> u32 {
    u32::try_from(end).unwrap_or(u32::MAX)
}

/// A bit for each comma of a block.
fn commas(block: &[u8]) -> u64 {
    let wanted = u8x16::splat(b',');
    block.chunks_exact(16).rev().fold(0, |bits, part| {
        let part = <[u8; 16]>::try_from(part).unwrap_or_default();
        (bits << 16) | u64::from(u8x16::new(part).simd_eq(wanted).to_bitmask())
    })
}
