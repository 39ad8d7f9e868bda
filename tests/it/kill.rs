//! kill -9: whatever a cleanup was doing, running again until it ends by itself leaves what an undisturbed run leaves.
//!
//! The points are drawn from a seed: before anything was read, in the middle of each reading, right after the plan was
//! kept, between and during the writes, after the last one, before the event. A request that is held open by the
//! sandbox was neither carried out nor answered; so kills happen with a full window of writes under way too.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use dn_core::transport::wait;
use dn_sandbox::{Asset, Fault, Kind, Match, ReportRow, Service, Standing, WorldBuilder};
use dn_tests::{Rehearsal, Run, command};
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

/// What the points and the worlds follow from.
const SEED: u64 = 20_261_123;
/// With so many kills in each of so many worlds, once with the state in a directory and once in the object store, there
/// are 50.
const WORLDS: u64 = 5;
const KILLS: usize = 5;
const MAX_IN_FLIGHT: u64 = 8;
/// Slow enough that a point is met to a write or two, fast enough that a world takes a second.
const RATE_PER_SECOND: u64 = 150;
/// The lease of the runs that are killed: the next one waits it out.
const LEASE: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_mins(1);
/// Assets that must be written to; more than all kills of a world can come to.
const WRITTEN: u64 = 150;
/// The first writes are read back before the rest begins; see `--canary`.
const CANARY: u64 = 25;
const CHANNELS: [(&str, &str); 3] = [
    ("UCaaaaaaaaaaaaaaaaaaaaaa", "artist-one"),
    ("UCbbbbbbbbbbbbbbbbbbbbbb", "artist-two"),
    ("UCcccccccccccccccccccccc", "artist-three"),
];

/// Where a run is killed.
#[derive(Debug, Clone, Copy)]
enum Point {
    /// The lock is taken.
    Locked,
    /// The partner channels were asked for.
    PartnerChannels,
    /// The report was asked for.
    Report,
    /// So many reads of live values were answered and the rest was not.
    LiveValues(u64),
    /// The plan is in the run folder.
    PlanKept,
    /// So many writes were answered; how many more are, the moment decides.
    Writes(u64),
    /// So many writes were answered, and a full window of them was sent and was not carried out.
    WritesUnderWay(u64),
    /// Every asset has its value.
    AllWritten,
    /// Everything is done, and nobody was told.
    Event,
}

fn points(rng: &mut ChaCha8Rng) -> Vec<Point> {
    let early = |rng: &mut ChaCha8Rng| match rng.random_range(0..5) {
        0 => Point::Locked,
        1 => Point::PartnerChannels,
        2 => Point::Report,
        3 => Point::LiveValues(rng.random_range(0..4)),
        _ => Point::PlanKept,
    };
    let mut points = vec![
        early(rng),
        early(rng),
        Point::Writes(rng.random_range(1..40)),
        Point::WritesUnderWay(rng.random_range(0..40)),
    ];
    points.shuffle(rng);
    points.push(match rng.random_range(0..3) {
        0 => Point::AllWritten,
        1 => Point::Event,
        _ => Point::Writes(rng.random_range(1..30)),
    });
    assert_eq!(points.len(), KILLS);
    points
}

/// Partner assets of every kind; of the refused ones only where `refused` says so.
fn world(rng: &mut ChaCha8Rng, refused: bool) -> WorldBuilder {
    let world = CHANNELS.iter().fold(WorldBuilder::new(), |world, (channel, custom_id)| {
        world.channel(channel, custom_id, "A channel").stored(
            channel,
            channel,
            Some(custom_id),
            Some("A channel"),
        )
    });
    (1..=WRITTEN + 16).fold(world, |world, number| {
        let (asset, video) = (format!("A{number:016}"), format!("vid{number:08}"));
        let (channel, custom_id) = CHANNELS[rng.random_range(0..CHANNELS.len())];
        let value = match number.saturating_sub(WRITTEN) {
            0 if rng.random_bool(0.3) => "",
            1..=6 => "set-by-hand",
            7..=10 => custom_id,
            _ => &video,
        };
        let mut live = Asset::web(&asset, value);
        if rng.random_bool(0.2) {
            live = live.of_type("sound_recording").by(&["Somebody"]);
        }
        if number > WRITTEN + 13 && refused {
            live = live.standing(Standing::Foreign);
        }
        let views = rng.random_range(0..10_000);
        world.row(ReportRow::new(&video, channel).asset(&asset, value).viewed(views)).asset(live)
    })
}

