//! A video report as YouTube writes it, made row by row: 43 columns, about 330 bytes a row, titles with quotes, commas
//! and line breaks, some assets with several rows, some rows with lists, two rows in three of foreign channels.

use std::fmt::Write as _;
use std::io::{self, Read};

use dn_domain::partner_channels::{PartnerChannels, PartnerRecord};
use dn_domain::video_report::COLUMNS;

/// As many partner channels as the specification speaks of.
const PARTNER_COUNT: u64 = 372;
/// As many partner rows as a report has that the specification speaks of; beyond it the same rows come again, as they
/// do in a report by day and country, so that a longer report has no larger catalogue.
const PARTNER_ROWS: u64 = 38_412;

pub fn partners() -> PartnerChannels {
    PartnerChannels::build((0..PARTNER_COUNT).map(|number| PartnerRecord {
        channel_id: channel_id(number),
        custom_id: Some(format!("DN-{number:05}")),
        display_name: Some(format!("Partner {number}")),
    }))
}

fn channel_id(number: u64) -> String {
    format!("UC{number:022}")
}

/// A report of some rows, written while it is read: nothing of it is kept.
pub struct Report {
    rows: u64,
    next: u64,
    partner_share: u64,
    line: String,
    given: usize,
}

impl Report {
    /// Every `partner_share`-th row is of a partner channel.
    pub fn new(rows: u64, partner_share: u64) -> Self {
        let line = COLUMNS.join(",") + "\n";
        Self { rows, next: 0, partner_share, line, given: 0 }
    }

    fn write_row(&mut self) {
        let row = self.next;
        let is_partner = row.is_multiple_of(self.partner_share);
        let number = if is_partner { row / self.partner_share % PARTNER_ROWS } else { row };
        let channel = if is_partner { number % PARTNER_COUNT } else { 1_000_000 + number % 5_000 };
        let video = format!("v{number:010}");
        let asset = format!("A{:016}", number - number % 7 % 2);
        let custom_id = match number % 3 {
            0 => video.clone(),
            1 => format!("DN-{channel:05}"),
            _ => "by-hand".to_owned(),
        };
        let title = match number % 10 {
            0 => "\"Love, \"\"Live\"\" at Home\nPart 2\"".to_owned(),
            1 => "\"One, Two, Three\"".to_owned(),
            _ => format!("Song number {number} (Official Video)"),
        };
        self.line.clear();
        let _ = writeln!(
            self.line,
            "{video},{},Channel name {channel},2021-03-04,2021-03-05,{title},215,{},{},public,\
             https://www.youtube.com/watch?v={video},Music,Yes,Yes,All,Descriptive search,UGC,web,Yes,No,,Yes,\
             C{number:09},{asset},{custom_id},Monetize in all countries,,Yes,Yes,No,Yes,Yes,No,Yes,Yes,No,No,,,Yes,No,No,Not set",
            channel_id(channel),
            number * 37 % 1_000_000,
            number % 900,
        );
    }
}

impl Read for Report {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            if self.given == self.line.len() {
                if self.next == self.rows {
                    break;
                }
                self.write_row();
                self.next += 1;
                self.given = 0;
            }
            let rest = &self.line.as_bytes()[self.given..];
            let count = rest.len().min(buffer.len() - filled);
            buffer[filled..filled + count].copy_from_slice(&rest[..count]);
            filled += count;
            self.given += count;
        }
        Ok(filled)
    }
}
