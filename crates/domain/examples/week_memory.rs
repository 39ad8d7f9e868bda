//! How much memory the weekly comparison takes: two weeks of a large catalogue, gathered from streamed rows, the
//! first kept in a file and recalled, the second held against it and judged.
//!
//! `cargo run --release -p dn-domain --example week_memory -- [ASSETS] [VIDEOS] [CLAIMS]`, by default the 79,000,
//! 1,000,000 and 5,000,000 of the largest content owner planned for.

#![expect(clippy::print_stdout, reason = "what an example has to say stands on stdout")]
#![expect(clippy::expect_used, reason = "an example that cannot read its own report has nothing to show")]

use std::io::{self, Read, Write as _};

use dn_domain::asset_report::{AssetLine, AssetReport};
use dn_domain::claim_report::ClaimReport;
use dn_domain::claims::changes::compare;
use dn_domain::claims::quality::{Context, judge};
use dn_domain::claims::snapshot::{ClaimRows, Gather, Snapshot, Source, VideoRows};
use dn_domain::claims::week::Week;
use dn_domain::refusal::Refusal;
use dn_domain::table;
use dn_domain::video_report::VideoReport;

fn main() {
    let mut sizes = std::env::args().skip(1).map(|size| size.parse::<u64>().expect("a number"));
    let assets = sizes.next().unwrap_or(79_000);
    let videos = sizes.next().unwrap_or(1_000_000);
    let claims = sizes.next().unwrap_or(5_000_000);
    println!("{assets} assets, {videos} videos, {claims} claims; idle: {} MiB", peak_mib());
    let last = Week::parse("2026-11-09").expect("a Monday");
    let file = std::env::temp_dir().join(format!("week_memory_{}", std::process::id()));
    let to = std::fs::File::create(&file).expect("a temporary file");
    gather(last, assets, videos, claims, 0).keep(to).expect("room for a week");
    let bytes = std::fs::metadata(&file).expect("the file that was written").len();
    println!("one week gathered, and kept in {} MiB: peak {} MiB", bytes >> 20, peak_mib());
    let now = gather(last.plus(1), assets, videos, claims, claims / 100);
    let before = Snapshot::recall(std::fs::File::open(&file).expect("the same file")).expect("the same week");
    std::fs::remove_file(&file).expect("a file of our own");
    println!("two weeks at hand: peak {} MiB", peak_mib());
    let changes = compare(&before, &now);
    let context = Context { dates: &hashbrown::HashMap::new(), is_partner: &|_| false, rpm: None };
    let verdict = judge(&now, Some(&before), &context);
    println!(
        "compared: {} changes, {:?}, {} findings: peak {} MiB",
        changes.rows.len(),
        changes.claims_total,
        verdict.findings.len(),
        peak_mib()
    );
}

/// A week in which the claims begin at a number, so that some are gone and some are new.
fn gather(week: Week, assets: u64, videos: u64, claims: u64, first_claim: u64) -> Snapshot {
    let grown = u64::from(first_claim > 0);
    let mut gather = Gather::new(week, []);
    let header = "asset_id,custom_id,asset_title,artist,isrc,asset_type,active_claims,approx_daily_views";
    let rows = Rows::new(header, assets, |n, row| {
        write!(
            row,
            "A{n:015},label-{},A title of usual length {n},Artist {},USABC26{n:05},SOUND_RECORDING,{},{}",
            n % 372,
            n % 9_000,
            n % 64 + grown,
            n % 5_000
        )
    });
    let mut report = AssetReport::open("assets.csv", rows).expect("the header is whole");
    gather.begin(Source::Assets, &report.missing_columns());
    while let Some(line) = report.next_row().expect("every row is good") {
        if let AssetLine::Row(row) = line {
            gather.asset(&row).expect("every cell is good");
        }
    }
    let header =
        "video_id,channel_id,channel_display_name,video_title,views,engaged_views,asset_id,custom_id";
    let rows = Rows::new(header, videos, |n, row| {
        let views = n % 100_000 * (10 + grown) / 10;
        write!(
            row,
            "{n:011},UC{:022},Channel {},Some artist - a title of the usual length (official video) {n},{views},{},A{:015},label-{}",
            n % 372,
            n % 372,
            views / 2,
            n % assets,
            n % 372
        )
    });
    let mut report = VideoReport::open("videos.csv", rows).expect("the header is whole");
    gather.begin(Source::Videos, &report.missing_columns());
    let (columns, reader) = (report.columns().clone(), gather.row_reader());
    let mut lot = VideoRows::default();
    while filled(&mut lot.rows, |rows| report.next_rows(rows)) {
        lot.read(&columns, &reader);
        gather.videos(&lot, &columns, |_, _| Err(())).expect("every cell is good");
    }
    // Five claims for each uploader and some forty for each reference.
    let header = "claim_id,channel_id,asset_id,video_id,reference_id,claim_status,claim_origin,views,longest_match,claim_created_date";
    let rows = Rows::new(header, claims, move |n, row| {
        let n = n + first_claim;
        write!(
            row,
            "claim{n:011},UC{:022},A{:015},{n:011},ref{:08},ACTIVE,ID_MATCH,{},{},2026-11-17",
            n / 5 + 1_000,
            n % assets,
            n % (claims / 40 + 1),
            n % 1_000,
            n % 200
        )
    });
    let mut report = ClaimReport::open("claims.csv", rows).expect("the header is whole");
    gather.begin(Source::Claims, &report.missing_columns());
    gather.expect_claims(claims * CLAIM_BYTES);
    let (columns, reader) = (report.columns().clone(), gather.row_reader());
    let mut lot = ClaimRows::default();
    while filled(&mut lot.rows, |rows| report.next_rows(rows)) {
        lot.read(&columns, &reader);
        gather.claims(&mut lot, &columns, |_, _| Err(())).expect("every cell is good");
    }
    gather.finish()
}

/// About the length of a row of claims as they are made here.
const CLAIM_BYTES: u64 = 125;

/// Whether there are more rows.
fn filled(rows: &mut table::Rows, fill: impl FnOnce(&mut table::Rows) -> Result<(), Refusal>) -> bool {
    fill(rows).expect("every row is good");
    !rows.is_empty()
}

/// Rows made while they are read, so that the report itself takes no memory.
struct Rows<F> {
    make: F,
    next: u64,
    count: u64,
    pending: Vec<u8>,
    given: usize,
}

impl<F: Fn(u64, &mut Vec<u8>) -> io::Result<()>> Rows<F> {
    fn new(header: &str, count: u64, make: F) -> Self {
        Self { make, next: 0, count, pending: format!("{header}\n").into_bytes(), given: 0 }
    }
}

impl<F: Fn(u64, &mut Vec<u8>) -> io::Result<()>> Read for Rows<F> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.given == self.pending.len() && self.next < self.count {
            self.pending.clear();
            self.given = 0;
            (self.make)(self.next, &mut self.pending)?;
            self.pending.push(b'\n');
            self.next += 1;
        }
        let count = to.len().min(self.pending.len() - self.given);
        to[..count].copy_from_slice(&self.pending[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}

/// The most resident memory the process ever had.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells about every process");
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
        .expect("the peak is among what it tells")
        / 1024
}
