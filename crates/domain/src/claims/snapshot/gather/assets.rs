//! Rows of the asset and of the conflict report.

use super::super::state::{AssetState, Known};
use super::entries::at_mut;
use super::{Gather, Place, Source};
use crate::asset_report::{AssetColumn, AssetRow};
use crate::claims::strings::{Strings, Text};
use crate::conflict_report::{ConflictColumn, ConflictRow};
use crate::id::AssetId;
use crate::row_fault::RowFault;

impl Gather {
    /// Takes a row of the asset report.
    pub fn asset(&mut self, row: &AssetRow<'_>) -> Result<(), RowFault> {
        let read = (|| {
            let place = Place(row.record(), row.line());
            let id = place.id("asset_id", row.asset_id())?;
            let number = |name, column| place.number(name, row.number(column)).map(Known::new);
            Ok(AssetNumbers {
                id,
                active_claims: Known::new(Some(place.number("active_claims", row.active_claims())?)),
                daily_views: number("approx_daily_views", AssetColumn::DailyViews)?,
                daily_engaged_views: number("approx_daily_engaged_views", AssetColumn::DailyEngagedViews)?,
            })
        })();
        let print = row.fields().fingerprint();
        let read = self.counted(Source::Assets, print, read)?;
        self.asset_rows.push(print);
        let isrc = [AssetColumn::Isrc, AssetColumn::YourIsrc, AssetColumn::DisplayIsrc]
            .map(|column| row.cell(column))
            .into_iter()
            .find(|cell| !cell.is_empty())
            .unwrap_or_default();
        let texts = [
            row.custom_id_bytes(),
            row.cell(AssetColumn::Title),
            row.cell(AssetColumn::Artist),
            isrc,
            row.asset_type_bytes(),
            row.cell(AssetColumn::MatchPolicy),
            row.cell(AssetColumn::ConflictingOwner),
            row.cell(AssetColumn::ConflictingCountryCode),
        ]
        .map(|cell| self.strings.keep(cell));
        let position = self.asset_position(read.id);
        let Some(asset) = at_mut(&mut self.assets.entries, position) else { return Ok(()) };
        let [custom_id, title, artist, isrc, asset_type, match_policy, owner, countries] = texts;
        OwnTexts([custom_id, title, artist, isrc]).tell(asset, &self.strings);
        asset.is_reported = true;
        for (kept, said) in [
            (&mut asset.asset_type, asset_type),
            (&mut asset.match_policy, match_policy),
            (&mut asset.conflicting_owner, owner),
            (&mut asset.conflicting_countries, countries),
        ] {
            *kept = self.strings.first_of(*kept, said);
        }
        asset.active_claims = asset.active_claims.max(read.active_claims);
        asset.daily_views = asset.daily_views.max(read.daily_views);
        asset.daily_engaged_views = asset.daily_engaged_views.max(read.daily_engaged_views);
        asset.active_references =
            asset.active_references.max(list_length(row.cell(AssetColumn::ActiveReferenceId)));
        asset.inactive_references =
            asset.inactive_references.max(list_length(row.cell(AssetColumn::InactiveReferenceId)));
        Ok(())
    }

    /// Takes a row of the conflict report.
    pub fn conflict(&mut self, row: &ConflictRow<'_>) -> Result<(), RowFault> {
        let read = Place(row.record(), row.line()).id("asset_id", row.asset_id());
        let print = row.fields().fingerprint();
        let id = self.counted(Source::Conflicts, print, read)?;
        self.conflict_rows.push(print);
        let owner = self.strings.keep(row.conflicting_owner().as_bytes());
        let countries = self.strings.keep(row.cell(ConflictColumn::CountryCode));
        let position = self.asset_position(id);
        if let Some(asset) = at_mut(&mut self.assets.entries, position) {
            asset.conflicting_owner = self.strings.first_of(asset.conflicting_owner, owner);
            asset.conflicting_countries = self.strings.first_of(asset.conflicting_countries, countries);
        }
        Ok(())
    }
}

/// The texts by which people know an asset: custom ID, title, artist, ISRC.
pub(super) struct OwnTexts<T>(pub [T; 4]);

impl OwnTexts<Text> {
    const CUSTOM_ID: u8 = 0b0001;
    const ALL: u8 = 0b1111;

    /// Whether the asset report has told all of an asset's texts: no other report can add to them.
    pub fn are_told(asset: &AssetState) -> bool {
        asset.told & Self::ALL == Self::ALL
    }

    /// Puts in what the asset report says, which goes before what the others say, whichever is read first; among rows
    /// of equal standing the first text in the order of bytes stands. That the report gives no custom ID is said by
    /// it; that it gives no title is not, most have no such column.
    fn tell(self, asset: &mut AssetState, strings: &Strings) {
        let told = asset.told;
        let mut tells = told;
        for ((bit, place), said) in places(asset).into_iter().zip(self.0) {
            if told & bit != 0 {
                *place = strings.first_of(*place, said);
            } else if bit == Self::CUSTOM_ID || !said.is_empty() {
                *place = said;
                tells |= bit;
            }
        }
        asset.told = tells;
    }
}

impl OwnTexts<&[u8]> {
    /// Puts in what another report says, where the asset report is silent. Where it has told everything, the same texts
    /// in millions of rows cost nothing.
    pub fn add(self, asset: &mut AssetState, strings: &mut Strings) {
        let told = asset.told;
        for ((bit, place), said) in places(asset).into_iter().zip(self.0) {
            if told & bit == 0 {
                *place = strings.keep_first(*place, said);
            }
        }
    }
}

/// Where an asset has these texts, each with its bit of `told`.
fn places(asset: &mut AssetState) -> [(u8, &mut Text); 4] {
    [
        (0b0001, &mut asset.custom_id),
        (0b0010, &mut asset.title),
        (0b0100, &mut asset.artist),
        (0b1000, &mut asset.isrc),
    ]
}

fn list_length(cell: &[u8]) -> u32 {
    let count = cell.split(|byte| *byte == b'|').filter(|id| !id.trim_ascii().is_empty()).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

struct AssetNumbers {
    id: AssetId,
    active_claims: Known,
    daily_views: Known,
    daily_engaged_views: Known,
}
