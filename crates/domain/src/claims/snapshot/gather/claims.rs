//! Rows of the claim report.

use std::ops::Range;

use jiff::civil::Date;

use super::super::claim_state::{ClaimEntry, ClaimState, OpenClaim, OpenStatus};
use super::super::hashing::fingerprint;
use super::super::lengths::SHORT_MATCH_SECONDS;
use super::super::state::{AssetState, Known, OwnChannel, ReferenceState, UploaderState};
use super::assets::OwnTexts;
use super::claim_signs::{Origin, age_days, signs};
use super::claim_table::GatheredClaim;
use super::entries::at_mut;
use super::{Gather, MAX_OPEN_CLAIMS, Place, ROWS_AT_ONCE, RowReader, Source, add};
use crate::calendar;
use crate::claim_report::{ClaimColumn, ClaimColumns, ClaimLine, ClaimRow};
use crate::claims::risk::Candidate;
use crate::claims::strings::Text;
use crate::id::{AssetId, ChannelId};
use crate::number;
use crate::row_fault::RowFault;
use crate::table::Rows;

/// Room is made for so many claims at most before they are seen: a guess must not take all memory.
const MAX_EXPECTED_CLAIMS: u64 = 6_000_000;

impl Gather {
    /// Takes a row of the claim report.
    pub fn claim(&mut self, row: &ClaimRow<'_>) -> Result<(), RowFault> {
        let mut references = Vec::new();
        let print = row.fields().fingerprint();
        let read = PendingClaim::read(0, row, print, &self.row_reader(), &mut references);
        let mut claim = self.counted(Source::Claims, print, read)?;
        self.take_claims(std::slice::from_mut(&mut claim), &references, &|_| Some(*row));
        Ok(())
    }

    /// Says how large a claim report is, packed or not: by its first rows room is made for its claims.
    pub fn expect_claims(&mut self, bytes: u64) {
        self.claim_bytes = Some(bytes);
    }

