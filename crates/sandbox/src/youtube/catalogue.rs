//! The CMS behind the API: its assets, what `assets.list` shows of them, what a write does to them.

use std::collections::HashMap;
use std::sync::Mutex;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::clock::Clock;
use crate::lock::hold;
use crate::wire::{Call, Reply};
use crate::world::{Asset, Standing, claimed_asset};

/// The most ids that one `assets.list` takes.
const LIST_LIMIT: usize = 50;

/// An asset as the CMS holds it now.
pub type AssetState = Asset;

/// A write that was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Write {
    /// Position in the write log, from 1.
    pub seq: u64,
    /// Milliseconds since the servers came up.
    pub t_ms: u64,
    /// The asset written to.
    pub asset_id: String,
    /// Its custom ID before.
    pub old: Option<String>,
    /// Its custom ID after.
    pub new: Option<String>,
}

/// The CMS of one content owner.
pub(crate) struct Catalogue {
    state: Mutex<Shelf>,
    /// Rows of the report that are claims on other people's videos; their assets exist, and are made when asked for.
    claimed_rows: u64,
    pub content_owner: String,
    clock: Clock,
}

struct Shelf {
    assets: HashMap<String, Asset>,
    /// Old id → the id that it was merged into.
    aliases: HashMap<String, Vec<String>>,
    writes: Vec<Write>,
}

impl Catalogue {
    pub(crate) fn new(
        assets: HashMap<String, Asset>,
        claimed_rows: u64,
        content_owner: &str,
        clock: Clock,
    ) -> Self {
        let mut aliases: HashMap<String, Vec<String>> = HashMap::new();
        for asset in assets.values() {
            if let Standing::Merged { into } = &asset.standing {
                aliases.entry(into.clone()).or_default().push(asset.id.clone());
            }
        }
        for ids in aliases.values_mut() {
            ids.sort();
        }
        let state = Mutex::new(Shelf { assets, aliases, writes: Vec::new() });
        Self { state, claimed_rows, content_owner: content_owner.to_owned(), clock }
    }

    pub(crate) fn asset(&self, id: &str) -> Option<Asset> {
        let shelf = hold(&self.state);
        shelf.assets.get(id).cloned().or_else(|| claimed_asset(id, self.claimed_rows))
    }

    pub(crate) fn put(&self, asset: Asset) {
        let mut shelf = hold(&self.state);
        if let Standing::Merged { into } = &asset.standing {
            let olds = shelf.aliases.entry(into.clone()).or_default();
            if !olds.contains(&asset.id) {
                olds.push(asset.id.clone());
            }
        }
        shelf.assets.insert(asset.id.clone(), asset);
    }

    pub(crate) fn set_custom_id(&self, id: &str, custom_id: Option<String>) -> bool {
        let mut shelf = hold(&self.state);
        shelf.assets.get_mut(id).map(|asset| asset.custom_id = custom_id).is_some()
    }

    pub(crate) fn writes(&self) -> Vec<Write> {
        hold(&self.state).writes.clone()
    }

    pub(crate) fn write_count(&self) -> usize {
        hold(&self.state).writes.len()
    }

