//! Bringing the servers up over a world, and looking into them while tasks use them.

mod engine;
mod inside;
mod publish;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio_util::sync::CancellationToken;

use crate::appsync::store::RecordStore;
use crate::appsync::{AppSync, AppSyncSchema};
use crate::clock::Clock;
use crate::eventbridge::bus::Bus;
use crate::eventbridge::runner::Runner;
use crate::eventbridge::template::Workflow;
use crate::fault::{Faults, Profile};
use crate::journal::Journal;
use crate::s3::ObjectStore;
use crate::sandbox::engine::Engine;
use crate::sandbox::inside::{put_channel, put_video};
use crate::signature::{ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY};
use crate::wire::{Play, serve};
use crate::world::{REPORT_BUCKET, REPORT_KEY, Size, World};
use crate::youtube::catalogue::Catalogue;
use crate::youtube::claims::ClaimShelf;
use crate::youtube::content_id::ContentId;
use crate::youtube::credentials::{CredentialKind, SigningKey, credential_json};
use crate::youtube::data::{DataApi, VideoShelf};
use crate::youtube::reporting::{Reporting, Shelf};
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
    /// The SDL of the data API. One whose types have a `_version` is of an API that keeps versions, and is played so;
    /// a field that it lacks is refused as AppSync refuses it.
    pub schema: PathBuf,
    /// Where the binaries of the tasks are; without it a rule's task does not start.
    pub bin_dir: Option<PathBuf>,
}

/// The running servers.
///
/// They have a runtime of their own, so that a test may pause its clock or block its thread.
pub struct Sandbox {
    engine: Engine,
    options: Options,
    world: World,
    clock: Clock,
    journal: Arc<Journal>,
    faults: Arc<Faults>,
    records: Arc<RecordStore>,
    introspection: Arc<AtomicBool>,
    catalogue: Arc<Catalogue>,
    tokens: Arc<TokenBook>,
    reports: Arc<Shelf>,
    claims: Arc<ClaimShelf>,
    videos: Arc<VideoShelf>,
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
    reporting: SocketAddr,
    data: SocketAddr,
    token: SocketAddr,
    s3: SocketAddr,
    eventbridge: SocketAddr,
}

impl Sandbox {
    /// Makes the world of the options and brings the servers up over it.
    pub async fn start(options: Options) -> Result<Self> {
        let engine = Engine::start()?;
        let (seed, dir) = (options.seed, options.dir.clone());
        let size = Size { channels: options.channels, videos: options.videos };
        let world = engine
            .spawn_blocking(move || {
                fs::create_dir_all(&dir)?;
                World::generate(seed, size, &dir)
            })
            .await??;
        Self::start_on(engine, options, world).await
    }

    /// Brings the servers up over a world that was made below `options.dir`; the options' size counts for nothing.
    pub async fn start_with(options: Options, world: World) -> Result<Self> {
        Self::start_on(Engine::start()?, options, world).await
    }

    async fn start_on(engine: Engine, options: Options, world: World) -> Result<Self> {
        let clock = Clock::start();
        let dir = &options.dir;
        for folder in ["state", "export", "s3/sandbox-state"] {
            fs::create_dir_all(dir.join(folder))?;
        }
        let journal = Arc::new(Journal::create(&dir.join("journal.jsonl"))?);
        let faults = Arc::new(Faults::new(options.profile, options.seed));
        let schema = AppSyncSchema::read(&options.schema)?;
        let records = Arc::new(RecordStore::open(&dir.join("appsync.sqlite"), schema.is_versioned())?);
        let introspection = Arc::new(AtomicBool::new(true));
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
            schema,
            records: Arc::clone(&records),
            api_key: GRAPHQL_API_KEY.to_owned(),
            introspection: Arc::clone(&introspection),
        };
        let claims = Arc::new(ClaimShelf::default());
        let content_id = ContentId {
            catalogue: Arc::clone(&catalogue),
            claims: Arc::clone(&claims),
            tokens: Arc::clone(&tokens),
        };
        let token_server = TokenServer { book: Arc::clone(&tokens), key };
        let objects = ObjectStore::new(dir.join("s3"), dir.join("s3-incoming"))?;

        let reports = Arc::new(Shelf::default());
        let reporting = Reporting {
            reports: Arc::clone(&reports),
            tokens: Arc::clone(&tokens),
            content_owner: CONTENT_OWNER,
        };

        let videos = Arc::new(VideoShelf::new(options.profile.data_units()));
        let data = DataApi { videos: Arc::clone(&videos), tokens: Arc::clone(&tokens) };

        let plays: [Arc<dyn Play>; 7] = [
            Arc::new(appsync),
            Arc::new(content_id),
            Arc::new(reporting),
            Arc::new(data),
            Arc::new(token_server),
            Arc::new(objects),
            Arc::clone(&bus) as Arc<dyn Play>,
        ];
        let (faults_too, journal_too, stop_too) = (Arc::clone(&faults), Arc::clone(&journal), stop.clone());
        let addresses = engine
            .spawn(async move {
                let mut addresses = Vec::new();
                for play in plays {
                    let (faults, journal) = (Arc::clone(&faults_too), Arc::clone(&journal_too));
                    addresses.push(serve(play, faults, journal, clock, stop_too.clone()).await?);
                }
                std::io::Result::Ok(addresses)
            })
            .await??;
        let [appsync, youtube, reporting, data, token, s3, eventbridge] = addresses[..] else {
            bail!("not every server came up");
        };
        let sandbox = Self {
            engine,
            addresses: Addresses { appsync, youtube, reporting, data, token, s3, eventbridge },
            options,
            world,
            clock,
            journal,
            faults,
            records,
            introspection,
            catalogue,
            tokens,
            reports,
            claims,
            videos,
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
            ("YOUTUBE_REPORTING_BASE_URL", format!("http://{}/v1", at.reporting)),
            ("YOUTUBE_DATA_BASE_URL", format!("http://{}/youtube/v3", at.data)),
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

    /// Ends the servers and what they started, and brings the journal's file up to date.
    pub async fn stop(self) {
        self.stop.cancel();
        // Whoever does not end within this time is ended with their threads.
        let _late = self.wait_for_idle(Duration::from_secs(5)).await;
        self.journal.flush();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.cancel();
        self.journal.flush();
    }
}