/// One world, its runs, and what every asset was written so far.
struct Ordeal {
    rehearsal: Rehearsal,
    environment: BTreeMap<String, String>,
    /// The state folder as it lies on this disk.
    state: PathBuf,
    report_key: String,
    /// The assets that a write is meant for; of the others it is known that every run tries them in vain.
    to_be_written: BTreeSet<String>,
    /// The journal before the run that is under way.
    mark: usize,
    /// Which run sent an asset's last write.
    last_sent_by: HashMap<String, usize>,
    /// Of the writes that a run sent, so many were sent again by a later one.
    sent_again: Vec<u64>,
}

impl Ordeal {
    async fn begin(seed: u64, in_s3: bool) -> Result<(Self, Vec<Point>)> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let rehearsal = Rehearsal::of(world(&mut rng, (seed / 2).is_multiple_of(2))).await?;
        let mut environment = rehearsal.environment();
        environment.insert("MAX_IN_FLIGHT".to_owned(), MAX_IN_FLIGHT.to_string());
        let state = if in_s3 {
            let uri = rehearsal.sandbox.state_in_s3();
            let below = uri.strip_prefix("s3://").context("the bucket")?.to_owned();
            environment.insert("STATE_URI".to_owned(), uri);
            rehearsal.sandbox.dir().join("s3").join(below)
        } else {
            environment.get("STATE_URI").context("STATE_URI")?.into()
        };
        let report = environment["VIDEO_REPORT_URI"].splitn(4, '/').last().context("the report")?.to_owned();
        let truth = rehearsal.sandbox.world().truth.iter();
        let to_be_written =
            truth.filter(|(_, end)| end.kind == Kind::Updated).map(|(id, _)| id.clone()).collect();
        let ordeal = Self {
            rehearsal,
            environment,
            state,
            report_key: report,
            to_be_written,
            mark: 0,
            last_sent_by: HashMap::new(),
            sent_again: Vec::new(),
        };
        Ok((ordeal, points(&mut rng)))
    }

    /// Runs the cleanup up to the point and kills it there.
    async fn kill_at(&mut self, point: Point) -> Result<()> {
        let mut environment = self.environment.clone();
        environment.insert("LOCK_LEASE".to_owned(), format!("{}s", LEASE.as_secs()));
        environment.insert("RATE_PER_SECOND".to_owned(), RATE_PER_SECOND.to_string());
        let log = self.rehearsal.directory().join("killed.log");
        let before = self.seen(point);
        self.hold_at(point);
        let deadline = Instant::now() + PATIENCE;
        'locked: loop {
            let mut command = command("cms-customid-cleanup", &environment, &["--json"])?;
            let mut child = command.stdout(File::create(&log)?).stderr(File::create(&log)?).spawn()?;
            while !self.is_reached(point, before) {
                if let Some(status) = child.try_wait()? {
                    if status.code() == Some(11) {
                        continue 'locked;
                    }
                    bail!("ended with {status} before {point:?}: {}", fs::read_to_string(&log)?);
                }
                ensure!(Instant::now() < deadline, "{point:?} was not reached");
                wait(Duration::from_millis(1)).await;
            }
            // SIGKILL.
            child.kill()?;
            let status = child.wait()?;
            ensure!(status.code().is_none(), "{point:?}: the run was over with {status}");
            break;
        }
        self.rehearsal.sandbox.faults().clear();
        wait(LEASE).await;
        self.account()
    }

    /// Runs the cleanup until it comes to an end of its own.
    async fn complete(&mut self) -> Result<Run> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let run = dn_tests::run("cms-customid-cleanup", &self.environment, &["--json"]).await?;
            if run.code != Some(11) {
                self.account()?;
                return Ok(run);
            }
            ensure!(Instant::now() < deadline, "the dead run's lock was never free");
        }
    }

    fn hold_at(&self, point: Point) {
        let (service, requests) = match point {
            Point::PartnerChannels => (Service::AppSync, Match::operation("listChannels")),
            Point::Report => (Service::S3, Match::operation("GetObject").id(&self.report_key)),
            Point::LiveValues(read) => (Service::YouTube, Match::operation("assets.list").after(read)),
            Point::WritesUnderWay(sent) => (Service::YouTube, Match::operation("assets.patch").after(sent)),
            Point::Event => (Service::EventBridge, Match::operation("PutEvents")),
            Point::Locked | Point::PlanKept | Point::Writes(_) | Point::AllWritten => return,
        };
        self.rehearsal.sandbox.faults().inject(service, requests, 1_000, Fault::Stall);
    }

    /// What grows until the point is reached.
    fn seen(&self, point: Point) -> u64 {
        let journal = self.rehearsal.sandbox.journal();
        match point {
            Point::Locked => {
                let lock = fs::read(self.state.join("cms-customid-cleanup/lock.json")).unwrap_or_default();
                let lock: serde_json::Value = serde_json::from_slice(&lock).unwrap_or_default();
                lock["fence"].as_u64().unwrap_or_default()
            }
            Point::PartnerChannels => journal.count(Service::AppSync, "listChannels"),
            Point::Report => {
                let entries = journal.entries().into_iter();
                entries.filter(|entry| entry.ids.contains(&self.report_key)).count() as u64
            }
            Point::LiveValues(_) => journal.count(Service::YouTube, "assets.list"),
            Point::PlanKept => plans(&self.state.join("cms-customid-cleanup/runs")),
            Point::Writes(_) | Point::WritesUnderWay(_) => journal.count(Service::YouTube, "assets.patch"),
            Point::AllWritten => {
                let written: BTreeSet<String> =
                    self.rehearsal.sandbox.writes().into_iter().map(|write| write.asset_id).collect();
                u64::from(self.to_be_written.is_subset(&written))
            }
            Point::Event => journal.count(Service::EventBridge, "PutEvents"),
        }
    }

    fn is_reached(&self, point: Point, before: u64) -> bool {
        let more = match point {
            Point::LiveValues(read) => read + 1,
            Point::Writes(sent) => sent,
            // No write after the canary is sent before it was read back.
            Point::WritesUnderWay(sent) if sent < CANARY => CANARY.min(sent + MAX_IN_FLIGHT),
            Point::WritesUnderWay(sent) => sent + MAX_IN_FLIGHT,
            _ => 1,
        };
        // All values may have been there before.
        self.seen(point) >= if matches!(point, Point::AllWritten) { 1 } else { before + more }
    }

    /// Notes what the last run sent, and what of it an earlier one had sent already.
    fn account(&mut self) -> Result<()> {
        let run = self.sent_again.len();
        self.sent_again.push(0);
        let journal = self.rehearsal.sandbox.journal();
        let sent = journal.since(self.mark);
        self.mark += sent.len();
        for id in sent.iter().filter(|entry| entry.operation == "assets.patch").flat_map(|entry| &entry.ids) {
            if !self.to_be_written.contains(id) {
                continue;
            }
            if let Some(earlier) = self.last_sent_by.insert(id.clone(), run) {
                ensure!(earlier != run, "{id} was written twice by one run");
                self.sent_again[earlier] += 1;
                let again = self.sent_again[earlier];
                ensure!(
                    again <= MAX_IN_FLIGHT,
                    "{again} writes of the run killed as number {earlier} were repeated"
                );
            }
        }
        Ok(())
    }

    fn values(&self) -> BTreeMap<String, Option<String>> {
        let value = |id: &String| self.rehearsal.sandbox.asset(id).and_then(|asset| asset.custom_id);
        self.rehearsal.sandbox.world().assets.keys().map(|id| (id.clone(), value(id))).collect()
    }
}

