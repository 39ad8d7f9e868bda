//! Bringing the servers up over a world, and looking into them while tasks use them.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use crate::appsync::store::{Model, RecordStore};
use crate::appsync::{AppSync, AppSyncSchema};
use crate::clock::Clock;
use crate::eventbridge::bus::{Bus, Delivery};
use crate::eventbridge::runner::{Invocation, Runner};
use crate::eventbridge::template::Workflow;
use crate::fault::{Faults, Profile};
use crate::journal::Journal;
use crate::s3::ObjectStore;
use crate::score::Score;
use crate::signature::{ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY};
use crate::wire::{Play, serve};
use crate::world::{REPORT_BUCKET, REPORT_KEY, Size, StoredChannel, StoredVideo, World};
use crate::youtube::content_id::{AssetState, Catalogue, ContentId, Write};
use crate::youtube::credentials::{CredentialKind, SigningKey, credential_json};
use crate::youtube::tokens::{TokenBook, TokenServer};

/// The content owner that the played account may act for.
const CONTENT_OWNER: &str = "SandboxContentOwner";
/// The API key of the GraphQL endpoint.
const GRAPHQL_API_KEY: &str = "da2-sandboxsandboxsandboxsandb";
/// A bucket for tasks that keep their state in the object store.
const STATE_BUCKET: &str = "sandbox-state";

/// What a sandbox is made of.
#[derive(Debug, Clone)]
pub struct Options {
    /// Everything that is random follows from it.
    pub seed: u64,
    /// Data rows of the channel sheet.
    pub channels: usize,
    /// Rows of the video report.
    pub videos: usize,
    /// How the services behave.
    pub profile: Profile,
    /// Where the input files, the database, the buckets and the logs go.
    pub dir: PathBuf,
    /// The CloudFormation template with the bus and its rules.
    pub workflow: PathBuf,
    /// The SDL of the data API.
    pub schema: PathBuf,
    /// Where the binaries of the tasks are; without it a rule's task does not start.
    pub bin_dir: Option<PathBuf>,
}

/// The running servers.
///
/// They have a runtime of their own, so that a test may pause its clock or block its thread.
pub struct Sandbox {
    runtime: Option<Runtime>,
    options: Options,
    world: World,
    clock: Clock,
    journal: Arc<Journal>,
    faults: Arc<Faults>,
    records: Arc<RecordStore>,
    catalogue: Arc<Catalogue>,
    tokens: Arc<TokenBook>,
    bus: Arc<Bus>,
    runner: Arc<Runner>,
    key: &'static SigningKey,
    addresses: Addresses,
    stop: CancellationToken,
}

#[derive(Debug, Clone, Copy)]
struct Addresses {
    appsync: SocketAddr,
    youtube: SocketAddr,
    token: SocketAddr,
    s3: SocketAddr,
    eventbridge: SocketAddr,
}

impl Sandbox {
    /// Makes the world of the options and brings the servers up over it.
    pub async fn start(options: Options) -> Result<Self> {
        let runtime = runtime()?;
        let (seed, dir) = (options.seed, options.dir.clone());
        let size = Size { channels: options.channels, videos: options.videos };
        let world = runtime
            .spawn_blocking(move || {
                fs::create_dir_all(&dir)?;
                World::generate(seed, size, &dir)
            })
            .await??;
        Self::start_on(runtime, options, world).await
    }

    /// Brings the servers up over a world that was made below `options.dir`; the options' size counts for nothing.
    pub async fn start_with(options: Options, world: World) -> Result<Self> {
        Self::start_on(runtime()?, options, world).await
    }

