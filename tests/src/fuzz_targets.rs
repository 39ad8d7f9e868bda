//! What is asked of every reader of foreign bytes, whatever the bytes are.
//!
//! A target takes bytes, reads them and asserts what must hold of anything that was read. `fuzz/` hands it what a fuzzer
//! makes up, and a test of this package what lies below `fixtures/fuzz/`: seeds made by hand, and finds of old.

#![expect(clippy::expect_used, reason = "what must not fail is asserted: a panic is how a fuzzer is told")]

use std::collections::BTreeSet;
use std::io::Read;
use std::time::{Duration, Instant, SystemTime};

use cms_customid_cleanup::trigger::{Gate, gate};
use dn_core::fuzzing;
use dn_core::graphql::WriteOutcome;
use dn_core::task::{Environment, Problems};
use dn_core::transport::backoff::{RETRY_AFTER_CAP, retry_after};
use dn_core::transport::{Answer, Verdict};
use dn_core::youtube::content_id::{Echo, LiveAnswer};
use dn_domain::asset_report::{AssetLine, AssetReport};
use dn_domain::channel_sheet::{self, ChannelSheet};
use dn_domain::claim_report::{ClaimLine, ClaimReport};
use dn_domain::claims::viral::{Counting, Detector, read_panel};
use dn_domain::cleanup_plan::carry_out::{Outcome, OutcomeWord, not_written, read_outcomes};
use dn_domain::cleanup_plan::{
    Decision, Gathered, Live, LiveAsset, PlanLine, Policy, Replay, Scan, UNDO, decide, decide_from_report,
    replay,
};
use dn_domain::custom_id::CustomId;
use dn_domain::id::AssetId;
use dn_domain::partner_channels::{PartnerChannels, PartnerRecord};
use dn_domain::platform_mapping::{AnalyticsFile, AnalyticsLine, Mapping, Mappings};
use dn_domain::refusal::Refusal;
use dn_domain::reject_sheet::RejectSheet;
use dn_domain::video_report::{ReportLine, VideoReport};
use serde_json::Value;

/// A target: its name, which is that of its seeds' folder, and what it asks.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 16] = [
    ("channel_sheet", channel_sheet),
    ("video_report", video_report),
    ("claim_report", claim_report),
    ("asset_report", asset_report),
    ("plan_line", plan_line),
    ("outcomes", outcomes),
    ("trigger", trigger),
    ("retry_after", retry_after_header),
    ("asset_list", asset_list),
    ("write_answer", write_answer),
    ("google_error", google_error),
    ("channel_page", channel_page),
    ("channel_batch", channel_batch),
    ("token", token),
    ("panel", panel),
    ("platforms", platforms),
];

/// Asks one target by its name.
pub fn ask(name: &str, bytes: &[u8]) {
    if let Some((_, target)) = TARGETS.iter().find(|(own, _)| *own == name) {
        target(bytes);
    }
}

// ---- Sheets and reports: lines and counts, and the same whatever pieces the bytes come in.

/// The bytes in small pieces of changing size, as a network gives them.
struct Pieces<'a> {
    rest: &'a [u8],
    size: usize,
}

impl<'a> Pieces<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, size: bytes.len() % 5 }
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.size = self.size % 5 + 1;
        let count = self.size.min(self.rest.len()).min(into.len());
        into[..count].copy_from_slice(&self.rest[..count]);
        self.rest = &self.rest[count..];
        Ok(count)
    }
}

/// Physical lines, a CR LF being one end, counted in the plainest way.
fn physical_lines(bytes: &[u8]) -> u64 {
    let ends = bytes.iter().enumerate().filter(|(position, byte)| match byte {
        b'\r' => true,
        b'\n' => *position == 0 || bytes[position - 1] != b'\r',
        _ => false,
    });
    1 + ends.count() as u64
}

/// Rows as they come: each later than the one before, and none outside of the file.
struct Order {
    lines: u64,
    last: (u64, u64),
}

impl Order {
    fn of(bytes: &[u8]) -> Self {
        Self { lines: physical_lines(bytes), last: (0, 1) }
    }

    fn meet(&mut self, record: u64, line: u64) {
        assert!(record > self.last.0, "record {record} after {}", self.last.0);
        assert!(line > self.last.1 && line <= self.lines, "line {line} of {}", self.lines);
        self.last = (record, line);
    }
}

