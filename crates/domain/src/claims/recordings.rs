//! Whose a recording on another platform is here: by ISRC, else by custom ID where that is one asset's alone, else by the
//! asset itself.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::alert::{Alert, Kind, Severity, Subject};
use super::links;
use super::platforms::KeyKind;
use super::snapshot::{AssetState, Snapshot};
use crate::id::AssetId;
use crate::isrc::Isrc;

/// The assets by what they are known by on other platforms.
pub(super) struct Recordings<'a> {
    now: &'a Snapshot,
    by_isrc: BTreeMap<Isrc, &'a AssetState>,
    /// None where several assets have it, which is the rule: a custom ID is a label's mark.
    by_custom_id: BTreeMap<&'a str, Option<&'a AssetState>>,
}

impl<'a> Recordings<'a> {
    pub(super) fn of(now: &'a Snapshot) -> Self {
        let (mut by_isrc, mut by_custom_id) = (BTreeMap::new(), BTreeMap::new());
        for asset in &now.assets {
            if let Ok(isrc) = Isrc::parse_bytes(now.text(asset.isrc).as_bytes()) {
                // Of several the first by id, as everywhere.
                by_isrc.entry(isrc).or_insert(asset);
            }
            let custom_id = now.text(asset.custom_id);
            if !custom_id.is_empty() {
                by_custom_id.entry(custom_id).and_modify(|known| *known = None).or_insert(Some(asset));
            }
        }
        Self { now, by_isrc, by_custom_id }
    }

    pub(super) fn asset(&self, kind: KeyKind, key: &str) -> Option<&'a AssetState> {
        match kind {
            KeyKind::Isrc => self.by_isrc.get(&Isrc::parse_bytes(key.as_bytes()).ok()?).copied(),
            KeyKind::CustomId => self.by_custom_id.get(key).copied().flatten(),
            KeyKind::AssetId => self.now.asset(AssetId::parse_bytes(key.as_bytes()).ok()?),
            // No report tells the UPC of an asset.
            KeyKind::Upc => None,
        }
    }

    /// The track as all platforms may know it: by the ISRC of its asset, where that has one, else as this one does.
    pub(super) fn track(&self, kind: KeyKind, key: &'a str) -> (KeyKind, Cow<'a, str>) {
        let by_isrc = || {
            let asset = self.asset(kind, key)?;
            let isrc = Isrc::parse_bytes(self.now.text(asset.isrc).as_bytes()).ok()?;
            Some((KeyKind::Isrc, Cow::Owned(isrc.to_string())))
        };
        match kind {
            KeyKind::Isrc => (kind, Cow::Borrowed(key)),
            KeyKind::Upc | KeyKind::CustomId | KeyKind::AssetId => {
                by_isrc().unwrap_or((kind, Cow::Borrowed(key)))
            }
        }
    }

    /// A finding on a recording: on its asset where there is one.
    pub(super) fn draft(
        &self,
        kind: Kind,
        severity: Severity,
        key: (KeyKind, &str),
        reason: String,
    ) -> Alert {
        let (key_kind, key) = key;
        let alert = match self.asset(key_kind, key) {
            Some(asset) => {
                let subject = Subject::new("asset", asset.id.as_str(), self.now.text(asset.title));
                Alert::draft(kind, severity, subject, reason).see(links::asset(asset.id))
            }
            None => Alert::draft(kind, severity, Subject::new("recording", key, ""), reason),
        };
        alert.because(key_kind.name(), key)
    }
}
