//! What the scan of a video report adds to the memory of the process: for the report of the specification's size and
//! for one of a million rows of the same catalogue. The second must not need more than the first.

#![expect(clippy::print_stdout, reason = "what a bench has to say stands on stdout")]
#![expect(clippy::expect_used, reason = "a bench that cannot read its own report has nothing to measure")]

mod realistic;

use dn_domain::cleanup_plan::Scan;
use dn_domain::partner_channels::Filter;
use dn_domain::video_report::{ReportLine, VideoReport};

fn main() {
    let partners = realistic::partners();
    let idle = peak_kib();
    println!("idle: {idle} KiB");
    for rows in [38_412, 1_000_000] {
        let mut report =
            VideoReport::open("bench.csv", realistic::Report::new(rows, 1)).expect("the header is whole");
        let mut scan = Scan::new(&partners);
        while let Some(line) = report.next_row().expect("every row is good") {
            if let ReportLine::Row(row) = line {
                scan.take(&row).expect("every id is good");
            }
        }
        let gathered = scan.finish(&Filter::all());
        println!(
            "{rows} rows, {} assets: peak {} KiB above idle",
            gathered.assets.len(),
            peak_kib().saturating_sub(idle)
        );
    }
}

/// The most resident memory the process ever had.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells about every process");
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?.trim().parse().ok())
        .expect("the peak is among what it tells")
}