fn check_refusal(refusal: &Refusal, bytes: &[u8]) {
    assert!(refusal.line.is_none_or(|line| (1..=physical_lines(bytes)).contains(&line)), "{refusal:?}");
    check_message(&refusal.to_string());
}

/// What a message may hold: one line, and not the whole of what came in.
fn check_message(text: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
    assert!(text.len() < 64 * 1024, "{} bytes of message", text.len());
}

fn channel_sheet(bytes: &[u8]) {
    let read = channel_sheet::read("sheet.csv", bytes);
    let again = channel_sheet::read("sheet.csv", Pieces::of(bytes));
    let told = |read: &Result<ChannelSheet, Refusal>| read.as_ref().map_err(ToString::to_string).cloned();
    assert_eq!(told(&read), told(&again), "read in pieces");
    let sheet = match read {
        Ok(sheet) => sheet,
        Err(refusal) => return check_refusal(&refusal, bytes),
    };
    let sum =
        sheet.rows.len() as u64 + sheet.rejects.len() as u64 + sheet.duplicate_count + sheet.blank_count;
    assert_eq!(sum, sheet.total_count);
    let channels: BTreeSet<_> = sheet.rows.iter().map(|row| row.channel_id).collect();
    assert_eq!(channels.len(), sheet.rows.len(), "a channel stands in two rows");
    for row in &sheet.rows {
        assert_eq!(row.fields.len(), sheet.headers.len());
        assert!(CustomId::parse(row.custom_id.as_str()).is_ok());
    }
    let mut order = Order::of(bytes);
    let rows = sheet.rows.iter().map(|row| (row.record, row.line));
    let mut places: Vec<_> = rows.chain(sheet.rejects.iter().map(|row| (row.record, row.line))).collect();
    places.sort_unstable();
    for (record, line) in places {
        assert!(record <= sheet.total_count);
        order.meet(record, line);
    }
    sheet.rejects.iter().for_each(|reject| check_message(&reject.reason));
    sheet.warnings.iter().for_each(|warning| check_message(warning));
    check_rejects(&sheet);
}

/// The rejects, fed back as they are, are all rejected again: not one has become a good row on its way.
fn check_rejects(sheet: &ChannelSheet) {
    if sheet.rejects.is_empty() {
        return;
    }
    let written = RejectSheet::new(Vec::new(), &sheet.headers).and_then(|mut file| {
        for reject in &sheet.rejects {
            file.write(&reject.fields, reject.code, &reject.reason)?;
        }
        file.finish()
    });
    let written = written.expect("writing to memory");
    let again = channel_sheet::read("rejects.csv", written.as_slice()).expect("the rejects are a sheet");
    assert_eq!(again.rows, [], "{}", String::from_utf8_lossy(&written));
    assert_eq!(again.rejects.len(), sheet.rejects.len(), "{}", String::from_utf8_lossy(&written));
}

const PARTNERS: [(&str, Option<&str>); 3] = [
    ("UCalpha00000000000000000", Some("artist-alpha")),
    ("UCbravo00000000000000000", Some("artist-bravo")),
    ("UCcharlie000000000000000", None),
];

fn partners() -> PartnerChannels {
    PartnerChannels::build(PARTNERS.map(|(channel_id, custom_id)| PartnerRecord {
        channel_id: channel_id.to_owned(),
        custom_id: custom_id.map(str::to_owned),
        display_name: None,
    }))
}

/// Scans a report to its end, row by row.
fn scan(source: impl Read, partners: &PartnerChannels, order: &mut Order) -> Result<Gathered, Refusal> {
    let mut report = VideoReport::open("report.csv", source)?;
    let columns = report.headers().len();
    let mut scan = Scan::new(partners);
    let mut rows = 0;
    while let Some(line) = report.next_row()? {
        match line {
            ReportLine::Row(row) => {
                rows += 1;
                order.meet(row.record(), row.line());
                assert_eq!(row.fields().len(), columns);
                assert!(row.assets().all(|(asset, _)| !asset.is_empty()));
                if let Err(reject) = scan.take(&row) {
                    check_message(&reject.reason);
                }
            }
            ReportLine::Bad(bad) => {
                order.meet(bad.record(), bad.line());
                assert_ne!(bad.cells().len(), columns);
            }
        }
    }
    let filter = partners.filter("all").expect("no limit");
    let gathered = scan.finish(&filter);
    assert_eq!(gathered.stats.rows, rows);
    Ok(gathered)
}

