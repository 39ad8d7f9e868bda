//! The Content ID API (youtubePartner v1): the live values of assets, and the write of a custom ID.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use dn_domain::id::AssetId;
use http::{HeaderMap, HeaderValue, Method, header};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::address::address;
use super::google_error::{Kind, judge_read};
use crate::transport::client::target;
use crate::transport::error::excerpt;
use crate::transport::{Answer, Call, CallError, CallErrorKind, Transport, Verdict};

/// The operations that write.
const WRITES: [&str; 2] = ["youtube assets.patch", "youtube assets.update"];
/// `assets.list` takes so many ids a call at most.
pub const ASSETS_PER_READ: usize = 50;
/// The code of a write that was refused because of the state that the asset is in (409, 412), whatever word the service
/// has for it.
pub const WRITE_CONFLICT: &str = "write_conflict";
/// What is asked for of an asset: the rest of its metadata is not ours to look at.
const FIELDS: &str = "kind,items(id,aliasId,type,metadataMine(customId,artist))";
/// What a replacement needs of an asset: all that it replaces.
const REPLACED_FIELDS: &str = "kind,items(id,aliasId,label,metadataMine)";

/// How a custom ID is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WriteMethod {
    /// The custom ID alone (and the artists, where a music asset asks for them).
    #[default]
    Patch,
    /// The asset's whole own metadata and labels, read just before, with another custom ID: for accounts whose PATCH
    /// is refused. What somebody else changes between that read and the write is overwritten.
    Put,
}

impl WriteMethod {
    /// How many calls one write takes.
    pub fn calls_per_write(self) -> u32 {
        match self {
            Self::Patch => 1,
            Self::Put => 2,
        }
    }
}