    /// `assets.list`.
    pub(super) fn list(&self, call: &Call) -> Reply {
        let ids: Vec<String> = call
            .parameter("id")
            .unwrap_or_default()
            .split(',')
            .filter(|id| !id.is_empty())
            .map(str::to_owned)
            .collect();
        if ids.is_empty() {
            return refuse(400, "required", "The id parameter is required.");
        }
        if ids.len() > LIST_LIMIT {
            return refuse(400, "invalidParameter", "At most 50 asset ids may be given.");
        }
        let wanted = call.parameter("fetchMetadata").unwrap_or_default().to_ascii_lowercase();
        let metadata = |name: &str| wanted.split(',').any(|one| one.trim() == name);
        let (mine, effective) = (metadata("mine"), metadata("effective"));

        let shelf = hold(&self.state);
        let mut found: Vec<Asset> = Vec::new();
        for id in &ids {
            let asset = match shelf.assets.get(id) {
                Some(Asset { standing: Standing::Gone, .. }) => continue,
                Some(Asset { standing: Standing::Merged { into }, .. }) => shelf.assets.get(into).cloned(),
                Some(asset) => Some(asset.clone()),
                None => claimed_asset(id, self.claimed_rows),
            };
            if let Some(asset) = asset
                && !found.iter().any(|other| other.id == asset.id)
            {
                found.push(asset);
            }
        }
        // The order of the answer is the server's own: here by the last digits of the id.
        found.sort_by(|a, b| a.id.bytes().rev().cmp(b.id.bytes().rev()));
        let items: Vec<Value> = found
            .iter()
            .map(|asset| {
                let mut item = resource(asset);
                if let Some(olds) = shelf.aliases.get(&asset.id) {
                    item.insert("aliasId".into(), json!(olds));
                }
                if mine && asset.standing != Standing::Foreign {
                    item.insert("metadataMine".into(), metadata_of(asset, true));
                }
                if effective {
                    item.insert("metadataEffective".into(), metadata_of(asset, false));
                }
                Value::Object(item)
            })
            .collect();
        Reply::json(200, &json!({"kind": "youtubePartner#assetList", "items": items}))
    }

    /// `assets.patch`: what the body names is changed, the rest stays.
    pub(super) fn patch(&self, id: &str, call: &Call) -> Reply {
        self.write(id, call, |asset, change| {
            if let Some(custom_id) = change.custom_id {
                asset.custom_id = Some(custom_id).filter(|text| !text.is_empty());
            }
            if let Some(artists) = change.artists {
                asset.artists = artists;
            }
            if let Some(title) = change.title {
                asset.title = title;
            }
            if let Some(labels) = change.labels {
                asset.labels = labels;
            }
            asset.more.extend(change.more);
        })
    }

    /// `assets.update` (PUT): the body's metadata and labels are the asset's whole own ones from now on; what the
    /// body leaves out is gone.
    pub(super) fn update(&self, id: &str, call: &Call) -> Reply {
        self.write(id, call, |asset, change| {
            asset.custom_id = change.custom_id.filter(|text| !text.is_empty());
            asset.artists = change.artists.unwrap_or_default();
            asset.title = change.title.unwrap_or_default();
            asset.labels = change.labels.unwrap_or_default();
            asset.more = change.more;
        })
    }

    fn write(&self, id: &str, call: &Call, apply: impl FnOnce(&mut Asset, Change)) -> Reply {
        let change = match read_change(&call.body) {
            Ok(change) => change,
            Err(refusal) => return refusal,
        };
        let mut shelf = hold(&self.state);
        if !shelf.assets.contains_key(id)
            && let Some(asset) = claimed_asset(id, self.claimed_rows)
        {
            shelf.assets.insert(id.to_owned(), asset);
        }
        let Shelf { assets, writes, .. } = &mut *shelf;
        let Some(asset) = assets.get_mut(id) else {
            return refuse(404, "assetNotFound", "The requested asset was not found.");
        };
        match asset.standing {
            Standing::Live => {}
            Standing::Foreign => {
                return refuse(403, "forbidden", "The asset is not owned by this content owner.");
            }
            Standing::Merged { .. } | Standing::Gone => {
                return refuse(404, "assetNotFound", "The requested asset was not found.");
            }
        }
        if asset.is_music() && change.artists.as_ref().is_none_or(Vec::is_empty) {
            return refuse(400, "invalidMetadata", "metadataMine.artist must be set for this type of asset.");
        }
        let old = asset.custom_id.clone();
        apply(asset, change);
        let seq = writes.len() as u64 + 1;
        let t_ms = self.clock.elapsed_ms();
        writes.push(Write { seq, t_ms, asset_id: id.to_owned(), old, new: asset.custom_id.clone() });
        let mut answer = resource(asset);
        answer.insert("metadataMine".into(), metadata_of(asset, true));
        Reply::json(200, &Value::Object(answer))
    }
}