fn video_report(bytes: &[u8]) {
    let partners = partners();
    let read = scan(bytes, &partners, &mut Order::of(bytes));
    let again = scan(Pieces::of(bytes), &partners, &mut Order::of(bytes));
    let told = |read: &Result<Gathered, Refusal>| match read {
        Ok(Gathered { assets, without_asset, stats }) => format!("{assets:?} {without_asset:?} {stats:?}"),
        Err(refusal) => refusal.to_string(),
    };
    assert_eq!(told(&read), told(&again), "read in pieces");
    let Gathered { assets, stats, .. } = match read {
        Ok(gathered) => gathered,
        Err(refusal) => return check_refusal(&refusal, bytes),
    };
    assert_eq!(stats.rows, stats.partner_rows + stats.foreign_rows);
    let of_partners = [stats.duplicate_rows, stats.rows_without_asset];
    assert!(of_partners.iter().all(|kind| *kind <= stats.partner_rows), "{stats:?}");
    // A row whose channel cannot be read is rejected too, and no partner's.
    assert!(stats.rejected_rows <= stats.rows, "{stats:?}");
    assert!(stats.partner_assets <= assets.len() as u64 + stats.unreadable_assets, "{stats:?}");
    let ids: BTreeSet<AssetId> = assets.iter().map(|entry| entry.asset_id).collect();
    assert_eq!(ids.len(), assets.len(), "an asset stands in two entries");
    for entry in &assets {
        for policy in [Policy::FillDefault, Policy::Enforce] {
            for custom_id in [None, Some("by-hand"), Some("artist-alpha"), Some("vid00000001")] {
                let live =
                    LiveAsset { asset_id: entry.asset_id, asset_type: Some("web"), custom_id, artists: &[] };
                let live = Live::Found(live);
                let decision = decide(entry, &partners, policy, &live);
                // What the report alone settles is not settled otherwise by a conflict that the live read would find.
                if let Some(settled @ Decision::Conflict { .. }) =
                    decide_from_report(entry, &partners, policy)
                {
                    assert_eq!(settled, decision);
                }
                let Decision::Update(update) = decision else { continue };
                assert_ne!(update.old.as_deref(), Some(update.new.as_str()));
                assert!(policy == Policy::Enforce || custom_id != Some("by-hand"), "{update:?}");
                let planned = PlanLine::new(entry, &partners, &update, Some("etag"));
                let read_back = PlanLine::from_json(&planned.to_json().expect("a line"));
                assert_eq!(read_back.ok().as_ref(), Some(&planned));
                assert_eq!(replay(&planned, &live), Replay::Write(planned));
            }
        }
    }
}

/// Reads a platform file to its end: what each row says, or what is wrong with it.
fn told(mappings: &Mappings, source: impl Read, order: &mut Order) -> Result<Vec<String>, Refusal> {
    // A name that tells a week, to those who look for its first day and to those who look for its last.
    let mut file = AnalyticsFile::open(mappings, "songs-2026-11-16_2026-11-22.csv", source)?;
    let columns = file.headers().len();
    let mut told = vec![file.mapping().unwrap_or("the normal form").to_owned()];
    while let Some(line) = file.next_row()? {
        match line {
            AnalyticsLine::Row(row) => {
                order.meet(row.record(), row.line());
                assert_eq!(row.fields().len(), columns);
                let before = told.len();
                let read = row.values(|value| told.push(format!("{value:?}")));
                match read {
                    Ok(()) => assert!(told.len() > before, "a row without a value is none"),
                    Err(fault) => {
                        assert_eq!(told.len(), before, "a row with a fault gave something away");
                        check_message(&fault.to_string());
                        told.push(fault.to_string());
                    }
                }
            }
            AnalyticsLine::Bad(bad) => {
                order.meet(bad.record(), bad.line());
                assert_ne!(bad.cells().len(), columns);
            }
        }
    }
    Ok(told)
}

