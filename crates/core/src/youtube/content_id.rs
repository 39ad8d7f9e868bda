//! The Content ID API (youtubePartner v1): the live values of assets, and the write of a custom ID.

use std::collections::HashMap;

use bytes::Bytes;
use dn_domain::id::AssetId;
use http::{HeaderMap, HeaderValue, Method, header};
use serde::{Deserialize, Serialize};

use super::google_error::{Kind, judge};
use crate::transport::error::excerpt;
use crate::transport::{Answer, Call, CallError, Transport, Verdict};

/// `assets.list` takes so many ids a call at most.
pub const ASSETS_PER_READ: usize = 50;
/// What is asked for of an asset: the rest of its metadata is not ours to look at.
const FIELDS: &str = "kind,items(id,aliasId,type,metadataMine(customId,artist))";

/// What the API says of an asset that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiveAnswer {
    /// The asset stands under its own id.
    Found {
        /// `web`, `sound_recording` …, as it came.
        asset_type: Option<String>,
        /// The content owner's own value; empty and absent are both `None`.
        custom_id: Option<String>,
        /// The artists of the content owner's own metadata.
        artists: Vec<String>,
    },
    /// The asset was merged into another and answers under that one's id.
    Merged {
        /// The id that it answers under.
        into: String,
    },
    /// The asset is not in the answer: deleted, or never this content owner's.
    Gone,
}

/// What the API answered to a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Echo {
    /// The answer carries the new value for this asset.
    Written,
    /// The answer was a success and carries something else.
    Different {
        /// What it carries.
        custom_id: Option<String>,
        /// The asset it speaks of.
        asset_id: Option<String>,
    },
}

#[derive(Deserialize)]
struct AssetList {
    /// Without its kind an answer is no list: any JSON object would be one with no assets in it, all of them gone.
    #[serde(deserialize_with = "asset_list_kind", rename = "kind")]
    _kind: (),
    #[serde(default)]
    items: Vec<Asset>,
}

fn asset_list_kind<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    let kind = String::deserialize(deserializer)?;
    if kind.to_ascii_lowercase().ends_with("#assetlist") {
        return Ok(());
    }
    Err(serde::de::Error::custom(format!("its kind is {:?}, not an asset list", excerpt(kind.as_bytes()))))
}

/// The answer to a write: one without an id speaks of no asset.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenAsset {
    id: String,
    #[serde(default)]
    metadata_mine: Option<Metadata>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asset {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    alias_id: Vec<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    metadata_mine: Option<Metadata>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    custom_id: Option<String>,
    #[serde(default)]
    artist: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Patch<'a> {
    metadata_mine: MetadataPatch<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MetadataPatch<'a> {
    custom_id: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    artist: &'a [String],
}

/// The client: one base address, one content owner.
#[derive(Debug)]
pub struct ContentId {
    transport: Transport,
    base_url: url::Url,
    content_owner: String,
}

impl ContentId {
    /// A client of `base_url` (`…/youtube/partner/v1`) on behalf of `content_owner`.
    pub fn new(transport: Transport, base_url: url::Url, content_owner: String) -> Self {
        Self { transport, base_url, content_owner }
    }

    /// How many requests this client sent, repeated ones included.
    pub fn request_count(&self) -> u64 {
        self.transport.request_count()
    }

    /// The live values of up to [`ASSETS_PER_READ`] assets: an entry for every id asked for. The answer comes in
    /// any order and with fewer entries; it is matched by id, and an absent id is gone, never unchanged.
    pub async fn live_values(&self, ids: &[AssetId]) -> Result<HashMap<AssetId, LiveAnswer>, CallError> {
        let joined = ids.iter().map(AssetId::as_str).collect::<Vec<_>>().join(",");
        let url = self.address("assets", &[("id", &joined), ("fetchMetadata", "mine"), ("fields", FIELDS)]);
        let call = Call {
            operation: "youtube assets.list",
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        };
        let answer =
            self.transport.send(&call, &|answer| judge_read::<AssetList>(answer, Kind::Read)).await?;
        let items =
            serde_json::from_slice::<AssetList>(&answer.body).map(|list| list.items).unwrap_or_default();
        let mut by_id = HashMap::with_capacity(items.len());
        let mut merged_into = HashMap::new();
        for asset in items {
            let Some(id) = asset.id else { continue };
            for alias in asset.alias_id {
                merged_into.insert(alias, id.clone());
            }
            let metadata = asset.metadata_mine.unwrap_or_default();
            let found = LiveAnswer::Found {
                asset_type: asset.kind,
                custom_id: metadata.custom_id.filter(|value| !value.is_empty()),
                artists: metadata.artist.unwrap_or_default(),
            };
            by_id.insert(id, found);
        }
        Ok(ids
            .iter()
            .map(|id| {
                let found = by_id.get(id.as_str()).cloned();
                let merged =
                    || merged_into.get(id.as_str()).map(|into| LiveAnswer::Merged { into: into.clone() });
                (*id, found.or_else(merged).unwrap_or(LiveAnswer::Gone))
            })
            .collect())
    }

    /// Sets an asset's custom ID (`""` clears it). `artists` go along for music assets, which refuse a write without
    /// them. A success is believed only when it carries the new value.
    pub async fn set_custom_id(
        &self,
        asset: AssetId,
        new: &str,
        artists: &[String],
    ) -> Result<Echo, CallError> {
        let patch = Patch { metadata_mine: MetadataPatch { custom_id: new, artist: artists } };
        let body = serde_json::to_vec(&patch).unwrap_or_default();
        let call = Call {
            operation: "youtube assets.patch",
            method: Method::PATCH,
            url: self.address(&format!("assets/{asset}"), &[("fields", "id,metadataMine(customId)")]),
            headers: HeaderMap::from_iter([(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            )]),
            body: body.into(),
        };
        let answer =
            self.transport.send(&call, &|answer| judge_read::<WrittenAsset>(answer, Kind::Write)).await?;
        let Ok(echoed) = serde_json::from_slice::<WrittenAsset>(&answer.body) else {
            return Ok(Echo::Different { custom_id: None, asset_id: None });
        };
        let value = echoed.metadata_mine.and_then(|metadata| metadata.custom_id);
        if value.as_deref().unwrap_or_default() == new && echoed.id == asset.as_str() {
            Ok(Echo::Written)
        } else {
            Ok(Echo::Different { custom_id: value, asset_id: Some(echoed.id) })
        }
    }

    fn address(&self, path: &str, query: &[(&str, &str)]) -> url::Url {
        let mut url = self.base_url.clone();
        url.set_path(&format!("{}/{path}", url.path().trim_end_matches('/')));
        url.query_pairs_mut()
            .extend_pairs(query)
            .append_pair("onBehalfOfContentOwner", &self.content_owner)
            .append_pair("prettyPrint", "false");
        url
    }
}

/// Google's verdict, and for a success that its body can be read as what was asked for.
fn judge_read<T: for<'de> Deserialize<'de>>(answer: &Answer, kind: Kind) -> Verdict {
    match judge(answer, kind) {
        Verdict::Success => match serde_json::from_slice::<T>(&answer.body) {
            Ok(_) => Verdict::Success,
            Err(error) => Verdict::Unreadable {
                reason: format!(
                    "HTTP {} with a body that is no answer ({error}): {}",
                    answer.status,
                    excerpt(&answer.body)
                ),
            },
        },
        verdict => verdict,
    }
}