    async fn start_on(runtime: Runtime, options: Options, world: World) -> Result<Self> {
        let clock = Clock::start();
        let dir = &options.dir;
        for folder in ["state", "export", "s3/sandbox-state"] {
            fs::create_dir_all(dir.join(folder))?;
        }
        let journal = Arc::new(Journal::create(&dir.join("journal.jsonl"))?);
        let faults = Arc::new(Faults::new(options.profile, options.seed));
        let records = Arc::new(RecordStore::open(&dir.join("appsync.sqlite"))?);
        for channel in &world.stored {
            put_channel(&records, channel)?;
        }
        for video in &world.videos {
            put_video(&records, video)?;
        }
        let catalogue =
            Arc::new(Catalogue::new(world.assets.clone(), world.claimed_rows, CONTENT_OWNER, clock));
        let tokens = Arc::new(TokenBook::new(options.profile.token_life()));
        let key = SigningKey::shared()?;
        let stop = CancellationToken::new();
        let runner = Arc::new(Runner::new(options.bin_dir.clone(), dir.join("tasks"), clock, stop.clone())?);
        let bus = Arc::new(Bus::new(Workflow::read(&options.workflow)?, Arc::clone(&runner))?);
        let appsync = AppSync {
            schema: AppSyncSchema::read(&options.schema)?,
            records: Arc::clone(&records),
            api_key: GRAPHQL_API_KEY.to_owned(),
        };
        let content_id = ContentId { catalogue: Arc::clone(&catalogue), tokens: Arc::clone(&tokens) };
        let token_server = TokenServer { book: Arc::clone(&tokens), key };
        let objects = ObjectStore::new(dir.join("s3"), dir.join("s3-incoming"))?;

        let plays: [Arc<dyn Play>; 5] = [
            Arc::new(appsync),
            Arc::new(content_id),
            Arc::new(token_server),
            Arc::new(objects),
            Arc::clone(&bus) as Arc<dyn Play>,
        ];
        let (faults_too, journal_too, stop_too) = (Arc::clone(&faults), Arc::clone(&journal), stop.clone());
        let addresses = runtime
            .spawn(async move {
                let mut addresses = Vec::new();
                for play in plays {
                    let (faults, journal) = (Arc::clone(&faults_too), Arc::clone(&journal_too));
                    addresses.push(serve(play, faults, journal, clock, stop_too.clone()).await?);
                }
                std::io::Result::Ok(addresses)
            })
            .await??;
        let [appsync, youtube, token, s3, eventbridge] = addresses[..] else {
            bail!("not every server came up");
        };
        let sandbox = Self {
            runtime: Some(runtime),
            addresses: Addresses { appsync, youtube, token, s3, eventbridge },
            options,
            world,
            clock,
            journal,
            faults,
            records,
            catalogue,
            tokens,
            bus,
            runner,
            key,
            stop,
        };
        sandbox.runner.set_task_env(sandbox.env());
        Ok(sandbox)
    }