/// A platform file; where it has a NUL byte, a user's mapping stands before that.
fn platforms(bytes: &[u8]) {
    let mut mappings = Mappings::built_in().expect("what is built in can be read");
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let (first, second) = (parts.next().unwrap_or_default(), parts.next());
    if second.is_some() {
        let text = String::from_utf8_lossy(first);
        match Mapping::parse("own.toml", &text) {
            Ok(mapping) => {
                mappings = mappings.with([("own.toml", &*text)]).expect("it was read before");
                assert!(mappings.names().any(|name| name == mapping.name));
            }
            Err(fault) => check_message(&fault.to_string()),
        }
    }
    let bytes = second.unwrap_or(first);
    let read = told(&mappings, bytes, &mut Order::of(bytes));
    let again = told(&mappings, Pieces::of(bytes), &mut Order::of(bytes));
    match (&read, &again) {
        (Ok(read), Ok(again)) => assert_eq!(read, again, "read in pieces"),
        (Err(read), Err(again)) => assert_eq!(read.to_string(), again.to_string()),
        _ => panic!("read in pieces: {read:?} {again:?}"),
    }
    if let Err(refusal) = read {
        check_refusal(&refusal, bytes);
    }
}

fn claim_report(bytes: &[u8]) {
    let count = |source| ClaimReport::open("claims.csv", source)?.count();
    let again = ClaimReport::open("claims.csv", Pieces::of(bytes)).and_then(ClaimReport::count);
    let read: Result<_, Refusal> = count(bytes);
    match (&read, &again) {
        (Ok(read), Ok(again)) => assert_eq!(read, again, "read in pieces"),
        (Err(read), Err(again)) => assert_eq!(read.to_string(), again.to_string()),
        _ => panic!("read in pieces: {read:?} {again:?}"),
    }
    let counts = match read {
        Ok(counts) => counts,
        Err(refusal) => return check_refusal(&refusal, bytes),
    };
    for by in [&counts.by_status, &counts.by_type] {
        assert_eq!(by.values().sum::<u64>(), counts.claims);
        for key in by.keys() {
            check_message(key);
        }
    }
    assert_eq!(counts.by_channel.values().sum::<u64>(), counts.claims);
    let mut report = ClaimReport::open("claims.csv", bytes).expect("it was read before");
    let (mut order, mut rows) = (Order::of(bytes), 0);
    while let Some(line) = report.next_row().expect("it was read before") {
        rows += 1;
        match line {
            ClaimLine::Row(row) => order.meet(row.record(), row.line()),
            ClaimLine::Bad(bad) => order.meet(bad.record(), bad.line()),
        }
    }
    assert_eq!(rows, counts.claims + counts.bad_rows);
}

fn panel(bytes: &[u8]) {
    let panel = match (read_panel("panel.csv", bytes), read_panel("panel.csv", Pieces::of(bytes))) {
        (Ok(panel), Ok(again)) => {
            assert_eq!((panel.len(), panel.groups()), (again.len(), again.groups()), "read in pieces");
            panel
        }
        (Err(refusal), Err(again)) => {
            assert_eq!(refusal.to_string(), again.to_string());
            return check_refusal(&refusal, bytes);
        }
        (read, again) => panic!("read in pieces: {} {}", read.is_ok(), again.is_ok()),
    };
    let mut detector = Detector::new(panel.groups(), Counting::Reported, 1.0);
    for counts in panel.weeks() {
        assert_eq!(counts.len(), panel.len());
        for cell in detector.step(counts).cells {
            assert!(cell.score.is_finite() && !counts[cell.series].is_nan(), "{cell:?}");
        }
    }
}

fn asset_report(bytes: &[u8]) {
    let read = AssetReport::open("assets.csv", bytes).and_then(AssetReport::count);
    let again = AssetReport::open("assets.csv", Pieces::of(bytes)).and_then(AssetReport::count);
    match (&read, &again) {
        (Ok(read), Ok(again)) => assert_eq!(read, again, "read in pieces"),
        (Err(read), Err(again)) => assert_eq!(read.to_string(), again.to_string()),
        _ => panic!("read in pieces: {read:?} {again:?}"),
    }
    let counts = match read {
        Ok(counts) => counts,
        Err(refusal) => return check_refusal(&refusal, bytes),
    };
    assert_eq!(counts.by_type.values().sum::<u64>(), counts.assets);
    let mut report = AssetReport::open("assets.csv", bytes).expect("it was read before");
    let (mut order, mut rows, mut claims) = (Order::of(bytes), 0, 0_u64);
    while let Some(line) = report.next_row().expect("it was read before") {
        rows += 1;
        match line {
            AssetLine::Row(row) => {
                order.meet(row.record(), row.line());
                if let (Ok(_), Ok(own)) = (row.asset_id(), row.active_claims()) {
                    claims = claims.saturating_add(own);
                }
            }
            AssetLine::Bad(bad) => order.meet(bad.record(), bad.line()),
        }
    }
    assert_eq!(rows, counts.assets + counts.bad_rows);
    assert_eq!(claims, counts.active_claims);
}

