//! Unpacking by the first bytes, whatever an object's name says, with a limit for what is packed to do harm.

use std::io::{self, BufReader, Chain, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

use super::StoreError;

/// What every gzip member begins with; no text does.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// How much packed input is read at once.
const BUFFER_BYTES: usize = 64 * 1024;
/// Up to here nothing is suspicious: a report of zeros and commas packs well.
const UNSUSPICIOUS_BYTES: u64 = 10 << 20;
/// Reports pack 5 to 15 times; deflate itself ends at 1,032 times.
const MAX_RATIO: u64 = 200;
/// The most bytes that one packed input may become: a hundred million rows are half of it.
const MAX_UNPACKED_BYTES: u64 = 64 << 30;

type Packed = Chain<Cursor<Vec<u8>>, Box<dyn Read + Send>>;

/// A reader that gives the unpacked text of a gzip stream, and any other stream as it is.
pub(super) struct Unpacking {
    uri: String,
    state: State,
}

enum State {
    Unknown(Box<dyn Read + Send>),
    Plain(Packed),
    Gzip { unpacked: Box<MultiGzDecoder<BufReader<Counted<Packed>>>>, unpacked_bytes: u64 },
    Broken,
}

impl Unpacking {
    pub(super) fn new(uri: String, source: Box<dyn Read + Send>) -> Self {
        Self { uri, state: State::Unknown(source) }
    }

    fn too_large(&self, packed_bytes: u64, unpacked_bytes: u64) -> io::Error {
        StoreError::TooLarge {
            uri: self.uri.clone(),
            reason: format!(
                "its first {packed_bytes} packed bytes became {unpacked_bytes}, and more than {MAX_RATIO} times (after \
                 the first {UNSUSPICIOUS_BYTES}) or {MAX_UNPACKED_BYTES} bytes is no report; fetch it again"
            ),
        }
        .into()
    }
}

impl Read for Unpacking {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let result = self.read_on(into);
        if result.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted) {
            // Whoever asks again must not take the place of the error for the end.
            self.state = State::Broken;
        }
        result
    }
}

impl Unpacking {
    fn read_on(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.state {
            State::Unknown(_) => {
                self.recognise()?;
                self.read_on(into)
            }
            State::Plain(plain) => plain.read(into),
            State::Gzip { unpacked, unpacked_bytes } => {
                let read = unpacked.read(into)?;
                *unpacked_bytes += read as u64;
                let (unpacked_bytes, packed_bytes) =
                    (*unpacked_bytes, unpacked.get_ref().get_ref().read_bytes);
                let is_bomb = unpacked_bytes > MAX_UNPACKED_BYTES
                    || (unpacked_bytes > UNSUSPICIOUS_BYTES && unpacked_bytes / MAX_RATIO > packed_bytes);
                if is_bomb { Err(self.too_large(packed_bytes, unpacked_bytes)) } else { Ok(read) }
            }
            State::Broken => Err(io::Error::other("the input failed before")),
        }
    }

    fn recognise(&mut self) -> io::Result<()> {
        let State::Unknown(mut source) = std::mem::replace(&mut self.state, State::Broken) else {
            return Ok(());
        };
        let start = first_bytes(&mut source)?;
        let is_gzip = start == GZIP_MAGIC;
        let whole = Cursor::new(start).chain(source);
        self.state = if is_gzip {
            let counted = Counted { source: whole, read_bytes: 0 };
            let unpacked = MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, counted));
            State::Gzip { unpacked: Box::new(unpacked), unpacked_bytes: 0 }
        } else {
            State::Plain(whole)
        };
        Ok(())
    }
}

/// The first two bytes, or fewer when there are no more. What was read before an error is lost, and so is the stream.
fn first_bytes(source: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(GZIP_MAGIC.len());
    source.take(GZIP_MAGIC.len() as u64).read_to_end(&mut start)?;
    Ok(start)
}

/// Counts what is read through it.
struct Counted<R> {
    source: R,
    read_bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(into)?;
        self.read_bytes += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    /// Gives one byte at a time, as a network may.
    struct Dripping(Cursor<Vec<u8>>);

    impl Read for Dripping {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let end = into.len().min(1);
            self.0.read(&mut into[..end])
        }
    }

    fn unpack(stored: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut read = Vec::new();
        Unpacking::new("a.csv".to_owned(), Box::new(Dripping(Cursor::new(stored)))).read_to_end(&mut read)?;
        Ok(read)
    }

    #[test]
    fn s06_gzip_is_known_by_its_first_bytes_and_anything_else_stays_as_it_is() {
        assert_eq!(unpack(gzip(b"video_id\n")).unwrap(), b"video_id\n");
        for plain in [&b"video_id\n"[..], b"\x1f", b"", b"\x8b\x1f"] {
            assert_eq!(unpack(plain.to_vec()).unwrap(), plain);
        }
    }

    #[test]
    fn s06_several_gzip_members_read_as_one_text() {
        let members = [gzip(b"a,b\n"), gzip(b"1,2\n")].concat();
        assert_eq!(unpack(members).unwrap(), b"a,b\n1,2\n");
    }

    #[test]
    fn s01_half_a_gzip_stream_is_an_error_and_no_end() {
        let whole = gzip(&(0..=255).cycle().take(5_000).collect::<Vec<u8>>());
        let mut reader =
            Unpacking::new("a.gz".to_owned(), Box::new(Cursor::new(whole[..whole.len() / 2].to_vec())));
        assert!(reader.read_to_end(&mut Vec::new()).is_err());
        assert!(reader.read(&mut [0; 8]).is_err(), "the second read took the place of the error for the end");
    }

    #[test]
    fn s06_a_bomb_is_stopped_just_behind_the_suspicious_size() {
        let bomb = gzip(&vec![0; 32 << 20]);
        let mut reader = Unpacking::new("bomb.gz".to_owned(), Box::new(Cursor::new(bomb)));
        let mut read_bytes = 0;
        let mut chunk = vec![0; 64 * 1024];
        let error = loop {
            match reader.read(&mut chunk) {
                Ok(0) => panic!("{read_bytes} bytes came out"),
                Ok(read) => read_bytes += read as u64,
                Err(error) => break error,
            }
        };
        assert!(
            matches!(StoreError::behind(&error), Some(StoreError::TooLarge { uri, .. }) if uri == "bomb.gz"),
            "{error}"
        );
        assert!(read_bytes <= UNSUSPICIOUS_BYTES + 20 * (1 << 20), "{read_bytes}");
    }

    #[test]
    fn s06_a_small_file_may_pack_as_well_as_it_likes() {
        assert_eq!(unpack(gzip(&vec![b'0'; 1 << 20])).unwrap().len(), 1 << 20);
    }
}
