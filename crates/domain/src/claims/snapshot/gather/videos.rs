//! Rows of the video report.

use std::ops::Range;

use super::super::database::Carrier;
use super::super::state::{AssetState, ContestedVideo, Known, VideoState};
use super::assets::OwnTexts;
use super::entries::{at, at_mut};
use super::{FIRST_DAY, Gather, MAX_CONTESTED, Place, ROWS_AT_ONCE, RowReader, Source};
use crate::calendar;
use crate::claims::strings::Text;
use crate::id::{AssetId, ChannelId, VideoId};
use crate::number;
use crate::row_fault::RowFault;
use crate::table::Rows;
use crate::video_report::{ReportLine, VideoColumn, VideoColumns, VideoRow};

impl Gather {
    /// Takes a row of the video report.
    pub fn video(&mut self, row: &VideoRow<'_>) -> Result<(), RowFault> {
        let mut assets = Vec::new();
        let print = row.fields().fingerprint();
        let read = PendingVideo::read(0, row, print, &self.row_reader(), &mut assets);
        let video = self.counted(Source::Videos, print, read)?;
        self.take_videos(&[video], &assets, &|_| Some(*row));
        Ok(())
    }

    /// Takes rows of the video report that were read at once by these columns; `refuse` is told of those that cannot be
    /// used, in their order, and why where that is not the number of their fields.
    pub fn videos<E>(
        &mut self,
        read: &VideoRows,
        columns: &VideoColumns,
        mut refuse: impl FnMut(ReportLine<'_>, Option<&RowFault>) -> Result<(), E>,
    ) -> Result<(), E> {
        let VideoRows { rows, videos, assets, refused, fingerprint, .. } = read;
        self.count_rows(Source::Videos, rows.len(), videos.len(), *fingerprint);
        for (index, fault) in refused {
            if let Some(line) = columns.line(rows, *index) {
                refuse(line, fault.as_ref())?;
            }
        }
        let row = |index| match columns.line(rows, index) {
            Some(ReportLine::Row(row)) => Some(row),
            _ => None,
        };
        for videos in videos.chunks(ROWS_AT_ONCE) {
            self.take_videos(videos, assets, &row);
        }
        Ok(())
    }

    fn take_videos<'a>(
        &mut self,
        videos: &[PendingVideo],
        assets: &[NamedAsset],
        row: &dyn Fn(usize) -> Option<VideoRow<'a>>,
    ) {
        let named = |video: &PendingVideo| assets.get(video.assets.clone()).unwrap_or_default();
        // Alone, as those of the claims are.
        let touched =
            videos.iter().fold(0, |touched, video| touched ^ self.videos.touch_place(video.id_hash));
        let touched = videos
            .iter()
            .flat_map(named)
            .fold(touched, |touched, asset| touched ^ self.assets.touch_place(asset.hash));
        std::hint::black_box(touched);
        let told = |asset: &AssetState| u32::from(asset.told);
        let touched = videos
            .iter()
            .flat_map(named)
            .fold(0, |touched, asset| touched ^ self.assets.touch(asset.hash, told).unwrap_or_default());
        std::hint::black_box(touched);
        for video in videos {
            if let Some(row) = row(video.index) {
                self.take_video(video, named(video), &row);
            }
        }
    }

    fn take_video(&mut self, read: &PendingVideo, named: &[NamedAsset], row: &VideoRow<'_>) {
        self.video_rows.push(read.print);
        let channel =
            self.channel_position(read.channel, read.channel_hash, row.cell(VideoColumn::ChannelName));
        if let Some(channel) = at_mut(&mut self.channels.entries, channel) {
            channel.video_rows = channel.video_rows.saturating_add(1);
        }
        let mut first: Option<(AssetId, u32)> = None;
        for &NamedAsset { id, hash, place } in named {
            let position = self.assets.position_by(hash, id, |asset| asset.id, || AssetState::new(id));
            if let Some(asset) = at_mut(&mut self.assets.entries, position) {
                asset.carry(Carrier::with(asset.carrier(), read.channel, &self.partners));
                if !OwnTexts::are_told(asset) {
                    let custom_id = row.assets().nth(place).and_then(|(_, custom_id)| custom_id);
                    let isrc = row.cell(VideoColumn::Isrc);
                    OwnTexts([custom_id.unwrap_or_default(), b"", b"", isrc]).add(asset, &mut self.strings);
                }
            }
            if first.is_none_or(|(known, _)| id < known) {
                first = Some((id, position));
            }
        }
        self.keep_contested(row, read);
        let new = || VideoState {
            id: read.id,
            channel,
            asset: None,
            published: read.published,
            title: Text::EMPTY,
            views: Known::UNKNOWN,
            engaged_views: Known::UNKNOWN,
        };
        let position = self.videos.position_by(read.id_hash, read.id, |video| video.id, new);
        let (assets, channels) = (&self.assets.entries, &self.channels.entries);
        let Some(video) = at_mut(&mut self.videos.entries, position) else { return };
        let id_of = |asset: Option<u32>| asset.and_then(|asset| at(assets, asset)).map(|asset| asset.id);
        video.asset = match (id_of(video.asset), first) {
            (Some(known), Some((id, position))) if id < known => Some(position),
            (None, Some((_, position))) => Some(position),
            _ => video.asset,
        };
        let known = at(channels, video.channel).map(|channel| channel.id);
        if known.is_some_and(|known| read.channel < known) {
            video.channel = channel;
        }
        video.title = self.strings.keep_first_alone(video.title, row.title_bytes());
        video.published = video.published.max(read.published);
        video.views = video.views.max(read.views);
        video.engaged_views = video.engaged_views.max(read.engaged_views);
    }

