//! What the program `dn-sandbox` does: serve, write a world or weeks of reports, or rehearse the whole story.

mod demo;
mod panel;
mod scoreboard;
mod weekly;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::fault::Profile;
use crate::sandbox::{Options, Sandbox};
use crate::weeks;
use crate::world::{Size, World};

/// AppSync, YouTube, OAuth, S3 and EventBridge on 127.0.0.1 over one seeded world.
#[derive(Debug, Parser)]
#[command(name = "dn-sandbox", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Keep the servers up until Ctrl-C; stdout is the environment for the tasks, as `export` lines.
    Serve {
        #[command(flatten)]
        world: WorldArgs,
        #[command(flatten)]
        servers: ServerArgs,
        /// Put ten weeks of claims reports there too: into the object store, and behind the Reporting API as far back
        /// as it keeps them; their partner channels into the database, their open claims behind the Content ID API,
        /// their videos as they are now behind the Data API.
        #[arg(long)]
        weeks: bool,
    },
    /// Write the channel sheet and the video report of a world, and nothing else.
    World {
        #[command(flatten)]
        world: WorldArgs,
        /// The folder to write to.
        #[arg(long)]
        out: PathBuf,
    },
    /// Write weeks of claims reports, platform files and rights records with the truth about them, and nothing else.
    Weeks {
        #[command(flatten)]
        weeks: WeeksArgs,
        /// The folder to write to.
        #[arg(long)]
        out: PathBuf,
    },
    /// Make a panel of weekly views with planted surges, and its truth beside it.
    Panel(panel::PanelArgs),
    /// Score alerts (`claims-report backtest`) against a panel's truth.
    ScorePanel(panel::ScoreArgs),
    /// Run the whole story with the real binaries beside this one, and score it; exit 1 when the truth is missed.
    Demo {
        #[command(flatten)]
        world: WorldArgs,
        #[command(flatten)]
        servers: ServerArgs,
    },
}

/// How large the world is.
#[derive(Debug, Clone, Copy, Args)]
struct WorldArgs {
    /// Everything that is random follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Data rows of the channel sheet; one in 93 is a duplicate or blank.
    #[arg(long, default_value_t = Size::default().channels)]
    channels: usize,
    /// Rows of the video report. Up to 38,412 about 99 % are the partners' own videos; the rows beyond are claims on
    /// other people's videos, which is how a CMS report grows.
    #[arg(long, default_value_t = Size::default().videos)]
    videos: usize,
}

/// What the weeks of claims reports are made of.
#[derive(Debug, Clone, Copy, Args)]
struct WeeksArgs {
    /// Everything that is random follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many weeks. Something happens in them from eight on.
    #[arg(long, default_value_t = 10)]
    weeks: usize,
    /// How many assets. Something happens to them from some hundreds on.
    #[arg(long, default_value_t = 1_200)]
    assets: u64,
    /// Rows of the video report per asset, on average.
    #[arg(long, default_value_t = 3)]
    videos_per_asset: u64,
    /// Rows of the claim report per asset, on average.
    #[arg(long, default_value_t = 8)]
    claims_per_asset: u64,
    /// The Monday of the last week [default: of the last week that is over, by the days of Los Angeles].
    #[arg(long, value_name = "YYYY-MM-DD")]
    last_week: Option<jiff::civil::Date>,
    /// Let all reports of one week say everything twice, and two of another break off.
    #[arg(long)]
    report_faults: bool,
    /// Leave out the reports of this week, counted from 1.
    #[arg(long, value_name = "N")]
    missing_week: Option<usize>,
}

impl WeeksArgs {
    fn options(self) -> Result<weeks::Options> {
        let options = match self.last_week {
            Some(last_week) => weeks::Options::ending(last_week),
            None => weeks::Options::until_now()?,
        };
        Ok(weeks::Options {
            seed: self.seed,
            weeks: self.weeks,
            assets: self.assets,
            videos_per_asset: self.videos_per_asset,
            claims_per_asset: self.claims_per_asset,
            report_faults: self.report_faults,
            missing_week: self.missing_week,
            ..options
        })
    }
}

#[derive(Debug, Clone, Args)]
struct ServerArgs {
    /// How the services behave.
    #[arg(long, value_enum, default_value_t)]
    profile: Profile,
    /// Where input files, database, buckets and logs go [default: a new temporary folder].
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Calls to YouTube a second that the tasks may make (their `RATE_PER_SECOND`): their default of 10 is meant for
    /// the real service, and would make 38,000 writes take an hour.
    #[arg(long, default_value_t = 2000)]
    rate_per_second: u32,
    /// The CloudFormation template with the bus and its rules.
    #[arg(long, default_value = "infra/workflow.yaml")]
    workflow: PathBuf,
    /// The SDL of the data API.
    #[arg(long, default_value = "infra/graphql/schema.graphql")]
    schema: PathBuf,
    /// The folder of the tasks, each named as its container [default: where this program lies].
    #[arg(long)]
    tasks: Option<PathBuf>,
}