// ---- What an earlier run left behind.

/// Takes a line of a plan, and after it the custom ID that its asset has now.
fn plan_line(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (written, now) = text.split_once('\n').unwrap_or((&text, ""));
    let line = match PlanLine::from_json(written) {
        Ok(line) => line,
        Err(error) => return check_message(&error.to_string()),
    };
    let json = line.to_json().expect("a line that was read is written");
    assert!(!json.contains('\n'), "{json}");
    assert_eq!(PlanLine::from_json(&json).expect("a line that was written is read"), line);
    let new = line.new.as_deref().unwrap_or_default();
    assert!(line.reason == UNDO || CustomId::parse(new).is_ok(), "{new:?} is planned");
    let undo = line.reversed();
    let written = undo.to_json().expect("a line");
    assert_eq!(PlanLine::from_json(&written).expect("what takes a line back is a line"), undo);
    assert_eq!(PlanLine { reason: line.reason.clone(), ..undo.reversed() }, line);

    let with_value = |custom_id| {
        Live::Found(LiveAsset { asset_id: line.asset_id, asset_type: Some("web"), custom_id, artists: &[] })
    };
    let found = Some(now).filter(|now| !now.trim().is_empty());
    match replay(&line, &with_value(Some(now))) {
        Replay::Write(_) => {
            assert_eq!(found, line.old.as_deref(), "written over somebody's value");
            assert_ne!(found, line.new.as_deref());
        }
        Replay::AlreadyRight => assert_eq!(found, line.new.as_deref()),
        Replay::ChangedSince { found: told } => {
            assert_eq!(told.as_deref(), found);
            assert!(found != line.old.as_deref() && found != line.new.as_deref());
        }
        Replay::Reject { code, reason } => panic!("{code}: {reason}"),
    }
}

fn outcomes(bytes: &[u8]) {
    let Ok(read) = read_outcomes(bytes) else { return };
    let failed = not_written(read.clone());
    assert!(failed.iter().all(|asset| read.iter().any(|outcome| outcome.asset_id == *asset)));
    let again: String = read.iter().map(|outcome| outcome.to_json().expect("it was JSON") + "\n").collect();
    assert_eq!(read_outcomes(again.as_bytes()).expect("it was read before"), read);
    let written_after_all = failed.iter().map(|asset| Outcome {
        asset_id: *asset,
        outcome: OutcomeWord::Updated,
        new: None,
        code: None,
        reason: None,
    });
    let later = not_written(read.into_iter().chain(written_after_all));
    assert!(later.is_empty(), "the later line counts");
}

// ---- What starts a run.

fn trigger(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    // Anything else is the name of a file.
    if !text.trim_start().starts_with('{') {
        return;
    }
    let mut problems = Problems::default();
    let gated = gate(Some(&text), &Environment::default(), &mut problems);
    assert_eq!(gated.is_none(), !problems.list().is_empty(), "{gated:?} {problems:?}");
    assert_ne!(gated, Some(Gate::Manual), "an event is nobody's hand");
    let Some(Gate::Go { event_id, .. }) = gated else { return };
    let Ok(event) = serde_json::from_str::<Value>(&text) else { return };
    let detail = match &event["detail"] {
        Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
        detail => detail.clone(),
    };
    assert_eq!(event["source"], "dn.backend.channelbackfill");
    assert_eq!(event["detail-type"], "Channel Backfill Completed");
    assert_eq!(detail["status"], "success");
    assert_eq!(event_id.as_deref(), event["id"].as_str());
}

// ---- What servers answer.

/// Takes `SECONDS` since 1970 on a line, and after it the header's value.
fn retry_after_header(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (now, value) = text.split_once('\n').unwrap_or(("0", &text));
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now.parse::<u32>().unwrap_or(0).into());
    let wait = retry_after(value, now);
    assert!(wait.is_none_or(|wait| !wait.is_zero() && wait <= RETRY_AFTER_CAP), "{wait:?}");
    if let Ok(seconds) = value.parse::<u32>() {
        let meant = Duration::from_secs(seconds.into()).min(RETRY_AFTER_CAP);
        assert_eq!(wait.unwrap_or_default(), meant);
    }
    check_verdicts(&fuzzing::google_error(&fuzzing::answer(503, value.as_bytes(), b"")));
}

