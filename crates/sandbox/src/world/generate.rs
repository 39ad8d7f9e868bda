//! A catalogue from a seed: channels, database, CMS and a video report of any length, written as it is made.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::world::maker::{Maker, Partner, letters};
use crate::world::report::ReportWriter;
use crate::world::titles::{HOSTILE_NAMES, OPENINGS};
use crate::world::truth::partners;
use crate::world::{SHEET_NAME, SheetChannel, StoredChannel, World, report_path};

/// How large a world is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Data rows of the channel sheet, about one in ninety of them a duplicate or blank.
    pub channels: usize,
    /// Rows of the video report.
    pub videos: usize,
}

impl Default for Size {
    /// The known environment: 372 channels, 38,412 rows.
    fn default() -> Self {
        Self { channels: 372, videos: 38_412 }
    }
}

/// Of the default report's 38,412 rows 38,000 are the partners'. A larger report has no more of them: a CMS report
/// grows by claims on other people's videos.
const DEFAULT_ROWS: usize = 38_412;
const DEFAULT_PARTNER_ROWS: usize = 38_000;
/// One sheet row in so many is a duplicate or blank: 4 of 372.
const SKIPPED_SHARE: usize = 93;
/// Partners that the database knows and the sheet does not.
const DATABASE_ONLY: usize = 3;
pub(super) fn generate(seed: u64, size: Size, dir: &Path) -> Result<World> {
    ensure!(size.channels > 0, "a world needs at least one channel");
    ensure!(size.videos > 0, "a world needs at least one row in its report");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let sheet_path = dir.join(SHEET_NAME);
    let report_path = report_path(dir);
    fs::create_dir_all(report_path.parent().context("the report has no folder")?)?;

    let channels = make_channels(&mut rng, size.channels);
    let sheet_rows = write_sheet(&sheet_path, &channels, size.channels)?;
    let stored = make_stored(&mut rng, &channels);
    let partners = partners(&channels, &stored);
    let names = partner_list(&channels, &stored);

    let partner_rows = (size.videos.min(DEFAULT_ROWS) * DEFAULT_PARTNER_ROWS).div_ceil(DEFAULT_ROWS);
    let mut report = ReportWriter::new(File::create(&report_path)?)?;
    let mut maker = Maker::new(rng, names);
    let mut partner_written = 0;
    let mut claimed_rows = 0;
    for row in 0..size.videos {
        // The partners' rows lie evenly among the others.
        if (row + 1) * partner_rows / size.videos > partner_written {
            let next = maker.partner_row(partner_rows - partner_written);
            maker.note(&next);
            report.write(&next)?;
            partner_written += 1;
        } else {
            report.write(&maker.claimed_row(claimed_rows))?;
            claimed_rows += 1;
        }
    }
    let report_rows = report.rows();
    report.finish()?;
    let Maker { assets, ledger, videos, .. } = maker;
    Ok(World {
        seed,
        sheet_path,
        report_path,
        truth: ledger.judge(&partners, &assets),
        channels,
        sheet_rows,
        stored,
        videos,
        report_rows,
        claimed_rows,
        assets,
    })
}

fn make_channels(rng: &mut ChaCha8Rng, sheet_rows: usize) -> Vec<SheetChannel> {
    let count = sheet_rows - sheet_rows / SKIPPED_SHARE;
    let mut channels: Vec<SheetChannel> = Vec::with_capacity(count);
    for number in 0..count {
        let custom_id = match channels.last() {
            // Some labels run two channels under one custom ID.
            Some(before) if number % 60 == 59 => before.custom_id.clone(),
            _ => match number % 5 {
                0 => format!("IND-{number:04}"),
                1 => format!("artist.{number}@label"),
                2 => format!("DN/{number}/main"),
                3 => format!("label_{:02}-artist_{number}", number % 17),
                _ => format!("{}{number}", letters(rng, 6).replace(['-', '_'], "x")),
            },
        };
        let display_name = match number % 37 {
            11 => HOSTILE_NAMES[(number / 37) % HOSTILE_NAMES.len()].to_owned(),
            23 => String::new(),
            _ => format!("{} Records {number}", OPENINGS[number % OPENINGS.len()]),
        };
        channels.push(SheetChannel {
            channel_id: format!("UC{}", letters(rng, 22)),
            custom_id,
            display_name,
        });
    }
    channels
}

/// The sheet as people export it: a BOM in front, a few rows twice, one left blank.
fn write_sheet(path: &Path, channels: &[SheetChannel], rows: usize) -> Result<u64> {
    let skipped = rows / SKIPPED_SHARE;
    let blank_after = if skipped > 0 { Some(channels.len() / 2) } else { None };
    let mut duplicates = skipped.saturating_sub(1);
    let mut file = File::create(path)?;
    file.write_all(b"\xef\xbb\xbf")?;
    let mut sheet = csv::Writer::from_writer(file);
    sheet.write_record(["channelID", "customID", "displayName"])?;
    let mut written = 0;
    for (number, channel) in channels.iter().enumerate() {
        let cells = [&channel.channel_id, &channel.custom_id, &channel.display_name];
        sheet.write_record(cells)?;
        written += 1;
        if duplicates > 0 && number % 7 == 5 {
            sheet.write_record(cells)?;
            written += 1;
            duplicates -= 1;
        }
        if blank_after == Some(number) {
            sheet.write_record(["", "", ""])?;
            written += 1;
        }
    }
    sheet.flush()?;
    Ok(written)
}