impl ServerArgs {
    fn options(&self, world: WorldArgs) -> Result<Options> {
        let program = std::env::current_exe().context("the path of this program is not known")?;
        let bin_dir = program.parent().context("this program lies in no folder")?;
        let dir = match &self.dir {
            Some(dir) => std::path::absolute(dir)?,
            None => tempfile::Builder::new().prefix("dn-sandbox-").tempdir()?.keep(),
        };
        Ok(Options {
            seed: world.seed,
            channels: world.channels,
            videos: world.videos,
            profile: self.profile,
            dir,
            workflow: locate(&self.workflow, bin_dir)?,
            schema: locate(&self.schema, bin_dir)?,
            bin_dir: Some(match &self.tasks {
                Some(tasks) => std::path::absolute(tasks)?,
                None => bin_dir.to_owned(),
            }),
        })
    }
}

/// A file of the repository: from here, or from one of the folders above the program, which is built inside of it.
fn locate(path: &Path, bin_dir: &Path) -> Result<PathBuf> {
    if path.exists() {
        return Ok(path.to_owned());
    }
    match bin_dir.ancestors().map(|above| above.join(path)).find(|candidate| candidate.exists()) {
        Some(found) => Ok(found),
        None => bail!("{} is neither here nor above {}", path.display(), bin_dir.display()),
    }
}

impl Cli {
    /// Carries the command out.
    pub async fn run(self) -> Result<ExitCode> {
        match self.command {
            Command::Serve { world, servers, weeks } => {
                serve(servers.options(world)?, servers.rate_per_second, weeks).await
            }
            Command::World { world, out } => write_world(world, &out),
            Command::Weeks { weeks, out } => write_weeks(&weeks.options()?, &out),
            Command::Panel(args) => args.run(),
            Command::ScorePanel(args) => args.run(),
            Command::Demo { world, servers } => {
                demo::run(servers.options(world)?, servers.rate_per_second).await
            }
        }
    }
}

async fn serve(options: Options, rate_per_second: u32, with_weeks: bool) -> Result<ExitCode> {
    let seed = options.seed;
    let sandbox = Sandbox::start(options).await?;
    let rate = ("RATE_PER_SECOND".to_owned(), rate_per_second.to_string());
    sandbox.set_task_env(&rate.0, &rate.1);
    let weeks = if with_weeks { weekly::publish(&sandbox, seed).await? } else { Vec::new() };
    let lines: Vec<String> = sandbox
        .env()
        .into_iter()
        .chain(weeks)
        .chain([rate])
        .map(|(name, value)| format!("export {name}={}", quoted(&value)))
        .collect();
    // Watched before anybody can know that the servers are up.
    let mut terminated = signal(SignalKind::terminate())?;
    say(&lines.join("\n"));
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminated.recv() => {}
        () = tell_of_tasks(&sandbox) => {}
    }
    sandbox.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Says which tasks the rules start and how they end: whoever runs the backfill by hand would not see the second one.
async fn tell_of_tasks(sandbox: &Sandbox) {
    let mut changes = sandbox.task_changes();
    let mut told = BTreeSet::new();
    loop {
        for (place, task) in sandbox.invocations().into_iter().enumerate() {
            if told.insert((place, task.is_running())) {
                let state = match (&task.start_error, task.exit_code) {
                    (Some(why), _) => format!("could not start: {why}"),
                    (None, Some(code)) => format!("ended with exit code {code}"),
                    (None, None) => "started".to_owned(),
                };
                report(&format!("{} {}: {state}; log {}", task.rule, task.container, task.stderr.display()));
            }
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

fn write_world(world: WorldArgs, out: &Path) -> Result<ExitCode> {
    std::fs::create_dir_all(out)?;
    let size = Size { channels: world.channels, videos: world.videos };
    let made = World::generate(world.seed, size, out)?;
    // The files alone: where the object store would keep the report is no business of a reader.
    let report = out.join(crate::world::REPORT_KEY.rsplit('/').next().unwrap_or_default());
    std::fs::rename(&made.report_path, &report)?;
    std::fs::remove_dir_all(out.join("s3"))?;
    say(&format!(
        "{}: {} rows, {} channels\n{}: {} rows, {} of them by channels that are no partners",
        made.sheet_path.display(),
        made.sheet_rows,
        made.channels.len(),
        report.display(),
        made.report_rows,
        made.claimed_rows
    ));
    Ok(ExitCode::SUCCESS)
}

fn write_weeks(options: &weeks::Options, out: &Path) -> Result<ExitCode> {
    let made = weeks::generate(options, out)?;
    let folders: Vec<String> = made.weeks.iter().map(|week| format!("{}\n", week.dir.display())).collect();
    let planted = made.findings.iter().filter(|finding| !finding.implied).count();
    say(&format!(
        "{}{}: {} channels\n{}: {planted} to be found",
        folders.concat(),
        made.partners_path.display(),
        made.partners.len(),
        made.findings_path.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// In single quotes, as every POSIX shell reads it back.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[expect(clippy::print_stderr, reason = "the one place where progress is printed: stdout is for the result")]
fn report(line: &str) {
    eprintln!("{line}");
}

#[expect(clippy::print_stdout, reason = "the one place where the program prints its result")]
fn say(text: &str) {
    println!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_with_quotes_and_line_breaks_survives_the_shell() {
        let value = "{\"key\": \"a'b\"}\n$HOME `id`";
        let script = format!("X={}; printf %s \"$X\"", quoted(value));
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), value);
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