    /// Takes rows of the claim report that were read at once by these columns; `refuse` is told of those that cannot be
    /// used, in their order, and why where that is not the number of their fields.
    ///
    /// Every row asks for places all over some hundred megabytes. So a few rows at a time take each step together:
    /// the looks into memory of one step do not wait for each other.
    pub fn claims<E>(
        &mut self,
        read: &mut ClaimRows,
        columns: &ClaimColumns,
        mut refuse: impl FnMut(ClaimLine<'_>, Option<&RowFault>) -> Result<(), E>,
    ) -> Result<(), E> {
        let ClaimRows { rows, claims, references, refused, fingerprint, .. } = read;
        if let (Some(bytes), Some(bytes_a_row)) = (self.claim_bytes, rows.bytes_a_row()) {
            self.claim_bytes = None;
            // A packed report has more than this says, and then the room grows.
            let count = (bytes / bytes_a_row).min(MAX_EXPECTED_CLAIMS);
            self.claims.expect(usize::try_from(count).unwrap_or_default());
        }
        self.count_rows(Source::Claims, rows.len(), claims.len(), *fingerprint);
        for (index, fault) in refused.iter() {
            if let Some(line) = columns.line(rows, *index) {
                refuse(line, fault.as_ref())?;
            }
        }
        let row = |index| match columns.line(rows, index) {
            Some(ClaimLine::Row(row)) => Some(row),
            _ => None,
        };
        for claims in claims.chunks_mut(ROWS_AT_ONCE) {
            self.take_claims(claims, references, &row);
        }
        Ok(())
    }

    fn take_claims<'a>(
        &mut self,
        claims: &mut [PendingClaim],
        references: &[NamedReference],
        row: &dyn Fn(usize) -> Option<ClaimRow<'a>>,
    ) {
        // Alone, so that as many looks as the machine can have are under way at once: first where things are looked
        // for, then the things. Nothing else stands between the looks for claims, which nearly all wait for memory.
        let touched = claims.iter().fold(0, |touched, claim| touched ^ self.claims.touch(claim.key));
        let touched = claims.iter().fold(touched, |touched, claim| {
            touched
                ^ claim.asset_id.map_or(0, |(_, hash)| self.assets.touch_place(hash))
                ^ self.uploaders.touch_place(claim.channel_hash)
        });
        let places = |claim: &PendingClaim| references.get(claim.references.clone()).unwrap_or_default();
        let named = || claims.iter().flat_map(places);
        let touched =
            named().fold(touched, |touched, named| touched ^ self.references.touch_place(named.hash));
        std::hint::black_box(touched);
        let touched = claims.iter().fold(0, |touched, claim| {
            let asset =
                claim.asset_id.and_then(|(_, hash)| self.assets.touch(hash, |asset| asset.claims_created));
            let uploader = self.uploaders.touch(claim.channel_hash, |uploader| uploader.claims);
            touched ^ asset.unwrap_or_default() ^ uploader.unwrap_or_default()
        });
        let claimed = |reference: &GatheredReference| reference.state.claims;
        let touched = named().fold(touched, |touched, named| {
            touched ^ self.references.touch(named.hash, claimed).unwrap_or_default()
        });
        std::hint::black_box(touched);
        for claim in claims.iter_mut() {
            let assets = &mut self.assets;
            claim.asset = claim
                .asset_id
                .map(|(id, hash)| assets.position_by(hash, id, |asset| asset.id, || AssetState::new(id)));
        }
        let mut duplicates = 0;
        for claim in claims.iter_mut() {
            let asset_and_state = ClaimEntry::new(claim.key, claim.asset, claim.state).asset_and_state;
            claim.is_new =
                self.claims.insert(GatheredClaim { key: claim.key, row: claim.row, asset_and_state });
            duplicates += u64::from(!claim.is_new);
        }
        if duplicates > 0
            && let Some(facts) = self.reports.get_mut(&Source::Claims)
        {
            facts.used -= duplicates;
            facts.duplicates += duplicates;
        }
        for claim in claims.iter_mut().filter(|claim| claim.is_new) {
            claim.uploader = self.uploaders.position_by(
                claim.channel_hash,
                claim.channel,
                |uploader| uploader.id,
                || UploaderState::new(claim.channel),
            );
        }
        let mut found = std::mem::take(&mut self.found_references);
        found.clear();
        for (index, claim) in claims.iter().enumerate().filter(|(_, claim)| claim.is_new) {
            for named in places(claim) {
                found.push((index, self.reference_position(named, claim, row)));
            }
        }
        for claim in claims.iter().filter(|claim| claim.is_new) {
            self.count(row, claim);
        }
        for (index, position) in &found {
            if let Some(claim) = claims.get(*index) {
                self.count_for_reference(*position, claim);
            }
        }
        self.found_references = found;
    }

