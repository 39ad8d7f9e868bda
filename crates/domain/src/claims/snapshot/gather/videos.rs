//! Rows of the video report.

use super::super::database::Carrier;
use super::super::state::{ContestedVideo, Known, VideoState};
use super::assets::OwnTexts;
use super::entries::{at, at_mut};
use super::{FIRST_DAY, Gather, MAX_CONTESTED, Place, Source};
use crate::calendar;
use crate::claims::strings::Text;
use crate::id::{AssetId, ChannelId, VideoId};
use crate::number;
use crate::row_fault::RowFault;
use crate::video_report::{VideoColumn, VideoRow};

impl Gather {
    /// Takes a row of the video report.
    pub fn video(&mut self, row: &VideoRow<'_>) -> Result<(), RowFault> {
        let read = (|| {
            let place = Place(row.record(), row.line());
            let number = |name, column| place.number(name, row.number(column)).map(Known::new);
            Ok(VideoNumbers {
                id: place.id("video_id", row.video_id())?,
                channel: place.id("channel_id", row.channel_id())?,
                views: number("views", VideoColumn::Views)?,
                engaged_views: number("engaged_views", VideoColumn::EngagedViews)?,
            })
        })();
        let print = row.fields().fingerprint();
        let read = self.counted(Source::Videos, print, read)?;
        self.video_rows.push(print);
        let channel = self.channel_position(read.channel, row.cell(VideoColumn::ChannelName));
        if let Some(channel) = at_mut(&mut self.channels.entries, channel) {
            channel.video_rows = channel.video_rows.saturating_add(1);
        }
        let isrc = row.cell(VideoColumn::Isrc);
        let mut first: Option<(AssetId, u32)> = None;
        for (cell, custom_id) in row.assets() {
            let Ok(id) = AssetId::parse_bytes(cell) else { continue };
            let position = self.asset_position(id);
            if let Some(asset) = at_mut(&mut self.assets.entries, position) {
                asset.carry(Carrier::with(asset.carrier(), read.channel, &self.partners));
                let texts = OwnTexts([custom_id.unwrap_or_default(), b"", b"", isrc]);
                texts.add(asset, &mut self.strings);
            }
            if first.is_none_or(|(known, _)| id < known) {
                first = Some((id, position));
            }
        }
        self.keep_contested(row, &read);
        let published = days_since_first(row.cell(VideoColumn::Published));
        let position = self.videos.position(
            &self.hasher,
            read.id,
            |video| video.id,
            || VideoState {
                id: read.id,
                channel,
                asset: None,
                published,
                title: Text::EMPTY,
                views: Known::UNKNOWN,
                engaged_views: Known::UNKNOWN,
            },
        );
        let (assets, channels) = (&self.assets.entries, &self.channels.entries);
        let Some(video) = at_mut(&mut self.videos.entries, position) else { return Ok(()) };
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
        video.published = video.published.max(published);
        video.views = video.views.max(read.views);
        video.engaged_views = video.engaged_views.max(read.engaged_views);
        Ok(())
    }

    /// Keeps a partner's video that another owner claims. Beyond [`MAX_CONTESTED`] rows no more are kept.
    fn keep_contested(&mut self, row: &VideoRow<'_>, read: &VideoNumbers) {
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

struct VideoNumbers {
    id: VideoId,
    channel: ChannelId,
    views: Known,
    engaged_views: Known,
}