    /// What a task needs in its environment to find these servers, and nothing else.
    pub fn env(&self) -> BTreeMap<String, String> {
        let at = self.addresses;
        let below = |name: &str| self.options.dir.join(name).to_string_lossy().into_owned();
        [
            ("GRAPHQL_ENDPOINT", format!("http://{}/graphql", at.appsync)),
            ("GRAPHQL_API_KEY", GRAPHQL_API_KEY.to_owned()),
            ("EVENT_BUS_NAME", self.bus.name().to_owned()),
            ("YOUTUBE_CONTENT_OWNER", CONTENT_OWNER.to_owned()),
            ("YOUTUBE_CREDENTIALS", self.credentials(CredentialKind::ServiceAccount)),
            ("YOUTUBE_API_BASE_URL", format!("http://{}/youtube/partner/v1", at.youtube)),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ENDPOINT_URL_S3", format!("http://{}", at.s3)),
            ("AWS_ENDPOINT_URL_EVENTBRIDGE", format!("http://{}", at.eventbridge)),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("CHANNELS_CSV", self.world.sheet_path.to_string_lossy().into_owned()),
            ("VIDEO_REPORT_URI", format!("s3://{REPORT_BUCKET}/{REPORT_KEY}")),
            ("STATE_URI", below("state")),
            ("EXPORT_DIR", below("export")),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    /// The `STATE_URI` of a folder in the object store, for tasks that are to keep their state there.
    pub fn state_in_s3(&self) -> String {
        format!("s3://{STATE_BUCKET}/state")
    }

    /// The credential JSON of one kind, as `YOUTUBE_CREDENTIALS` takes it.
    pub fn credentials(&self, kind: CredentialKind) -> String {
        credential_json(kind, &format!("http://{}", self.addresses.token), self.key).to_string()
    }

    /// Adds to the environment of tasks that a rule starts from now on, as a task definition would.
    pub fn set_task_env(&self, name: impl Into<String>, value: impl Into<String>) {
        self.runner.set_task_env([(name.into(), value.into())]);
    }

    /// The world as it was made.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The folder of the input files, the database, the buckets and the logs.
    pub fn dir(&self) -> &std::path::Path {
        &self.options.dir
    }

    /// Every request since the start.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The faults to come.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Milliseconds since the servers came up, on the journal's clock.
    pub fn elapsed_ms(&self) -> u64 {
        self.clock.elapsed_ms()
    }

    /// The database's channels now, by record id.
    pub fn channels(&self) -> Result<Vec<StoredChannel>> {
        let records = self.records.all(Model::Channel).map_err(|why| anyhow::anyhow!("{why:?}"))?;
        Ok(records.iter().map(channel_of).collect())
    }

    /// Puts a record into the database, in place of the one with its id.
    pub fn set_channel(&self, channel: &StoredChannel) -> Result<()> {
        put_channel(&self.records, channel)
    }

    /// Takes a record out of the database; says whether it was there.
    pub fn delete_channel(&self, id: &str) -> Result<bool> {
        self.records.delete(Model::Channel, id).map_err(|why| anyhow::anyhow!("{why:?}"))
    }

    /// An asset of the CMS now.
    pub fn asset(&self, id: &str) -> Option<AssetState> {
        self.catalogue.asset(id)
    }

    /// Puts an asset into the CMS, in place of the one with its id.
    pub fn set_asset(&self, asset: AssetState) {
        self.catalogue.put(asset);
    }

    /// Sets an asset's custom ID as somebody in the CMS would; says whether there is such an asset.
    pub fn set_asset_custom_id(&self, id: &str, custom_id: Option<&str>) -> bool {
        self.catalogue.set_custom_id(id, custom_id.map(str::to_owned))
    }

    /// The writes that the CMS applied, in order.
    pub fn writes(&self) -> Vec<Write> {
        self.catalogue.writes()
    }

    /// How many writes the CMS applied.
    pub fn write_count(&self) -> usize {
        self.catalogue.write_count()
    }

    /// Ends the life of every access token handed out so far.
    pub fn expire_tokens(&self) {
        self.tokens.expire_all();
    }

    /// The events as they are on the bus, in order.
    pub fn events(&self) -> Vec<Value> {
        self.bus.events()
    }

    /// What reached the rules' targets, tasks included.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.bus.deliveries()
    }

    /// Delivers an event once more, or one of the test's own making: `{id, source, detail-type, detail, time}`.
    pub fn publish(&self, event: Value) {
        // A rule's task is started on the servers' runtime.
        let _entered = self.runtime.as_ref().map(Runtime::enter);
        self.bus.publish(self.bus.name(), event);
    }

    /// The tasks that rules started, in order.
    pub fn invocations(&self) -> Vec<Invocation> {
        self.runner.invocations().into_iter().filter(|one| !one.rule.is_empty()).collect()
    }

    /// Starts a task's binary as an operator would, with the environment that tasks have here, and gives its place
    /// for [`Sandbox::started_task`].
    pub fn start_task(&self, container: &str, arguments: &[&str]) -> usize {
        let _entered = self.runtime.as_ref().map(Runtime::enter);
        self.runner.start_by_hand(container, arguments)
    }

    /// How a task that was started by hand stands now.
    pub fn started_task(&self, place: usize) -> Option<Invocation> {
        self.runner.invocations().get(place).cloned()
    }

    /// Starts a task's binary by hand and waits for its end; fails after `limit`.
    pub async fn run_task(&self, container: &str, arguments: &[&str], limit: Duration) -> Result<Invocation> {
        let place = self.start_task(container, arguments);
        let all =
            self.wait_until(limit, move |all| all.get(place).is_some_and(|one| !one.is_running())).await?;
        all.into_iter().nth(place).context("the task was not started")
    }

    /// Waits until no started task runs any more; fails after `limit`.
    pub async fn wait_for_idle(&self, limit: Duration) -> Result<Vec<Invocation>> {
        self.wait_until(limit, |invocations| invocations.iter().all(|one| !one.is_running())).await?;
        Ok(self.invocations())
    }

    /// Waits until the rules have started `count` tasks and these have ended; fails after `limit`.
    pub async fn wait_invocation(&self, count: usize, limit: Duration) -> Result<Vec<Invocation>> {
        self.wait_until(limit, move |invocations| {
            invocations.iter().filter(|one| !one.rule.is_empty() && !one.is_running()).count() >= count
        })
        .await?;
        Ok(self.invocations())
    }

    async fn wait_until(
        &self,
        limit: Duration,
        reached: impl Fn(&[Invocation]) -> bool + Send + Sync + 'static,
    ) -> Result<Vec<Invocation>> {
        let runner = Arc::clone(&self.runner);
        let mut changes = runner.changes();
        let waiting = async move {
            let reach = async {
                loop {
                    changes.mark_unchanged();
                    let invocations = runner.invocations();
                    if reached(&invocations) {
                        return invocations;
                    }
                    if changes.changed().await.is_err() {
                        return runner.invocations();
                    }
                }
            };
            tokio::time::timeout(limit, reach).await
        };
        // On the servers' runtime: the caller's clock may be paused.
        let runtime = self.runtime.as_ref().context("the sandbox was stopped")?;
        let reached = runtime.spawn(waiting).await?;
        reached.map_err(|_| anyhow::anyhow!("the started tasks did not end within {limit:?}"))
    }

    /// Compares what is there now with what must be there once both tasks ran.
    pub fn score(&self) -> Result<Score> {
        Ok(Score::new(&self.world, &self.channels()?, &self.catalogue))
    }

    /// Ends the servers and what they started, and brings the journal's file up to date.
    pub async fn stop(mut self) {
        self.stop.cancel();
        // Whoever does not end within this time is ended with the runtime.
        let _late = self.wait_for_idle(Duration::from_secs(5)).await;
        self.journal.flush();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.cancel();
        self.journal.flush();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn runtime() -> Result<Runtime> {
    Ok(Builder::new_multi_thread().worker_threads(2).thread_name("sandbox").enable_all().build()?)
}

fn put_channel(records: &RecordStore, channel: &StoredChannel) -> Result<()> {
    let record = object(json!({
        "id": channel.id,
        "channelId": channel.channel_id,
        "customId": channel.custom_id,
        "displayName": channel.display_name,
        "createdAt": "2024-02-01T09:00:00.000Z",
        "updatedAt": "2024-02-01T09:00:00.000Z",
    }));
    records.replace(Model::Channel, &channel.id, &record).map_err(|why| anyhow::anyhow!("{why:?}"))
}

fn put_video(records: &RecordStore, video: &StoredVideo) -> Result<()> {
    let record = object(json!({
        "id": video.video_id,
        "videoID": video.video_id,
        "customId": video.custom_id,
        "channelID": video.channel_id,
        "channel_display_name": video.channel_display_name,
        "video_title": video.title,
        "content_type": "Premium",
        "assetId": video.asset_id,
        "views": video.views,
        "createdAt": "2024-02-01T09:00:00.000Z",
        "updatedAt": "2024-02-01T09:00:00.000Z",
    }));
    records.replace(Model::Video, &video.video_id, &record).map_err(|why| anyhow::anyhow!("{why:?}"))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn channel_of(record: &Map<String, Value>) -> StoredChannel {
    let text = |name: &str| record.get(name).and_then(Value::as_str).map(str::to_owned);
    StoredChannel {
        id: text("id").unwrap_or_default(),
        channel_id: text("channelId").unwrap_or_default(),
        custom_id: text("customId"),
        display_name: text("displayName"),
    }
}
