//! The bytes of a kept week as they are read: while entries are made of one part, the next is read and the last hashed.

use std::io::{self, Read};
use std::ops::Range;

use super::super::gather::Both;
use super::super::state::Known;
use super::{HASH_BYTES, Hash, Head, KeptError, VERSION, WITH_SHA256};

/// The longest first line that is read.
const MAX_HEAD_BYTES: u64 = 1024 * 1024;

/// So much of the first line is read at once.
const HEAD_PART_BYTES: usize = 8 * 1024;

/// The most entries that are made room for before they are read: the counts are not trusted yet.
const TRUSTED_ENTRIES: u64 = 1024 * 1024;

/// A kept week behind its first line.
pub(super) struct In<'b, R, B> {
    from: R,
    both: &'b B,
    /// Of all that was passed over before what is held.
    hash: Hash,
    held: Box<[u8]>,
    /// What of it was read and not asked for yet.
    left: Range<usize>,
    /// What is read into meanwhile.
    next: Box<[u8]>,
}

impl<'b, R: Read + Send, B: Both> In<'b, R, B> {
    /// Reads the first line, which says how the others are to be read. Texts and entries must fit into the room.
    pub fn open(from: R, both: &'b B, room: usize) -> Result<(Head, Self), KeptError> {
        let mut from = io::BufReader::with_capacity(HEAD_PART_BYTES.min(room), from);
        let mut line = Vec::new();
        io::BufRead::read_until(&mut from.by_ref().take(MAX_HEAD_BYTES), b'\n', &mut line)?;
        let head: Head = serde_json::from_slice(&line)
            .map_err(|_| KeptError::Damaged("its first line says nothing of a week"))?;
        if !matches!(head.version, VERSION | WITH_SHA256) {
            return Err(KeptError::OtherVersion { found: head.version });
        }
        let mut hash = Hash::of(head.version);
        hash.add(&line);
        let empty = || vec![0; room].into_boxed_slice();
        let mut part = empty();
        let buffered = from.buffer();
        part[..buffered.len()].copy_from_slice(buffered);
        let left = 0..buffered.len();
        Ok((head, Self { from: from.into_inner(), both, hash, held: part, left, next: empty() }))
    }

    /// The next bytes, of which there must be so many.
    pub fn take(&mut self, count: usize) -> Result<&[u8], KeptError> {
        while self.left.len() < count {
            self.read_on(0, |_| Ok(()))?;
        }
        let start = self.left.start;
        self.left.start += count;
        Ok(&self.held[start..self.left.start])
    }

    /// So many entries of so many bytes, each of which must go behind the one before it.
    pub fn many<const BYTES: usize, T: Send>(
        &mut self,
        count: u64,
        mut one: impl FnMut(&mut Fields<'_>) -> Result<T, KeptError> + Send,
        goes_before: impl Fn(&T, &T) -> bool + Sync,
    ) -> Result<Vec<T>, KeptError> {
        let mut entries: Vec<T> =
            Vec::with_capacity(usize::try_from(count.min(TRUSTED_ENTRIES)).unwrap_or_default());
        let mut take = |bytes: &[u8]| {
            for bytes in bytes.chunks_exact(BYTES) {
                let entry = one(&mut Fields(bytes))?;
                if entries.last().is_some_and(|last| !goes_before(last, &entry)) {
                    return Err(KeptError::Damaged("entries are out of order"));
                }
                entries.push(entry);
            }
            Ok(())
        };
        let mut missing = count;
        loop {
            let here = missing.min((self.left.len() / BYTES) as u64);
            let bytes = usize::try_from(here).unwrap_or_default() * BYTES;
            missing -= here;
            if missing == 0 {
                take(self.take(bytes)?)?;
                return Ok(entries);
            }
            self.read_on(bytes, &mut take)?;
        }
    }

    /// Passes over the next bytes, which something is made of while they are hashed and what follows them is read.
    fn read_on(
        &mut self,
        count: usize,
        make: impl FnOnce(&[u8]) -> Result<(), KeptError> + Send,
    ) -> Result<(), KeptError> {
        let (passed, rest) = self.held[..self.left.end].split_at(self.left.start + count);
        let (now, next) = (&passed[self.left.start..], &mut self.next);
        let (from, hash) = (&mut self.from, &mut self.hash);
        let (done, read) = self.both.both(
            || make(now),
            || {
                hash.add(passed);
                next[..rest.len()].copy_from_slice(rest);
                fill(from, &mut next[rest.len()..])
            },
        );
        done?;
        let read = read?;
        self.left = 0..rest.len() + read;
        std::mem::swap(&mut self.held, &mut self.next);
        if read == 0 { Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()) } else { Ok(()) }
    }

    /// The hash that was written must be that of what was read, and nothing may follow it.
    pub fn end(mut self) -> Result<(), KeptError> {
        self.hash.add(&self.held[..self.left.start]);
        // What comes now is the hash itself, which is not hashed; the one that reads it on goes into another.
        let hash = std::mem::replace(&mut self.hash, Hash::of(VERSION)).finish();
        if self.take(HASH_BYTES)? != hash {
            return Err(KeptError::Damaged("its bytes are not those that were written"));
        }
        if !self.left.is_empty() || fill(&mut self.from, &mut [0])? > 0 {
            return Err(KeptError::Damaged("something follows its end"));
        }
        Ok(())
    }
}

/// Reads until there is no more room or nothing more.
fn fill(from: &mut impl Read, mut to: &mut [u8]) -> io::Result<usize> {
    let room = to.len();
    while !to.is_empty() {
        match from.read(to) {
            Ok(0) => break,
            Ok(read) => to = &mut to[read..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(room - to.len())
}

/// The bytes of an entry, field by field. Whoever calls this for millions of entries is compiled elsewhere, hence the hints.
pub(super) struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], KeptError> {
        let field = self.0.split_first_chunk();
        let (field, rest) = field.ok_or(KeptError::Damaged("an entry is too short"))?;
        self.0 = rest;
        Ok(*field)
    }

    #[inline]
    pub fn u32(&mut self) -> Result<u32, KeptError> {
        self.array().map(u32::from_le_bytes)
    }

    #[inline]
    pub fn known(&mut self) -> Result<Known, KeptError> {
        self.array().map(|bytes| Known(u64::from_le_bytes(bytes)))
    }
}
