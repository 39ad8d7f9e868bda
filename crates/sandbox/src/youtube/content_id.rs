//! The Content ID API (`youtubePartner` v1): who may call it, which calls there are, how answers are packed.

use std::io::Write as _;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::journal::Service;
use crate::wire::{Call, Content, Operation, Play, Reply};
use crate::youtube::catalogue::{Catalogue, refuse};
use crate::youtube::claims::ClaimShelf;
use crate::youtube::fields::select;
use crate::youtube::tokens::TokenBook;

const ROOT: &str = "/youtube/partner/v1/assets";
const CLAIM_SEARCH: &str = "/youtube/partner/v1/claimSearch";
const CLAIM_HISTORY: &str = "/youtube/partner/v1/claimHistory";
/// Below this a compressed answer is no smaller.
const COMPRESS_FROM_BYTES: usize = 800;

/// The API over a catalogue and the claims on other people's videos.
pub(crate) struct ContentId {
    pub catalogue: Arc<Catalogue>,
    pub claims: Arc<ClaimShelf>,
    pub tokens: Arc<TokenBook>,
}

fn asset_in_path(path: &str) -> Option<String> {
    id_below(ROOT, path)
}

fn id_below(root: &str, path: &str) -> Option<String> {
    let id = path.strip_prefix(root)?.strip_prefix('/')?;
    let id = percent_encoding::percent_decode_str(id).decode_utf8().ok()?;
    (!id.is_empty() && !id.contains('/')).then(|| id.into_owned())
}

impl Play for ContentId {
    fn service(&self) -> Service {
        Service::YouTube
    }

    fn classify(&self, call: &Call) -> Operation {
        match (call.method.as_str(), asset_in_path(&call.path)) {
            ("GET", None) if call.path == ROOT => {
                let ids = call.parameter("id").unwrap_or_default();
                Operation::new("assets.list").about(ids.split(',').map(str::to_owned).collect())
            }
            ("PATCH", Some(id)) => Operation::new("assets.patch").about(vec![id]),
            ("PUT", Some(id)) => Operation::new("assets.update").about(vec![id]),
            ("GET", None) if call.path == CLAIM_SEARCH => Operation::new("claimSearch.list"),
            ("GET", None) => match id_below(CLAIM_HISTORY, &call.path) {
                Some(id) => Operation::new("claimHistory.get").about(vec![id]),
                None => Operation::new("unknown"),
            },
            _ => Operation::new("unknown"),
        }
    }

    fn answer(&self, call: &Call) -> Reply {
        if !self.tokens.opens(call.header("authorization")) {
            let challenge = "Bearer realm=\"https://accounts.google.com/\", error=\"invalid_token\"";
            return refuse(401, "authError", "Request had invalid authentication credentials.")
                .with("www-authenticate", challenge);
        }
        match call.parameter("onBehalfOfContentOwner") {
            None => return refuse(400, "contentOwnerNotProvided", "The content owner was not provided."),
            Some(owner) if owner != self.catalogue.content_owner => {
                return refuse(403, "forbidden", "The caller may not act for this content owner.");
            }
            Some(_) => {}
        }
        let reply = match (call.method.as_str(), asset_in_path(&call.path)) {
            ("GET", None) if call.path == ROOT => self.catalogue.list(call),
            ("PATCH", Some(id)) => self.catalogue.patch(&id, call),
            ("PUT", Some(id)) => self.catalogue.update(&id, call),
            ("GET", None) if call.path == CLAIM_SEARCH => self.claims.search(call),
            ("GET", None) => match id_below(CLAIM_HISTORY, &call.path) {
                Some(id) => self.claims.history(&id),
                None => refuse(404, "notFound", "Not Found"),
            },
            _ => refuse(404, "notFound", "Not Found"),
        };
        compress(partial(reply, call), call)
    }
}

/// Of a success, the fields that were asked for.
pub(super) fn partial(mut reply: Reply, call: &Call) -> Reply {
    let Some(wanted) = call.parameter("fields").filter(|_| reply.status == 200) else { return reply };
    let Content::Bytes(body) = &reply.content else { return reply };
    match serde_json::from_slice(body).ok().and_then(|body| select(body, &wanted)) {
        Some(body) => {
            reply.content = Content::Bytes(body.to_string().into());
            reply
        }
        None => refuse(400, "invalidParameter", &format!("Invalid field selection {wanted}")),
    }
}

/// Google compresses only for a client that asks for it twice: in `Accept-Encoding` and in its `User-Agent`.
pub(super) fn compress(reply: Reply, call: &Call) -> Reply {
    let asked = call.header("accept-encoding").contains("gzip") && call.header("user-agent").contains("gzip");
    let Content::Bytes(body) = &reply.content else { return reply };
    if !asked || body.len() < COMPRESS_FROM_BYTES {
        return reply;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let packed = encoder.write_all(body).and_then(|()| encoder.finish());
    match packed {
        Ok(packed) => {
            let mut reply = reply.with("content-encoding", "gzip");
            reply.content = Content::Bytes(packed.into());
            reply
        }
        Err(_) => reply,
    }
}