impl FromStr for WriteMethod {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "patch" => Ok(Self::Patch),
            "put" => Ok(Self::Put),
            _ => Err(format!("{text:?} is neither patch nor put")),
        }
    }
}

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
    /// Nothing was written: read just before the write, the asset carried neither the expected value nor the new one.
    ChangedSince {
        /// What it carried; `None` for an empty value.
        found: Option<String>,
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

/// The answer to the read before a replacement.
#[derive(Deserialize)]
struct ReplacedList {
    #[serde(deserialize_with = "asset_list_kind", rename = "kind")]
    _kind: (),
    #[serde(default)]
    items: Vec<ReplacedAsset>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReplacedAsset {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    alias_id: Vec<String>,
    #[serde(default)]
    metadata_mine: Option<WholeMetadata>,
    #[serde(default)]
    label: Option<Box<RawValue>>,
}

/// An asset's own metadata as they came, field by field and byte by byte: what is not known here is kept like the rest.
#[derive(Deserialize, Serialize, Default)]
#[serde(transparent)]
struct WholeMetadata(BTreeMap<String, Box<RawValue>>);

const CUSTOM_ID: &str = "customId";

impl WholeMetadata {
    /// The custom ID; empty and absent are both `None`.
    fn custom_id(&self) -> Result<Option<String>, serde_json::Error> {
        let raw = self.0.get(CUSTOM_ID).map_or("null", |raw| raw.get());
        let value: Option<String> = serde_json::from_str(raw)?;
        Ok(value.filter(|value| !value.trim().is_empty()))
    }

    fn set_custom_id(&mut self, new: &str) -> Result<(), serde_json::Error> {
        self.0.insert(CUSTOM_ID.to_owned(), serde_json::value::to_raw_value(new)?);
        Ok(())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Replacement {
    metadata_mine: WholeMetadata,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<Box<RawValue>>,
}

/// One write of a custom ID.
#[derive(Debug, Clone, Copy)]
pub struct CustomIdWrite<'a> {
    /// The asset.
    pub asset: AssetId,
    /// The value that the plan knows. A replacement looks whether it is still there; a patch does not.
    pub old: Option<&'a str>,
    /// The value to be set; `""` clears it.
    pub new: &'a str,
    /// The artists that a patch sends along, for music assets refuse a write without them. A replacement carries
    /// those that it has just read.
    pub artists: &'a [String],
}

/// The client: one base address, one content owner.
#[derive(Debug)]
pub struct ContentId {
    transport: Transport,
    base_url: url::Url,
    content_owner: String,
    write_method: WriteMethod,
}

impl ContentId {
    /// A client of `base_url` (`…/youtube/partner/v1`) on behalf of `content_owner`.
    pub fn new(transport: Transport, base_url: url::Url, content_owner: String) -> Self {
        Self { transport, base_url, content_owner, write_method: WriteMethod::default() }
    }

    /// The same client, writing in this way.
    #[must_use]
    pub fn writing_by(mut self, write_method: WriteMethod) -> Self {
        self.write_method = write_method;
        self
    }

    /// Begins no write any more, not even one that waits for its turn: each ends as interrupted. Reads go on.
    pub fn end_writes(&self, reason: &str) {
        self.transport.end_operations(&WRITES, reason);
    }

    /// Keeps writes that wait for their turn waiting, or lets them go on. Reads pass them.
    pub fn hold_writes(&self, is_held: bool) {
        self.transport.hold_operations(&WRITES, is_held);
    }

    /// How many requests this client sent, repeated ones included.
    pub fn request_count(&self) -> u64 {
        self.transport.request_count()
    }

    /// The live values of up to [`ASSETS_PER_READ`] assets: an entry for every id asked for. The answer comes in
    /// any order and with fewer entries; it is matched by id, and an absent id is gone, never unchanged.
    pub async fn live_values(&self, ids: &[AssetId]) -> Result<HashMap<AssetId, LiveAnswer>, CallError> {
        let joined = ids.iter().map(AssetId::as_str).collect::<Vec<_>>().join(",");
        let call = self.read_call(&[("id", &joined), ("fetchMetadata", "mine"), ("fields", FIELDS)]);
        let answer = self.transport.send(&call, &judge_list).await?;
        Ok(read_live(&answer, ids))
    }

    /// Sets an asset's custom ID. A success is believed only when it carries the new value.
    pub async fn set_custom_id(&self, write: CustomIdWrite<'_>) -> Result<Echo, CallError> {
        match self.write_method {
            WriteMethod::Patch => {
                let CustomIdWrite { new, artists, .. } = write;
                let patch = Patch { metadata_mine: MetadataPatch { custom_id: new, artist: artists } };
                let body = serde_json::to_vec(&patch).unwrap_or_default();
                self.send_write(WRITES[0], Method::PATCH, write, body).await
            }
            WriteMethod::Put => self.replace(write).await,
        }
    }

    /// Reads the whole of what the write replaces, changes the custom ID alone and sends all of it back. The client
    /// may send that twice when an answer is lost: it is the same whole again.
    async fn replace(&self, write: CustomIdWrite<'_>) -> Result<Echo, CallError> {
        let CustomIdWrite { asset, old, new, .. } = write;
        let fields = [("id", asset.as_str()), ("fetchMetadata", "mine"), ("fields", REPLACED_FIELDS)];
        let read = self.read_call(&fields);
        let answer =
            self.transport.send(&read, &|answer| judge_read::<ReplacedList>(answer, Kind::Read)).await?;
        let broken =
            |error: serde_json::Error| self.not_written(&read, CallErrorKind::BadAnswer, error.to_string());
        let list: ReplacedList = serde_json::from_slice(&answer.body).map_err(broken)?;
        let refused = |code: &str, reason| {
            self.not_written(&read, CallErrorKind::Refused { code: code.to_owned() }, reason)
        };
        let mut found = None;
        for item in list.items {
            if item.id.as_deref() == Some(asset.as_str()) {
                found = Some(item);
            } else if item.alias_id.iter().any(|alias| alias == asset.as_str()) {
                let into = item.id.as_deref().unwrap_or("another asset").to_owned();
                return Err(refused("merged", format!("the asset was merged into {into}")));
            }
        }
        let Some(ReplacedAsset { metadata_mine, label, .. }) = found else {
            return Err(refused(
                "gone",
                "the asset is not in the answer to the read before the write".to_owned(),
            ));
        };
        let mut metadata_mine = metadata_mine.unwrap_or_default();
        let live = metadata_mine.custom_id().map_err(broken)?;
        let planned = |value: &str| Some(value.trim()).filter(|value| !value.is_empty()).map(str::to_owned);
        if live == planned(new) {
            return Ok(Echo::Written);
        }
        if live != old.and_then(planned) {
            return Ok(Echo::ChangedSince { found: live });
        }
        metadata_mine.set_custom_id(new).map_err(broken)?;
        let body = serde_json::to_vec(&Replacement { metadata_mine, label }).map_err(broken)?;
        self.send_write(WRITES[1], Method::PUT, write, body).await
    }

    async fn send_write(
        &self,
        operation: &'static str,
        method: Method,
        CustomIdWrite { asset, new, .. }: CustomIdWrite<'_>,
        body: Vec<u8>,
    ) -> Result<Echo, CallError> {
        let call = Call {
            operation,
            method,
            url: self.address(&format!("assets/{asset}"), &[("fields", "id,metadataMine(customId)")]),
            headers: HeaderMap::from_iter([(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            )]),
            body: body.into(),
        };
        let answer = self.transport.send(&call, &judge_written).await?;
        Ok(read_echo(&answer, asset, new))
    }

    fn read_call(&self, query: &[(&str, &str)]) -> Call {
        Call {
            operation: "youtube assets.list",
            method: Method::GET,
            url: self.address("assets", query),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    /// A write that the read before it forbids.
    fn not_written(&self, read: &Call, kind: CallErrorKind, reason: String) -> CallError {
        CallError {
            operation: read.operation.to_owned(),
            target: target(&read.method, &self.base_url),
            kind,
            reason,
            tries: 1,
            lost: 0,
            elapsed: Duration::ZERO,
        }
    }

    fn address(&self, path: &str, query: &[(&str, &str)]) -> url::Url {
        address(&self.base_url, path, query, Some(&self.content_owner))
    }
}

/// Whether an answer is a list of assets.
pub(crate) fn judge_list(answer: &Answer) -> Verdict {
    judge_read::<AssetList>(answer, Kind::Read)
}

/// Whether an answer speaks of a written asset.
pub(crate) fn judge_written(answer: &Answer) -> Verdict {
    judge_read::<WrittenAsset>(answer, Kind::Write)
}

/// What a list of assets says of each id asked for.
pub(crate) fn read_live(answer: &Answer, ids: &[AssetId]) -> HashMap<AssetId, LiveAnswer> {
    let items = serde_json::from_slice::<AssetList>(&answer.body).map(|list| list.items).unwrap_or_default();
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
    ids.iter()
        .map(|id| {
            let found = by_id.get(id.as_str()).cloned();
            let merged =
                || merged_into.get(id.as_str()).map(|into| LiveAnswer::Merged { into: into.clone() });
            (*id, found.or_else(merged).unwrap_or(LiveAnswer::Gone))
        })
        .collect()
}

/// What the answer to a write says of it.
pub(crate) fn read_echo(answer: &Answer, asset: AssetId, new: &str) -> Echo {
    let Ok(echoed) = serde_json::from_slice::<WrittenAsset>(&answer.body) else {
        return Echo::Different { custom_id: None, asset_id: None };
    };
    let value = echoed.metadata_mine.and_then(|metadata| metadata.custom_id);
    if value.as_deref().unwrap_or_default() == new && echoed.id == asset.as_str() {
        Echo::Written
    } else {
        Echo::Different { custom_id: value, asset_id: Some(echoed.id) }
    }
}
