//! How fast a video report is gone through: the whole scan beside the mere counting of line ends, which is as fast as
//! the bytes can be looked at.

#![expect(clippy::expect_used, reason = "a bench that cannot read its own report has nothing to measure")]

mod realistic;

use std::hint::black_box;
use std::io::Read as _;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dn_domain::cleanup_plan::{Scan, Taken};
use dn_domain::partner_channels::{Filter, PartnerChannels};
use dn_domain::video_report::{ReportLine, VideoReport};

fn scan(report: &[u8], partners: &PartnerChannels) -> usize {
    let mut report = VideoReport::open("bench.csv", report).expect("the header is whole");
    let mut scan = Scan::new(partners);
    let mut partner_rows = 0;
    while let Some(line) = report.next_row().expect("every row is good") {
        if let ReportLine::Row(row) = line
            && scan.take(&row).expect("every id is good") == Taken::Partner
        {
            partner_rows += 1;
        }
    }
    assert!(partner_rows > 0);
    scan.finish(&Filter::all()).assets.len()
}

fn rows(report: &[u8]) -> u64 {
    let mut report = VideoReport::open("bench.csv", report).expect("the header is whole");
    let mut rows = 0;
    while report.next_row().expect("every row is good").is_some() {
        rows += 1;
    }
    rows
}

fn bench(criterion: &mut Criterion) {
    let partners = realistic::partners();
    let mut group = criterion.benchmark_group("video_report_38412_rows");
    group.measurement_time(Duration::from_secs(5)).sample_size(20);
    for (name, partner_share) in [("third_partner_rows", 3), ("all_partner_rows", 1)] {
        let mut report = Vec::new();
        realistic::Report::new(38_412, partner_share).read_to_end(&mut report).expect("it is made in memory");
        group.throughput(Throughput::Bytes(report.len() as u64));
        group.bench_function(format!("scan/{name}"), |bencher| {
            bencher.iter(|| scan(black_box(&report), &partners));
        });
        if partner_share == 3 {
            group.bench_function("rows_alone", |bencher| bencher.iter(|| rows(black_box(&report))));
            group.bench_function("newline_count", |bencher| {
                bencher.iter(|| memchr::memchr_iter(b'\n', black_box(&report)).count());
            });
        }
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