    /// Counts a claim wherever it counts, but for its references.
    fn count<'a>(&mut self, row: &dyn Fn(usize) -> Option<ClaimRow<'a>>, claim: &PendingClaim) {
        let is_own = claim.state >= ClaimState::Active && self.partners.contains(&claim.channel);
        if claim.state >= ClaimState::Pending
            && let Some(row) = row(claim.index)
        {
            self.keep_open(&row, claim);
        }
        if claim.state == ClaimState::Active {
            self.keep_candidate(row, claim);
        }
        self.count_for_asset(row, claim);
        if let Some(uploader) = at_mut(&mut self.uploaders.entries, claim.uploader) {
            add(&mut uploader.claims, true);
            add(&mut uploader.claims_active, claim.state == ClaimState::Active);
            add(&mut uploader.claims_inactive, claim.state == ClaimState::Inactive);
            add(&mut uploader.claims_disputed, claim.state.is_disputed());
            add(&mut uploader.claims_created, claim.is_created);
            add(&mut uploader.claims_short, claim.is_short());
        }
        if is_own && let Some(row) = row(claim.index) {
            self.count_for_own_channel(&row, claim);
        }
    }

    /// The position of a reference by its fingerprint: it is named in thousands of rows, and its name is asked for in
    /// the first of them.
    fn reference_position<'a>(
        &mut self,
        named: &NamedReference,
        claim: &PendingClaim,
        row: &dyn Fn(usize) -> Option<ClaimRow<'a>>,
    ) -> u32 {
        let print = named.print;
        let strings = &mut self.strings;
        let new = || {
            let row = row(claim.index);
            let mut ids = row.iter().flat_map(references);
            let id = ids.find(|id| fingerprint(id) == print).map_or(Text::EMPTY, |id| strings.keep(id));
            GatheredReference {
                print,
                first_asset: claim.asset(),
                state: ReferenceState::new(id, claim.asset),
            }
        };
        self.references.position_by(named.hash, print, |reference| reference.print, new)
    }

    /// Keeps a claim that waits for somebody. Beyond [`MAX_OPEN_CLAIMS`] only those that an uploader objects to are kept:
    /// nobody works down more, and memory must not grow with a report that is wrong.
    fn keep_open(&mut self, row: &ClaimRow<'_>, claim: &PendingClaim) {
        let status = OpenStatus::of(row.cell(ClaimColumn::StatusDetail));
        if self.open_claims.len() >= MAX_OPEN_CLAIMS && status > OpenStatus::Disputed {
            return;
        }
        let Ok(claim_id) = row.claim_id() else { return };
        let day = |column| calendar::date(row.cell(column)).ok().flatten();
        self.open_claims.push(OpenClaim {
            claim_id,
            status,
            asset_id: claim.asset(),
            video_id: row.video_id().and_then(Result::ok),
            channel_id: claim.channel,
            created: day(ClaimColumn::CreatedDate),
            views: claim.views.get().or(claim.engaged_views.get()),
            uploaded: day(ClaimColumn::UploadDate),
            signs: signs(
                row,
                claim.created,
                self.young_since,
                claim.is_short(),
                self.partners.contains(&claim.channel),
            ),
            is_manual: Origin::of(row) == Origin::Manual,
        });
    }

    /// Keeps a claim that may be disputed, where enough is at stake. What one uploaded oneself nobody disputes.
    fn keep_candidate<'a>(&mut self, row: &dyn Fn(usize) -> Option<ClaimRow<'a>>, claim: &PendingClaim) {
        let views = claim.views.get().or(claim.engaged_views.get()).unwrap_or_default();
        let Some(candidates) = self.candidates.as_mut().filter(|them| them.may_take(views, claim.key)) else {
            return;
        };
        let Some(row) = row(claim.index) else { return };
        let uploaded = calendar::date(row.cell(ClaimColumn::UploadDate)).ok().flatten();
        let Some(there_since) = uploaded.or(claim.created) else { return };
        let age_days = age_days(there_since, *self.days.end());
        let views_a_day = views / u64::try_from(age_days).unwrap_or(1).max(1);
        if !candidates.may_take(views_a_day, claim.key) {
            return;
        }
        let is_partner = self.partners.contains(&claim.channel);
        let signs = signs(&row, claim.created, self.young_since, claim.is_short(), is_partner);
        let may_take = |is_manual| candidates.may_take_with(views_a_day, is_manual, signs, claim.key);
        // Whoever made it: few come this far.
        if !may_take(false) && !may_take(true) {
            return;
        }
        let origin = Origin::of(&row);
        let is_manual = origin == Origin::Manual;
        if origin == Origin::Upload || !may_take(is_manual) {
            return;
        }
        let Ok(claim_id) = row.claim_id() else { return };
        let candidate = Candidate {
            claim_id,
            asset: claim.asset,
            video_id: row.video_id().and_then(Result::ok),
            channel_id: claim.channel,
            views_a_day,
            signs,
            is_manual,
            is_ranked: false,
            is_drawn: false,
        };
        candidates.add(candidate, claim.key);
    }

    fn count_for_asset<'a>(&mut self, row: &dyn Fn(usize) -> Option<ClaimRow<'a>>, claim: &PendingClaim) {
        let Some(position) = claim.asset else { return };
        let Some(asset) = at_mut(&mut self.assets.entries, position) else { return };
        asset.claimed_views = asset.claimed_views.plus(claim.views);
        asset.claimed_engaged_views = asset.claimed_engaged_views.plus(claim.engaged_views);
        add(&mut asset.claims_created, claim.is_created);
        add(&mut asset.claims_short, claim.is_short());
        if OwnTexts::are_told(asset) {
            return;
        }
        let Some(row) = row(claim.index) else { return };
        let columns =
            [ClaimColumn::CustomId, ClaimColumn::AssetTitle, ClaimColumn::Artist, ClaimColumn::Isrc];
        OwnTexts(columns.map(|column| row.cell(column))).add(asset, &mut self.strings);
    }

    /// Counts a claim on a partner's channel, unless the partner made it by uploading.
    fn count_for_own_channel(&mut self, row: &ClaimRow<'_>, claim: &PendingClaim) {
        let origin = row.cell(ClaimColumn::Origin).to_ascii_lowercase();
        let is_upload = match origin.as_slice() {
            // An upload is no match of a reference.
            b"" => row.cell(ClaimColumn::ReferenceId).is_empty(),
            origin => memchr::memmem::find(origin, b"upload").is_some(),
        };
        if is_upload {
            return;
        }
        let own = self.own_channels.entry(claim.channel).or_insert(OwnChannel {
            channel: claim.channel,
            held: 0,
            created: 0,
            first_asset: None,
            views: Known::UNKNOWN,
        });
        add(&mut own.held, true);
        add(&mut own.created, claim.is_created);
        own.first_asset = own.first_asset.into_iter().chain(claim.asset()).min();
        own.views = own.views.plus(claim.views);
    }

    fn count_for_reference(&mut self, position: u32, claim: &PendingClaim) {
        let Some(GatheredReference { state: reference, first_asset, .. }) =
            at_mut(&mut self.references.entries, position)
        else {
            return;
        };
        if claim.asset().is_some_and(|id| first_asset.is_none_or(|known| id < known)) {
            (reference.asset, *first_asset) = (claim.asset, claim.asset());
        }
        add(&mut reference.claims, true);
        add(&mut reference.claims_active, claim.state == ClaimState::Active);
        add(&mut reference.claims_inactive, claim.state == ClaimState::Inactive);
        add(&mut reference.claims_disputed, claim.state.is_disputed());
        add(&mut reference.claims_created, claim.is_created);
        if let Some(length) = claim.length {
            reference.lengths.add(length);
        }
    }
}

