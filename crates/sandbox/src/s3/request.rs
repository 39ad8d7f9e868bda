//! What a request says about an object: where it lies, which part is wanted, under which condition, and its content.

use percent_encoding::percent_decode_str;

use crate::wire::Call;

/// Bucket and key of a path-style request.
pub(super) struct Address {
    pub bucket: String,
    pub key: String,
}

pub(super) fn address(path: &str) -> Option<Address> {
    let path = percent_decode_str(path.strip_prefix('/')?).decode_utf8().ok()?;
    let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
    (!bucket.is_empty()).then(|| Address { bucket: bucket.to_owned(), key: key.to_owned() })
}

pub(super) fn names_etag(header: &str, etag: &str) -> bool {
    header.split(',').map(str::trim).any(|one| one == "*" || one.trim_matches('"') == etag)
}

/// What a `Range` header asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Span {
    Whole,
    Part { start: u64, length_bytes: u64 },
    Unmeetable,
}

pub(super) fn span(header: &str, length_bytes: u64) -> Span {
    let Some((from, to)) = header.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Span::Whole;
    };
    let last = length_bytes.checked_sub(1);
    let bounds = match (from.parse::<u64>().ok(), to.parse::<u64>().ok(), last) {
        (Some(start), None, Some(last)) if start <= last => Some((start, last)),
        (Some(start), Some(end), Some(last)) if start <= last && start <= end => Some((start, end.min(last))),
        (None, Some(suffix), Some(last)) if suffix > 0 => Some((length_bytes.saturating_sub(suffix), last)),
        _ => None,
    };
    bounds.map_or(Span::Unmeetable, |(start, end)| Span::Part { start, length_bytes: end - start + 1 })
}

/// The object in a request's body: the SDK sends it in chunks with a checksum behind them.
pub(super) fn decode_body(call: &Call) -> Option<Vec<u8>> {
    let chunked = call.header("content-encoding").contains("aws-chunked")
        || call.header("x-amz-content-sha256").starts_with("STREAMING-");
    if !chunked {
        return Some(call.body.to_vec());
    }
    let mut rest = &call.body[..];
    let mut object = Vec::with_capacity(rest.len());
    loop {
        let line_end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let line = std::str::from_utf8(&rest[..line_end]).ok()?;
        let size = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
        rest = &rest[line_end + 2..];
        if size == 0 {
            break;
        }
        object.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
    let declared = call.header("x-amz-decoded-content-length");
    (declared.is_empty() || declared.parse() == Ok(object.len())).then_some(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ranges_as_the_protocol_has_them() {
        let part = |start, length_bytes| Span::Part { start, length_bytes };
        assert_eq!(span("", 10), Span::Whole);
        assert_eq!(span("bytes=0-3", 10), part(0, 4));
        assert_eq!(span("bytes=4-", 10), part(4, 6));
        assert_eq!(span("bytes=-3", 10), part(7, 3));
        assert_eq!(span("bytes=4-99", 10), part(4, 6));
        assert_eq!(span("bytes=10-", 10), Span::Unmeetable);
        assert_eq!(span("bytes=0-", 0), Span::Unmeetable);
    }

    #[test]
    fn takes_the_object_out_of_its_chunks() {
        let body = "3;chunk-signature=aa\r\nabc\r\n2\r\nde\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n";
        let mut headers = http::HeaderMap::new();
        headers.insert("content-encoding", "aws-chunked".parse().unwrap());
        headers.insert("x-amz-decoded-content-length", "5".parse().unwrap());
        let mut call =
            Call { method: "PUT".into(), path: "/b/k".into(), query: None, headers, body: body.into() };
        assert_eq!(decode_body(&call).as_deref(), Some(&b"abcde"[..]));
        call.headers.insert("x-amz-decoded-content-length", "6".parse().unwrap());
        assert_eq!(decode_body(&call), None);
    }
}
