//! The client of the Reporting API before the sandbox: which reports there are, and their files byte for byte.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dn_core::transport::{Authorization, Pace, Transport};
use dn_core::youtube::reporting::{ReportInfo, SCOPES};
use dn_core::youtube::{Credentials, Reporting, TokenCache};
use dn_sandbox::{CredentialKind, Fault, ReportFile, Service, WorldBuilder};
use dn_tests::Rehearsal;

const ASSETS: &str = "content_owner_asset_a3";

struct Bench {
    rehearsal: Rehearsal,
    client: Reporting,
}

impl Bench {
    async fn new(kind: CredentialKind) -> Self {
        let rehearsal = Rehearsal::of(WorldBuilder::new()).await.unwrap();
        let environment = rehearsal.environment();
        let stop = tokio_util::sync::CancellationToken::new();
        let credentials = Credentials::parse(&rehearsal.sandbox.credentials(kind)).unwrap();
        let patience = Duration::from_secs(20);
        let tokens = TokenCache::new(&credentials, Pace::persistent(patience), stop.clone())
            .await
            .unwrap()
            .for_scopes(&SCOPES);
        let transport =
            Transport::new(Authorization::Bearer(Arc::new(tokens)), Pace::unhurried(patience), stop).unwrap();
        let base = environment["YOUTUBE_REPORTING_BASE_URL"].parse().unwrap();
        let client = Reporting::new(transport, base, environment["YOUTUBE_CONTENT_OWNER"].clone());
        Self { rehearsal, client }
    }

    fn add(&self, id: &str, day: &str, created: &str, bytes: &[u8]) -> PathBuf {
        let path = self.rehearsal.directory().join(format!("{id}.report"));
        std::fs::write(&path, bytes).unwrap();
        let start: jiff::Timestamp = format!("{day}T08:00:00Z").parse().unwrap();
        self.rehearsal.sandbox.add_report(ReportFile {
            report_type: ASSETS.to_owned(),
            id: id.to_owned(),
            start,
            end: start + jiff::SignedDuration::from_hours(24),
            created: created.parse().unwrap(),
            path: path.clone(),
        });
        path
    }

    async fn reports(&self, types: &[&str]) -> Vec<ReportInfo> {
        self.client.reports(types, jiff::Timestamp::UNIX_EPOCH).await.unwrap()
    }

    async fn download(&self, report: &ReportInfo) -> Vec<u8> {
        let path = self.rehearsal.directory().join("downloaded");
        self.client.download(report, &path).await.unwrap();
        std::fs::read(&path).unwrap()
    }
}

fn packed(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[rstest::rstest]
#[case(CredentialKind::ServiceAccount)]
#[case(CredentialKind::AuthorizedUser)]
#[tokio::test(flavor = "multi_thread")]
async fn reports_are_found_by_type_over_all_pages_newest_made_first(#[case] kind: CredentialKind) {
    let bench = Bench::new(kind).await;
    bench.rehearsal.sandbox.add_report_job("content_owner_video_metadata_a3");
    for day in 10..15 {
        bench.add(&format!("r{day}"), &format!("2026-11-{day}"), &format!("2026-11-{day}T20:00:00Z"), b"x");
    }
    bench.add("r12-again", "2026-11-12", "2026-11-20T00:00:00Z", b"y");
    bench.rehearsal.sandbox.set_report_page_size(2);
    let ids: Vec<_> = bench.reports(&[ASSETS]).await.into_iter().map(|report| report.id).collect();
    assert_eq!(ids, ["r12-again", "r14", "r13", "r12", "r11", "r10"]);
    assert_eq!(bench.reports(&["content_owner_video_metadata_a3", "content_owner_none"]).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_comes_as_it_is_packed_or_plain() {
    let bench = Bench::new(CredentialKind::ServiceAccount).await;
    for bytes in [b"asset_id\nA1\n".to_vec(), packed("asset_id\nA1\n"), Vec::new()] {
        bench.add("r", "2026-11-10", "2026-11-11T00:00:00Z", &bytes);
        let report = bench.reports(&[ASSETS]).await.remove(0);
        assert_eq!(bench.download(&report).await, bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_breaks_off_goes_on_where_it_broke_off() {
    let bench = Bench::new(CredentialKind::ServiceAccount).await;
    let bytes: Vec<u8> = (0..2_000_000_u32).map(|number| (number % 251) as u8).collect();
    bench.add("r", "2026-11-10", "2026-11-11T00:00:00Z", &bytes);
    let report = bench.reports(&[ASSETS]).await.remove(0);
    bench.rehearsal.sandbox.faults().inject(Service::Reporting, "media.download", 3, Fault::HalfBody);
    assert!(bench.download(&report).await == bytes, "the bytes of the file, each once");
    let journal = bench.rehearsal.sandbox.journal().entries();
    let sent: u64 = journal
        .iter()
        .filter(|entry| entry.operation == "media.download")
        .map(|entry| entry.response_bytes)
        .sum();
    assert!(sent <= bytes.len() as u64, "what had come was not asked for again: {sent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_replaced_meanwhile_is_begun_anew() {
    let bench = Bench::new(CredentialKind::ServiceAccount).await;
    let path = bench.add("r", "2026-11-10", "2026-11-11T00:00:00Z", &vec![b'a'; 1_000_000]);
    let report = bench.reports(&[ASSETS]).await.remove(0);
    bench.rehearsal.sandbox.faults().inject(Service::Reporting, "media.download", 1, Fault::HalfBody);
    // Shorter than what has come: the range that is asked for then lies behind its end.
    let replace = async {
        // Noted once the half is in the server's hands.
        while bench.rehearsal.sandbox.journal().count(Service::Reporting, "media.download") == 0 {
            tokio::task::yield_now().await;
        }
        std::fs::write(&path, b"new").unwrap();
    };
    let (bytes, ()) = tokio::join!(bench.download(&report), replace);
    assert!(bytes == b"new", "{} bytes", bytes.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_not_sent_to_an_address_that_is_not_googles() {
    let bench = Bench::new(CredentialKind::ServiceAccount).await;
    bench.add("r", "2026-11-10", "2026-11-11T00:00:00Z", b"x");
    let mut report = bench.reports(&[ASSETS]).await.remove(0);
    for address in
        ["https://googleapis.com.evil.example/x", "http://www.googleapis.com/x", "https://127.0.0.1:1/x"]
    {
        report.download_url = address.parse().unwrap();
        let error = bench.client.download(&report, Path::new("/nowhere")).await.unwrap_err();
        assert!(error.to_string().contains("not sent"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_nothing_is_said_at_once() {
    let bench = Bench::new(CredentialKind::ServiceAccount).await;
    bench.add("r", "2026-11-10", "2026-11-11T00:00:00Z", b"x");
    let report = bench.reports(&[ASSETS]).await.remove(0);
    let error = bench.client.download(&report, Path::new("/dev/null/file")).await.unwrap_err();
    assert!(error.to_string().contains("/dev/null/file"), "{error}");
    assert_eq!(bench.rehearsal.sandbox.journal().count(Service::Reporting, "media.download"), 1);
}