/// What the body of a write names. An empty custom ID is one to be cleared.
struct Change {
    custom_id: Option<String>,
    artists: Option<Vec<String>>,
    title: Option<String>,
    labels: Option<Vec<String>>,
    more: Map<String, Value>,
}

fn read_change(body: &[u8]) -> Result<Change, Reply> {
    let Ok(Value::Object(mut body)) = serde_json::from_slice::<Value>(body) else {
        return Err(refuse(400, "parseError", "Parse Error"));
    };
    let unknown =
        body.keys().find(|key| !["kind", "id", "type", "label", "metadataMine"].contains(&key.as_str()));
    if let Some(unknown) = unknown {
        return Err(refuse(400, "badRequest", &format!("Unknown name \"{unknown}\": Cannot find field.")));
    }
    let labels = names(body.remove("label"), "label")?;
    let Some(Value::Object(mut change)) = body.remove("metadataMine") else {
        return Err(refuse(400, "required", "metadataMine is required."));
    };
    let custom_id = match change.remove("customId") {
        None => None,
        Some(Value::Null) => Some(String::new()),
        Some(Value::String(text)) if text.is_empty() || is_custom_id(&text) => Some(text),
        Some(_) => return Err(refuse(400, "invalidCustomId", "The custom ID is invalid.")),
    };
    let artists = names(change.remove("artist"), "metadataMine.artist")?;
    let title = match change.remove("title") {
        None | Some(Value::Null) => None,
        Some(Value::String(title)) => Some(title),
        Some(_) => return Err(refuse(400, "invalid", "metadataMine.title must be text.")),
    };
    Ok(Change { custom_id, artists, title, labels, more: change })
}

fn names(value: Option<Value>, what: &str) -> Result<Option<Vec<String>>, Reply> {
    let is_name = |name: &Value| name.as_str().is_some_and(|name| !name.is_empty());
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(names)) if names.iter().all(is_name) => {
            Ok(Some(names.iter().filter_map(Value::as_str).map(str::to_owned).collect()))
        }
        Some(_) => Err(refuse(400, "invalid", &format!("{what} must be a list of names."))),
    }
}

/// At most 64 bytes of letters, digits and `-_.@/`.
pub(crate) fn is_custom_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.@/".contains(&byte))
}

fn resource(asset: &Asset) -> Map<String, Value> {
    let mut item = Map::new();
    item.insert("kind".into(), json!("youtubePartner#asset"));
    item.insert("id".into(), json!(asset.id));
    item.insert("type".into(), json!(asset.asset_type));
    item.insert("status".into(), json!("active"));
    item.insert("timeCreated".into(), json!("2024-03-01T12:00:00.000Z"));
    if !asset.labels.is_empty() {
        item.insert("label".into(), json!(asset.labels));
    }
    item
}

fn metadata_of(asset: &Asset, mine: bool) -> Value {
    let mut metadata = Map::new();
    if !asset.title.is_empty() {
        metadata.insert("title".into(), json!(asset.title));
    }
    if mine && let Some(custom_id) = &asset.custom_id {
        metadata.insert("customId".into(), json!(custom_id));
    }
    if !asset.artists.is_empty() {
        metadata.insert("artist".into(), json!(asset.artists));
    }
    for (name, value) in &asset.more {
        metadata.insert(name.clone(), value.clone());
    }
    Value::Object(metadata)
}

pub(super) fn refuse(code: u16, reason: &str, message: &str) -> Reply {
    let status = match code {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        _ => "INVALID_ARGUMENT",
    };
    let error = json!({"domain": "youtubePartner", "reason": reason, "message": message});
    Reply::json(
        code,
        &json!({"error": {"code": code, "message": message, "status": status, "errors": [error]}}),
    )
}