/// Runs whose plan is in their folder.
fn plans(runs: &Path) -> u64 {
    let folders = fs::read_dir(runs).into_iter().flatten().filter_map(Result::ok);
    folders.filter(|folder| folder.path().join("plan.jsonl").exists()).count() as u64
}

async fn endure(seed: u64, in_s3: bool) -> Result<()> {
    let (mut undisturbed, _) = Ordeal::begin(seed, in_s3).await?;
    let expected = undisturbed.complete().await?;
    let (mut ordeal, points) = Ordeal::begin(seed, in_s3).await?;
    for (place, point) in points.iter().enumerate() {
        ordeal.kill_at(*point).await.with_context(|| format!("kill {place} of {points:?}"))?;
    }
    let run = ordeal.complete().await?;
    for (point, sent_again) in points.iter().zip(&ordeal.sent_again) {
        // What was not carried out has to be sent again: otherwise nothing was counted here.
        ensure!(*sent_again > 0 || !matches!(point, Point::WritesUnderWay(_)), "{points:?}: {sent_again}");
    }
    ensure!(matches!(run.code, Some(0 | 3)) && run.code == expected.code, "after {points:?}: {run:?}");
    let score = ordeal.rehearsal.sandbox.score()?;
    ensure!(score.is_perfect(), "after {points:?}: {score:?}");
    ensure!(ordeal.values() == undisturbed.values(), "after {points:?} the CMS is another than without");
    let mut values: HashMap<String, BTreeSet<Option<String>>> = HashMap::new();
    for write in ordeal.rehearsal.sandbox.writes() {
        values.entry(write.asset_id).or_default().insert(write.new);
    }
    ensure!(values.values().all(|values| values.len() == 1), "after {points:?}: two values: {values:?}");
    // Who reads what is there before writing repeats no write that was carried out.
    ensure!(score.assets.repeated_writes == 0, "after {points:?}: {score:?}");
    let told = ordeal.rehearsal.events("CMS Custom ID Cleanup Completed").len();
    ensure!(told == 1 && ordeal.rehearsal.sandbox.events().len() == 1, "after {points:?}: {told} events");
    Ok(())
}

