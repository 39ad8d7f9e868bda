//! What the end-to-end tests share: the built programs, and runs of them against a sandbox.

pub mod faults;
pub mod fuzz_targets;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use anyhow::{Context as _, Result, ensure};
use dn_sandbox::{Asset, Options, Profile, ReportRow, Sandbox, WorldBuilder};
use serde_json::Value;

/// Whether a bench of this name is asked for: `cargo bench -p dn-tests pacing` hands its filter to every one of them.
pub fn bench_is_wanted(name: &str) -> bool {
    let mut filters = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).peekable();
    filters.peek().is_none() || filters.any(|filter| name.contains(&filter))
}

/// The workspace's root.
pub fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_owned)
    })
}

/// The directory of the built programs. They are built first, so that a test of one package never runs yesterday's
/// program of another; where they are up to date that takes no time.
pub fn programs() -> Result<&'static Path> {
    static PROGRAMS: OnceLock<std::result::Result<PathBuf, String>> = OnceLock::new();
    let built = PROGRAMS.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    built.as_deref().map_err(|error| anyhow::anyhow!("the programs could not be built: {error}"))
}

fn build() -> Result<PathBuf> {
    // …/target/<profile>/deps/it-…
    let test = std::env::current_exe()?;
    let directory = test.parent().and_then(Path::parent).context("the build folder")?.to_owned();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()).args(["build", "--locked", "--quiet", "--bins", "--workspace"]);
    if directory.file_name().is_some_and(|name| name == "release") {
        cargo.arg("--release");
    }
    let output = cargo.output().context("cargo")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(directory)
}

/// A program's run: its exit code and what it said.
#[derive(Debug)]
pub struct Run {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Run {
    /// The summary that `--json` puts on stdout.
    pub fn summary(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("no summary on stdout: {self:?}"))
    }
}

/// A command of one of the programs, with nothing of this process's environment but what programs need to run.
pub fn command(program: &str, environment: &BTreeMap<String, String>, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(programs()?.join(program));
    command.args(arguments).env_clear().envs(environment).stdin(Stdio::null());
    #[expect(clippy::disallowed_methods, reason = "what every program needs of the machine it runs on")]
    for name in ["PATH", "HOME", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
        if let Some(value) = std::env::var_os(name).filter(|_| !environment.contains_key(name)) {
            command.env(name, value);
        }
    }
    Ok(command)
}

/// Runs a program to its end, off the async threads that the sandbox runs on.
pub async fn run(program: &str, environment: &BTreeMap<String, String>, arguments: &[&str]) -> Result<Run> {
    let mut command = command(program, environment, arguments)?;
    let output: Output = tokio::task::spawn_blocking(move || command.output()).await??;
    Ok(Run {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// A sandbox in a directory of its own, and the programs against it.
pub struct Rehearsal {
    /// The servers and their world.
    pub sandbox: Sandbox,
    directory: tempfile::TempDir,
}

impl Rehearsal {
    /// Over a world made by hand.
    pub async fn of(world: WorldBuilder) -> Result<Self> {
        Self::with(world, Profile::Calm).await
    }

    /// Over a world made by hand, on a bad day.
    pub async fn with(world: WorldBuilder, profile: Profile) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let world = world.build(directory.path())?;
        let sandbox = Sandbox::start_with(options(&directory, profile, 0, 0)?, world).await?;
        Ok(Self { sandbox, directory })
    }

    /// Over a world made by hand, with a database that keeps versions of its records.
    pub async fn versioned(world: WorldBuilder) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let world = world.build(directory.path())?;
        let mut options = options(&directory, Profile::Calm, 0, 0)?;
        options.schema = root().join("infra/graphql/schema-versioned.graphql");
        Ok(Self { sandbox: Sandbox::start_with(options, world).await?, directory })
    }

    /// Over a world made by hand, with a database that has no list of videos.
    pub async fn without_videos(world: WorldBuilder) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let world = world.build(directory.path())?;
        let mut options = options(&directory, Profile::Calm, 0, 0)?;
        let whole = std::fs::read_to_string(&options.schema)?;
        let lines: Vec<&str> = whole.lines().filter(|line| !line.contains("listVideos(")).collect();
        ensure!(lines.len() + 1 == whole.lines().count(), "the schema's list of videos is one line");
        options.schema = directory.path().join("without-videos.graphql");
        std::fs::write(&options.schema, lines.join("\n"))?;
        Ok(Self { sandbox: Sandbox::start_with(options, world).await?, directory })
    }

    /// Over a generated world.
    pub async fn generated(seed: u64, channels: usize, videos: usize, profile: Profile) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let mut options = options(&directory, profile, channels, videos)?;
        options.seed = seed;
        Ok(Self { sandbox: Sandbox::start(options).await?, directory })
    }

    /// The directory that everything of this rehearsal lies in.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The tasks' environment, as fast as the servers go.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let mut environment = self.sandbox.env();
        environment.insert("RATE_PER_SECOND".to_owned(), "5000".to_owned());
        environment
    }

    /// Runs `channelbackfill` to its end.
    pub async fn backfill(&self, arguments: &[&str]) -> Result<Run> {
        run("channelbackfill", &self.environment(), arguments).await
    }

    /// Runs `cms-customid-cleanup` by hand to its end.
    pub async fn cleanup(&self, arguments: &[&str]) -> Result<Run> {
        run("cms-customid-cleanup", &self.environment(), arguments).await
    }

    /// The details of the events of one kind on the bus so far.
    pub fn events(&self, detail_type: &str) -> Vec<Value> {
        let events = self.sandbox.events().into_iter();
        events
            .filter(|event| event["detail-type"] == detail_type)
            .map(|event| event["detail"].clone())
            .collect()
    }

    /// A file of a run's folder, as text; bytes that are none are replaced.
    pub fn run_file(&self, task: &str, run_id: &Value, name: &str) -> Result<String> {
        let state = self.sandbox.env().remove("STATE_URI").context("STATE_URI")?;
        let path =
            Path::new(&state).join(task).join("runs").join(run_id.as_str().context("runId")?).join(name);
        let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn options(
    directory: &tempfile::TempDir,
    profile: Profile,
    channels: usize,
    videos: usize,
) -> Result<Options> {
    Ok(Options {
        seed: 1,
        channels,
        videos,
        profile,
        dir: directory.path().to_owned(),
        workflow: root().join("infra/workflow.yaml"),
        schema: root().join("infra/graphql/schema.graphql"),
        bin_dir: Some(programs()?.to_owned()),
    })
}

/// The asset id of a number, for worlds made by hand.
pub fn asset(number: u64) -> String {
    format!("A{number:016}")
}

/// The video id of a number.
pub fn video(number: u64) -> String {
    format!("vid{number:08}")
}

/// One partner channel, in the sheet and in the database, with so many assets to be set.
pub fn assets_to_set(channel: &str, count: u64) -> WorldBuilder {
    let name = "Artist One";
    let world = WorldBuilder::new().channel(channel, "artist-one", name).stored(
        channel,
        channel,
        Some("artist-one"),
        Some(name),
    );
    (1..=count).fold(world, |world, number| {
        let (asset, video) = (asset(number), video(number));
        world.row(ReportRow::new(&video, channel).asset(&asset, &video)).asset(Asset::web(&asset, &video))
    })
}
