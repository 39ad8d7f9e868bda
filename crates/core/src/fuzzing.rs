//! Doors to the readers of foreign bytes that no other crate needs, for the fuzz targets alone.
//!
//! Everything behind them is what the clients themselves call: nothing is read here in another way than in a run.

use std::collections::HashMap;
use std::time::Duration;

use dn_domain::backfill_plan::StoredChannel;
use dn_domain::id::AssetId;
use http::{HeaderMap, HeaderValue, header};

use crate::graphql::{self, WriteOutcome};
use crate::transport::{Answer, Verdict};
use crate::youtube::content_id::{self, Echo, LiveAnswer};
use crate::youtube::{auth, google_error};

/// An answer as the transport hands it to whoever judges it.
pub fn answer(status: u16, retry_after: &[u8], body: &[u8]) -> Answer {
    let retry_after = HeaderValue::from_bytes(retry_after).ok();
    let headers = retry_after.map(|value| (header::RETRY_AFTER, value)).into_iter();
    Answer { status, headers: headers.collect::<HeaderMap>(), body: body.to_vec().into() }
}

/// The Content ID API's answer to a read of assets.
pub fn asset_list(answer: &Answer, ids: &[AssetId]) -> Result<HashMap<AssetId, LiveAnswer>, Verdict> {
    match content_id::judge_list(answer) {
        Verdict::Success => Ok(content_id::read_live(answer, ids)),
        verdict => Err(verdict),
    }
}

/// The Content ID API's answer to a write.
pub fn echo(answer: &Answer, asset: AssetId, new: &str) -> Result<Echo, Verdict> {
    match content_id::judge_written(answer) {
        Verdict::Success => Ok(content_id::read_echo(answer, asset, new)),
        verdict => Err(verdict),
    }
}

/// Google's error bodies, for a read and for a write.
pub fn google_error(answer: &Answer) -> [Verdict; 2] {
    [google_error::Kind::Read, google_error::Kind::Write].map(|kind| google_error::judge(answer, kind))
}

/// A page of partner channels and the token of the next.
pub fn channel_page(answer: &Answer) -> Result<(Vec<StoredChannel>, Option<String>), Verdict> {
    let (found, token) = graphql::read_page(answer)?;
    let stored = found.into_iter().filter_map(|found| match found {
        graphql::Found::Stored(channel) => Some(channel),
        graphql::Found::Deleted { .. } | graphql::Found::Absent => None,
    });
    Ok((stored.collect(), token))
}

/// What became of the rows of a batch of writes.
pub fn channel_batch(answer: &Answer, rows: usize) -> Result<Vec<Option<WriteOutcome>>, Verdict> {
    graphql::read_batch(answer, rows)
}

/// A token endpoint's answer: in how much time its token is renewed.
pub fn token(answer: &Answer) -> Result<Option<Duration>, Verdict> {
    auth::renewed_after(answer)
}