/// The references that a row names.
fn references<'a>(row: &ClaimRow<'a>) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let ids = row.cell(ClaimColumn::ReferenceId).split(|byte| *byte == b'|');
    ids.map(<[u8]>::trim_ascii).filter(|id| !id.is_empty())
}

/// Rows of the claim report with all that can be said of them without looking at others: the half of the work that
/// other threads may do.
#[derive(Default)]
pub struct ClaimRows {
    /// The rows, to be filled by the report.
    pub rows: Rows,
    claims: Vec<PendingClaim>,
    // The references that the claims name.
    references: Vec<NamedReference>,
    // Which rows cannot be used, and why where that is not the number of their fields.
    refused: Vec<(usize, Option<RowFault>)>,
    // How many rows have a wrong number of fields.
    misfits: u64,
    // The sum of the rows' fingerprints.
    fingerprint: u64,
}

impl ClaimRows {
    /// Reads what the rows say, once they are filled.
    pub fn read(&mut self, columns: &ClaimColumns, reader: &RowReader) {
        self.claims.clear();
        self.references.clear();
        self.refused.clear();
        self.fingerprint = 0;
        self.misfits = self.rows.split();
        for (index, line) in columns.lines(&self.rows).enumerate() {
            let ClaimLine::Row(row) = line else {
                self.refused.push((index, None));
                continue;
            };
            let print = row.fields().fingerprint();
            self.fingerprint = self.fingerprint.wrapping_add(print);
            match PendingClaim::read(index, &row, print, reader, &mut self.references) {
                Ok(claim) => self.claims.push(claim),
                Err(fault) => self.refused.push((index, Some(fault))),
            }
        }
    }