#[rstest::rstest]
#[case::with_its_state_in_a_directory(false)]
#[case::with_its_state_in_s3(true)]
#[tokio::test(flavor = "multi_thread")]
async fn p03_a_cleanup_killed_anywhere_is_completed_by_running_again(#[case] in_s3: bool) {
    let mut worlds = tokio::task::JoinSet::new();
    for world in 0..WORLDS {
        let seed = SEED + 2 * world + u64::from(in_s3);
        worlds.spawn(async move { (seed, endure(seed, in_s3).await) });
    }
    while let Some(ended) = worlds.join_next().await {
        let (seed, ended) = ended.unwrap();
        if let Err(error) = ended {
            panic!("seed {seed}: {error:#}");
        }
    }
}

fn run_ids(ordeal: &Ordeal) -> Vec<String> {
    let runs = fs::read_dir(ordeal.state.join("cms-customid-cleanup/runs")).unwrap();
    let mut ids: Vec<String> =
        runs.map(|run| run.unwrap().file_name().to_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn p03_what_a_killed_run_wrote_can_be_undone_and_a_killed_undo_is_completed_by_undoing_again() {
    let (mut ordeal, _) = Ordeal::begin(SEED, false).await.unwrap();
    let before = ordeal.values();
    ordeal.kill_at(Point::WritesUnderWay(60)).await.unwrap();
    let written = ordeal.rehearsal.sandbox.write_count();
    assert_eq!(written, 60);
    let killed = run_ids(&ordeal).remove(0);
    let undo = ["undo", "--run", killed.as_str(), "--json"];

    let mut environment = ordeal.environment.clone();
    environment.insert("LOCK_LEASE".to_owned(), format!("{}s", LEASE.as_secs()));
    environment.insert("RATE_PER_SECOND".to_owned(), RATE_PER_SECOND.to_string());
    let mut child = loop {
        let mut command = command("cms-customid-cleanup", &environment, &undo).unwrap();
        let (out, log) = (std::process::Stdio::null(), std::process::Stdio::null());
        let mut child = command.stdout(out).stderr(log).spawn().unwrap();
        while ordeal.rehearsal.sandbox.write_count() < written + 20 && child.try_wait().unwrap().is_none() {
            wait(Duration::from_millis(1)).await;
        }
        if child.try_wait().unwrap().is_none() {
            break child;
        }
    };
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None);
    wait(LEASE).await;

    let run = loop {
        let run = dn_tests::run("cms-customid-cleanup", &ordeal.environment, &undo).await.unwrap();
        if run.code != Some(11) {
            break run;
        }
    };
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(ordeal.values(), before);
    assert_eq!(ordeal.rehearsal.sandbox.write_count(), 2 * written, "each was taken back once");
    let summary = run.summary().unwrap();
    assert_eq!(summary["failedCount"], json!(0), "{summary}");
}