/// Takes a status and a `Retry-After` on a line, and after it the body.
fn answer(bytes: &[u8]) -> Answer {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (head, body) = end.map_or((&b""[..], bytes), |end| (&bytes[..end], &bytes[end + 1..]));
    let (status, wait) = head.split_at(head.len().min(3));
    let status = std::str::from_utf8(status).ok().and_then(|status| status.parse().ok());
    fuzzing::answer(status.unwrap_or(200), wait.trim_ascii(), body)
}

fn is_success(answer: &Answer) -> bool {
    (200..300).contains(&answer.status)
}

/// The body as it is written, where it is JSON that has one meaning.
fn body(answer: &Answer) -> Option<Value> {
    serde_json::from_slice(&answer.body).ok()
}

fn check_verdict(verdict: &Verdict) {
    match verdict {
        Verdict::Transient { reason, retry_after } | Verdict::RateLimited { reason, retry_after } => {
            check_message(reason);
            assert!(retry_after.is_none_or(|wait| wait <= RETRY_AFTER_CAP));
        }
        Verdict::Refused { code, reason } => {
            check_message(code);
            check_message(reason);
            assert!(code.len() < 1_000, "{} bytes of code", code.len());
        }
        verdict => check_message(&format!("{verdict:?}")),
    }
}

fn check_verdicts(verdicts: &[Verdict]) {
    verdicts.iter().for_each(check_verdict);
}

const ASSETS: [&str; 3] = ["A1000000000000001", "A1000000000000002", "oldAsset_-1"];

fn asset_list(bytes: &[u8]) {
    let answer = answer(bytes);
    let ids = ASSETS.map(|id| AssetId::parse(id).expect("an id"));
    let live = match fuzzing::asset_list(&answer, &ids) {
        Ok(live) => live,
        Err(verdict) => {
            assert_ne!(verdict, Verdict::Success);
            return check_verdict(&verdict);
        }
    };
    assert!(is_success(&answer));
    assert_eq!(live.len(), ids.len(), "an answer for each id");
    let Some(body) = body(&answer) else { return };
    let kind = body["kind"].as_str().unwrap_or_default().to_lowercase();
    assert!(kind.ends_with("#assetlist"), "{kind:?} is taken for a list");
    let items: Vec<&Value> = body["items"].as_array().into_iter().flatten().collect();
    for (id, answered) in &live {
        let speaks_of = items.iter().filter(|item| item["id"] == id.as_str());
        let values: Vec<Option<&str>> = speaks_of
            .map(|item| item["metadataMine"]["customId"].as_str().filter(|value| !value.is_empty()))
            .collect();
        match answered {
            LiveAnswer::Found { custom_id, .. } => {
                assert!(values.contains(&custom_id.as_deref()), "{custom_id:?} of {values:?}");
            }
            LiveAnswer::Merged { into } => {
                assert!(values.is_empty());
                assert!(items.iter().any(|item| item["id"] == into.as_str()), "{into}");
            }
            LiveAnswer::Gone => assert!(values.is_empty(), "{id} is there"),
        }
    }
}

fn write_answer(bytes: &[u8]) {
    let answer = answer(bytes);
    let asset = AssetId::parse(ASSETS[0]).expect("an id");
    for new in ["artist-one", ""] {
        match fuzzing::echo(&answer, asset, new) {
            Err(verdict) => {
                assert_ne!(verdict, Verdict::Success);
                check_verdict(&verdict);
            }
            Ok(Echo::Written) => {
                assert!(is_success(&answer));
                let Some(body) = body(&answer) else { continue };
                assert_eq!(body["id"], ASSETS[0]);
                assert_eq!(body["metadataMine"]["customId"].as_str().unwrap_or_default(), new);
            }
            Ok(_) => assert!(is_success(&answer)),
        }
    }
}