    /// How many rows have a wrong number of fields.
    pub fn misfits(&self) -> u64 {
        self.misfits
    }
}

/// A reference while rows come.
pub(super) struct GatheredReference {
    pub print: u64,
    // The first by id of its assets, as it stands in the state by its position.
    first_asset: Option<AssetId>,
    pub state: ReferenceState,
}

/// A reference that a row names, with the hash of its fingerprint.
#[derive(Debug)]
struct NamedReference {
    print: u64,
    hash: u64,
}

/// What a row says of its claim in numbers, and where its things stand.
struct PendingClaim {
    // Which of the rows that were read at once it is.
    index: usize,
    key: u64,
    row: u32,
    channel: ChannelId,
    channel_hash: u64,
    // With its hash.
    asset_id: Option<(AssetId, u64)>,
    views: Known,
    engaged_views: Known,
    state: ClaimState,
    is_created: bool,
    created: Option<Date>,
    length: Option<u32>,
    references: Range<usize>,
    // Only known once others are looked at.
    is_new: bool,
    asset: Option<u32>,
    uploader: u32,
}

impl PendingClaim {
    fn read(
        index: usize,
        row: &ClaimRow<'_>,
        print: u64,
        reader: &RowReader,
        named: &mut Vec<NamedReference>,
    ) -> Result<Self, RowFault> {
        let place = Place(row.record(), row.line());
        let number = |name, column| place.number(name, row.number(column)).map(Known::new);
        let created = calendar::date(row.cell(ClaimColumn::CreatedDate))
            .map_err(|error| place.fault("claim_created_date", "date_invalid", error.to_string()))?;
        let lengths = [ClaimColumn::LongestMatch, ClaimColumn::MatchingDuration, ClaimColumn::MatchingLength];
        let channel = place.id("channel_id", row.channel_id())?;
        let mut claim = Self {
            index,
            key: fingerprint(place.id("claim_id", row.claim_id_bytes())?),
            row: u32::try_from(print >> 32).unwrap_or_default(),
            channel,
            channel_hash: reader.hash(channel),
            asset_id: match row.asset_id_bytes() {
                b"" => None,
                cell => {
                    let id = place.id("asset_id", AssetId::parse_bytes(cell))?;
                    Some((id, reader.hash(id)))
                }
            },
            views: number("views", ClaimColumn::Views)?,
            engaged_views: number("engaged_views", ClaimColumn::EngagedViews)?,
            state: ClaimState::of(row.claim_status_bytes(), row.cell(ClaimColumn::StatusDetail)),
            is_created: created.is_some_and(|day| reader.days.contains(&day)),
            created,
            length: lengths.into_iter().find_map(|column| number::seconds(row.cell(column))),
            references: named.len()..named.len(),
            is_new: false,
            asset: None,
            uploader: u32::MAX,
        };
        for reference in references(row) {
            let print = fingerprint(reference);
            named.push(NamedReference { print, hash: reader.hash(print) });
        }
        claim.references.end = named.len();
        Ok(claim)
    }

    fn asset(&self) -> Option<AssetId> {
        self.asset_id.map(|(id, _)| id)
    }

    fn is_short(&self) -> bool {
        self.length.is_some_and(|length| length < SHORT_MATCH_SECONDS)
    }
}