/// A database that was filled by hand over the years: half of it right, some of it old, some of it missing.
fn make_stored(rng: &mut ChaCha8Rng, channels: &[SheetChannel]) -> Vec<StoredChannel> {
    let mut stored = Vec::new();
    for (number, channel) in channels.iter().enumerate() {
        let display_name = Some(channel.display_name.clone()).filter(|name| !name.is_empty());
        let custom_id = match number % 20 {
            0..=9 => Some(channel.custom_id.clone()),
            10 | 11 => Some(format!("OLD-{number}")),
            12 => None,
            _ => continue,
        };
        // Records from before the suite have keys of their own.
        let id = if number % 4 == 1 {
            let digits: u128 = rng.random();
            let text = format!("{digits:032x}");
            format!("{}-{}-4{}-a{}-{}", &text[..8], &text[8..12], &text[13..16], &text[17..20], &text[20..])
        } else {
            channel.channel_id.clone()
        };
        stored.push(StoredChannel { id, channel_id: channel.channel_id.clone(), custom_id, display_name });
    }
    if channels.len() > 10 {
        for number in 0..DATABASE_ONLY {
            let channel_id = format!("UC{}", letters(rng, 22));
            stored.push(StoredChannel {
                id: channel_id.clone(),
                channel_id,
                custom_id: Some(format!("LEGACY-{number}")),
                display_name: Some(format!("Legacy partner {number}")),
            });
        }
    }
    stored
}

fn partner_list(channels: &[SheetChannel], stored: &[StoredChannel]) -> Vec<Partner> {
    let mut list: Vec<Partner> = channels
        .iter()
        .map(|channel| Partner {
            channel_id: channel.channel_id.clone(),
            custom_id: channel.custom_id.clone(),
            name: channel.display_name.clone(),
        })
        .collect();
    for record in stored.iter().filter(|record| record.id == record.channel_id) {
        if let Some(custom_id) = record.custom_id.as_ref().filter(|id| id.starts_with("LEGACY-")) {
            list.push(Partner {
                channel_id: record.channel_id.clone(),
                custom_id: custom_id.clone(),
                name: record.display_name.clone().unwrap_or_default(),
            });
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Kind;

    #[test]
    fn the_default_world_has_the_known_figures() {
        let dir = tempfile::tempdir().unwrap();
        let world = World::generate(1, Size::default(), dir.path()).unwrap();
        assert_eq!((world.sheet_rows, world.channels.len()), (372, 368));
        assert_eq!((world.report_rows, world.claimed_rows), (38_412, 412));
        let bytes = fs::metadata(&world.report_path).unwrap().len();
        assert!((300..360).contains(&(bytes / 38_412)), "{} bytes a row", bytes / 38_412);
        let counts = world.expected_counts();
        for kind in [Kind::Updated, Kind::AlreadyRight, Kind::SetByHand, Kind::Conflict] {
            assert!(counts.get(&kind).is_some_and(|count| *count > 100), "{kind:?}: {counts:?}");
        }
        for reason in ["gone", "merged", "forbidden", "artist_missing"] {
            assert!(counts.contains_key(&Kind::Refused(reason)), "{reason}: {counts:?}");
        }
        let mut rows = csv::Reader::from_path(&world.report_path).unwrap();
        assert_eq!(rows.headers().unwrap().len(), 43);
        let partners: std::collections::HashSet<Vec<u8>> = partner_list(&world.channels, &world.stored)
            .into_iter()
            .map(|p| p.channel_id.into_bytes())
            .collect();
        let of_partners =
            rows.byte_records().filter(|row| partners.contains(&row.as_ref().unwrap()[1])).count();
        assert_eq!(of_partners, 38_000);
    }

    #[test]
    fn one_seed_makes_one_world() {
        let read = |seed| {
            let dir = tempfile::tempdir().unwrap();
            let world = World::generate(seed, Size { channels: 40, videos: 2_000 }, dir.path()).unwrap();
            (fs::read(&world.sheet_path).unwrap(), fs::read(&world.report_path).unwrap(), world.truth)
        };
        assert_eq!(read(7), read(7));
        assert_ne!(read(7).1, read(8).1);
    }

    #[test]
    fn a_larger_report_grows_by_other_peoples_rows() {
        let dir = tempfile::tempdir().unwrap();
        let world = World::generate(1, Size { channels: 372, videos: 60_000 }, dir.path()).unwrap();
        assert_eq!((world.report_rows, world.claimed_rows), (60_000, 22_000));
    }

    #[test]
    fn the_smallest_world_is_one_channel_and_one_video() {
        let dir = tempfile::tempdir().unwrap();
        let world = World::generate(1, Size { channels: 1, videos: 1 }, dir.path()).unwrap();
        assert_eq!((world.sheet_rows, world.channels.len(), world.report_rows), (1, 1, 1));
    }
}
