//! AWS Signature Version 4, read from the verifying side: who signed this request, and did they know the secret?

use hmac::{Hmac, Mac};
use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::clock;
use crate::wire::Call;

/// The one key pair that the played AWS account knows.
pub(crate) const ACCESS_KEY_ID: &str = "AKIASANDBOX000000001";
pub(crate) const SECRET_ACCESS_KEY: &str = "sandbox/secret+access+key/0000000000000001";
pub(crate) const REGION: &str = "us-east-1";

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');

/// Why a signature does not open a service.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unsigned {
    /// There is no signature.
    Missing,
    /// The key is nobody's.
    UnknownKey,
    /// Signed with another secret, for another service, or over other bytes.
    Mismatch,
    /// Signed well, at a time that is not now.
    Skewed,
}

/// Checks the `Authorization` header against the request's bytes.
pub(crate) fn verify(call: &Call, service: &str) -> Result<(), Unsigned> {
    let header = call.header("authorization");
    let fields = header.strip_prefix("AWS4-HMAC-SHA256 ").ok_or(Unsigned::Missing)?;
    let field = |name: &str| {
        fields
            .split(',')
            .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
            .ok_or(Unsigned::Missing)
    };
    let (credential, signed_headers, signature) =
        (field("Credential")?, field("SignedHeaders")?, field("Signature")?);
    let (key, scope) = credential.split_once('/').ok_or(Unsigned::Missing)?;
    if key != ACCESS_KEY_ID {
        return Err(Unsigned::UnknownKey);
    }
    let parts: Vec<&str> = scope.split('/').collect();
    let [date, region, signed_service, "aws4_request"] = parts[..] else { return Err(Unsigned::Mismatch) };
    if signed_service != service || region != REGION {
        return Err(Unsigned::Mismatch);
    }
    let body_hash = hex::encode(Sha256::digest(&call.body));
    let declared = call.header("x-amz-content-sha256");
    // A hash that was sent must be the body's; streamed and unsigned payloads name their kind instead.
    if declared.len() == 64 && declared != body_hash {
        return Err(Unsigned::Mismatch);
    }
    let payload = if declared.is_empty() { &body_hash } else { declared };

    let mut canonical =
        format!("{}\n{}\n{}\n", call.method, canonical_path(call, service), canonical_query(call));
    for name in signed_headers.split(';') {
        let values: Vec<String> = call
            .headers
            .get_all(name)
            .iter()
            .map(|value| {
                String::from_utf8_lossy(value.as_bytes()).split_whitespace().collect::<Vec<_>>().join(" ")
            })
            .collect();
        canonical.extend([name, ":", &values.join(","), "\n"]);
    }
    canonical.extend(["\n", signed_headers, "\n", payload]);
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{}\n{scope}\n{}",
        call.header("x-amz-date"),
        hex::encode(Sha256::digest(canonical.as_bytes()))
    );
    let mut key = mac(format!("AWS4{SECRET_ACCESS_KEY}").as_bytes(), date.as_bytes());
    for part in [region, signed_service, "aws4_request"] {
        key = mac(&key, part.as_bytes());
    }
    let expected = hex::encode(mac(&key, to_sign.as_bytes()));
    if expected != signature {
        return Err(Unsigned::Mismatch);
    }
    let borne = if service == "s3" { SignedDuration::from_mins(15) } else { SignedDuration::from_mins(5) };
    let signed_at = DateTime::strptime("%Y%m%dT%H%M%SZ", call.header("x-amz-date"))
        .and_then(|at| TimeZone::UTC.to_timestamp(at))
        .map_err(|_| Unsigned::Mismatch)?;
    if clock::now().duration_since(signed_at).abs() > borne { Err(Unsigned::Skewed) } else { Ok(()) }
}

/// S3 signs the path as it is sent; every other service encodes it once more.
fn canonical_path(call: &Call, service: &str) -> String {
    if service == "s3" {
        let decoded = percent_decode_str(&call.path).decode_utf8_lossy();
        return utf8_percent_encode(&decoded, PATH).to_string();
    }
    utf8_percent_encode(&call.path, PATH).to_string()
}

fn canonical_query(call: &Call) -> String {
    let encode = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8_lossy();
        utf8_percent_encode(&decoded, UNRESERVED).to_string()
    };
    let mut pairs: Vec<(String, String)> = call
        .query
        .as_deref()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encode(name), encode(value))
        })
        .collect();
    pairs.sort();
    pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn mac(key: &[u8], data: &[u8]) -> Vec<u8> {
    // HMAC takes a key of any length.
    Hmac::<Sha256>::new_from_slice(key)
        .map(|mut mac| {
            mac.update(data);
            mac.finalize().into_bytes().to_vec()
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;

    fn call(signature: &str, key: &str) -> Call {
        let mut headers = HeaderMap::new();
        headers.insert("host", "127.0.0.1:1".parse().unwrap());
        headers.insert("x-amz-date", "20250729T184500Z".parse().unwrap());
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={key}/20250729/us-east-1/appsync/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature={signature}"
        );
        headers.insert("authorization", authorization.parse().unwrap());
        Call {
            method: "POST".into(),
            path: "/graphql".into(),
            query: None,
            headers,
            body: Bytes::from_static(b"{}"),
        }
    }

    #[test]
    fn tells_apart_no_signature_a_strange_key_and_a_wrong_secret() {
        let mut unsigned = call("", ACCESS_KEY_ID);
        unsigned.headers.remove("authorization");
        assert_eq!(verify(&unsigned, "appsync"), Err(Unsigned::Missing));
        assert_eq!(verify(&call("00", "AKIAOTHER"), "appsync"), Err(Unsigned::UnknownKey));
        assert_eq!(verify(&call("00", ACCESS_KEY_ID), "appsync"), Err(Unsigned::Mismatch));
    }

    #[test]
    fn the_derived_key_chain_is_the_documented_one() {
        // The example of AWS's own documentation: key for 20120215, us-east-1, iam.
        let mut key = mac(b"AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", b"20120215");
        for part in ["us-east-1", "iam", "aws4_request"] {
            key = mac(&key, part.as_bytes());
        }
        assert_eq!(hex::encode(key), "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d");
    }
}