fn google_error(bytes: &[u8]) {
    let answer = answer(bytes);
    let verdicts = fuzzing::google_error(&answer);
    check_verdicts(&verdicts);
    for verdict in &verdicts {
        assert_eq!(*verdict == Verdict::Success, is_success(&answer), "{verdict:?}");
        assert_eq!(matches!(verdict, Verdict::Unauthorized { .. }), answer.status == 401, "{verdict:?}");
        let is_quota = matches!(verdict, Verdict::QuotaExhausted { .. } | Verdict::RateLimited { .. });
        assert!(!is_quota || matches!(answer.status, 403 | 429), "{verdict:?}");
        let may_pass = matches!(answer.status, 408 | 425 | 500..=599);
        assert!(may_pass || !matches!(verdict, Verdict::Transient { .. }), "{verdict:?}");
    }
    let [_, write] = verdicts;
    // One asset that is not ours does not end a run.
    let is_ours = answer.status == 403 && matches!(write, Verdict::Fatal { .. });
    let text = String::from_utf8_lossy(&answer.body);
    // Whoever writes the word with escapes means it all the same.
    assert!(!is_ours || text.contains("serviceAccountNotAllowed") || text.contains('\\'), "{write:?}");
}

/// Whether a GraphQL answer has an error anywhere.
fn has_errors(body: &Value) -> bool {
    !matches!(&body["errors"], Value::Null) && body["errors"].as_array().is_none_or(|list| !list.is_empty())
}

fn channel_page(bytes: &[u8]) {
    let answer = answer(bytes);
    let (channels, next_token) = match fuzzing::channel_page(&answer) {
        Ok(page) => page,
        Err(verdict) => {
            assert_ne!(verdict, Verdict::Success);
            return check_verdict(&verdict);
        }
    };
    assert!(is_success(&answer));
    let Some(body) = body(&answer) else { return };
    assert!(!has_errors(&body), "a list with an error in it is used");
    let page = &body["data"]["listChannels"];
    let items = page["items"].as_array().expect("a list without a list is used");
    assert_eq!(channels.len(), items.len(), "a channel of the list is missing");
    for (channel, item) in channels.iter().zip(items) {
        assert_eq!(item["channelId"], channel.channel_id);
        assert_eq!(item["customId"].as_str(), channel.custom_id.as_deref());
    }
    assert_eq!(page["nextToken"].as_str(), next_token.as_deref());
}

fn channel_batch(bytes: &[u8]) {
    const ROWS: usize = 3;
    let answer = answer(bytes);
    let outcomes = match fuzzing::channel_batch(&answer, ROWS) {
        Ok(outcomes) => outcomes,
        Err(verdict) => {
            assert_ne!(verdict, Verdict::Success);
            return check_verdict(&verdict);
        }
    };
    assert!(is_success(&answer));
    assert_eq!(outcomes.len(), ROWS, "an outcome for each row");
    let Some(body) = body(&answer) else { return };
    let errors: Vec<&Value> = body["errors"].as_array().into_iter().flatten().collect();
    assert!(errors.iter().all(|error| error["path"][0].is_string()), "the whole request was refused");
    for (row, outcome) in outcomes.iter().enumerate() {
        let alias = format!("w{row}");
        let is_refused = errors.iter().any(|error| error["path"][0] == alias.as_str());
        match outcome {
            Some(WriteOutcome::Written) => {
                assert!(!is_refused && !body["data"][&alias].is_null(), "{alias} was not written");
            }
            Some(WriteOutcome::ConditionFailed) => assert!(is_refused),
            Some(WriteOutcome::Failed { code, reason }) => {
                assert!(is_refused);
                check_message(code);
                check_message(reason);
            }
            None => assert!(is_refused || body["data"][&alias].is_null()),
        }
    }
}

fn token(bytes: &[u8]) {
    let answer = answer(bytes);
    let read = fuzzing::token(&answer);
    let secret = body(&answer).and_then(|body| body["access_token"].as_str().map(str::to_owned));
    match read {
        Ok(renewed) => {
            assert!(is_success(&answer));
            let after = renewed.expect("a success has a token");
            assert!(Instant::now().checked_add(after).is_some(), "{after:?} is no time");
            assert!(secret.is_none_or(|secret| !secret.is_empty()));
        }
        Err(verdict) => {
            assert_ne!(verdict, Verdict::Success);
            check_verdict(&verdict);
            // Long enough to be in no sentence of ours.
            if let Some(secret) = secret.filter(|secret| secret.len() >= 20) {
                assert!(
                    !is_success(&answer) || !format!("{verdict:?}").contains(&secret),
                    "a token is shown"
                );
            }
        }
    }
}