    /// Keeps a partner's video that another owner claims. Beyond [`MAX_CONTESTED`] rows no more are kept.
    fn keep_contested(&mut self, row: &VideoRow<'_>, read: &PendingVideo) {
        if self.contested.len() >= MAX_CONTESTED || !self.partners.contains(&read.channel) {
            return;
        }
        let owners = row.cell(VideoColumn::OtherOwners);
        if owners.is_empty() && number::flag(row.cell(VideoColumn::ClaimedByAnotherOwner)) != Some(true) {
            return;
        }
        let owners = self.strings.keep(owners);
        self.contested.push(ContestedVideo { video: read.id, channel: read.channel, owners });
    }
}

/// A video's day in 2 bytes; 0 where it is unknown, since nothing is detected by this alone.
fn days_since_first(cell: &[u8]) -> u16 {
    let Ok(Some(day)) = calendar::date(cell) else { return 0 };
    u16::try_from(day.duration_since(FIRST_DAY).as_hours() / 24).unwrap_or_default()
}

/// Rows of the video report with all that can be said of them without looking at others: the part of the work that other
/// threads may do.
#[derive(Default)]
pub struct VideoRows {
    /// The rows, to be filled by the report.
    pub rows: Rows,
    videos: Vec<PendingVideo>,
    // The assets that the videos carry.
    assets: Vec<NamedAsset>,
    // Which rows cannot be used, and why where that is not the number of their fields.
    refused: Vec<(usize, Option<RowFault>)>,
    misfits: u64,
    // The sum of the rows' fingerprints.
    fingerprint: u64,
}

impl VideoRows {
    /// Reads what the rows say, once they are filled.
    pub fn read(&mut self, columns: &VideoColumns, reader: &RowReader) {
        self.videos.clear();
        self.assets.clear();
        self.refused.clear();
        self.fingerprint = 0;
        self.misfits = self.rows.split();
        for (index, line) in columns.lines(&self.rows).enumerate() {
            let ReportLine::Row(row) = line else {
                self.refused.push((index, None));
                continue;
            };
            let print = row.fields().fingerprint();
            self.fingerprint = self.fingerprint.wrapping_add(print);
            match PendingVideo::read(index, &row, print, reader, &mut self.assets) {
                Ok(video) => self.videos.push(video),
                Err(fault) => self.refused.push((index, Some(fault))),
            }
        }
    }

    /// How many rows have a wrong number of fields.
    pub fn misfits(&self) -> u64 {
        self.misfits
    }
}

/// What a row says of its video in numbers.
struct PendingVideo {
    // Which of the rows that were read at once it is.
    index: usize,
    print: u64,
    id: VideoId,
    id_hash: u64,
    channel: ChannelId,
    channel_hash: u64,
    published: u16,
    views: Known,
    engaged_views: Known,
    assets: Range<usize>,
}

impl PendingVideo {
    fn read(
        index: usize,
        row: &VideoRow<'_>,
        print: u64,
        reader: &RowReader,
        assets: &mut Vec<NamedAsset>,
    ) -> Result<Self, RowFault> {
        let place = Place(row.record(), row.line());
        let number = |name, column| place.number(name, row.number(column)).map(Known::new);
        let id = place.id("video_id", row.video_id())?;
        let channel = place.id("channel_id", row.channel_id())?;
        let (views, engaged_views) =
            (number("views", VideoColumn::Views)?, number("engaged_views", VideoColumn::EngagedViews)?);
        let start = assets.len();
        for (place, (cell, _)) in row.assets().enumerate() {
            // What is none is passed over: the row says of its video what it says.
            if let Ok(id) = AssetId::parse_bytes(cell) {
                assets.push(NamedAsset { id, hash: reader.hash(id), place });
            }
        }
        Ok(Self {
            index,
            print,
            id,
            id_hash: reader.hash(id),
            channel,
            channel_hash: reader.hash(channel),
            published: days_since_first(row.cell(VideoColumn::Published)),
            views,
            engaged_views,
            assets: start..assets.len(),
        })
    }
}

/// An asset that a row names.
struct NamedAsset {
    id: AssetId,
    hash: u64,
    // Which of the row's assets it is.
    place: usize,
}
