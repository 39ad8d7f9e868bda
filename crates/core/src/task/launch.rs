//! From `main` to the exit code: the part of a run that is the same for every task.

use std::io::Write as _;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use tokio::signal::unix::{SignalKind, signal};

use super::check::{Check, Checked};
use super::exit::{End, Ended, Exit};
use super::lock::{Acquired, Lock};
use super::metrics::{RunMetrics, emit};
use super::outbox::Outbox;
use super::settings::{Environment, Problems, RunSettings};
use super::stop::{Stop, StopReason};
use super::telemetry::{self, LogFormat};
use super::{Context, Progress, Report, RunFolder, RunInfo, Task, clock, new_run_id};
use crate::aws;
use crate::eventbridge::{Event, EventBus, PublishError};
use crate::store::Store;
use crate::transport::wait;

/// What is under way when a run is told to stop has this long to end; ECS kills 30 s after SIGTERM by default, and
/// the event has to go out in what is left.
const DRAIN: Duration = Duration::from_secs(18);
/// How long a store and a bus may take with a run's end.
const PATIENCE: Duration = Duration::from_mins(2);
/// And when the process is about to be killed, or never began.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Runs a task from its command line to its exit code.
pub fn launch<T: Task>() -> ExitCode {
    parse::<T::Args>().map_or_else(|exit| exit, |args| start::<T>(&args))
}

/// As [`launch`], for a task whose command line may ask for its check instead.
pub fn launch_with_check<T: Checked>() -> ExitCode {
    match parse::<T::Args>() {
        Ok(args) if T::asks_for_check(&args) => start::<Check<T>>(&args),
        Ok(args) => start::<T>(&args),
        Err(exit) => exit,
    }
}

fn parse<A: clap::Parser>() -> Result<A, ExitCode> {
    A::try_parse().map_err(|error| {
        // Help and version come this way too: clap knows where each belongs and which code it has.
        let _ = error.print();
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Exit::Usage.code()))
    })
}

fn start<T: Task>(args: &T::Args) -> ExitCode {
    let environment = Environment::of_process();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{}: no runtime: {error}", T::NAME);
            return ExitCode::from(Exit::Bug.code());
        }
    };
    let exit = runtime.block_on(drive::<T>(args, &environment));
    // A blocking read that nobody waits for any more must not hold the exit.
    runtime.shutdown_background();
    ExitCode::from(exit.code())
}

/// How the task's end is told, once it is known.
struct Teller {
    json: bool,
    format: LogFormat,
    bus: Option<EventBus>,
    folder: Option<Arc<RunFolder>>,
    /// Where an event is kept until the bus has it; only of a run that holds the lock.
    outbox: Option<Outbox>,
    /// What earlier runs could not tell and this one did at its beginning.
    told_late: Vec<Event>,
    started: Instant,
    patience: Duration,
    /// Whether the end is a figure of CloudWatch's.
    measured: bool,
}

async fn drive<T: Task>(args: &T::Args, environment: &Environment) -> Exit {
    let started = Instant::now();
    let started_at = clock::now();
    let frame = T::frame(args);
    let mut problems = Problems::default();
    let format = LogFormat::read(&frame.output.log_format).unwrap_or_else(|| {
        problems.add(format!(
            "--log-format (LOG_FORMAT) is {:?}; it is auto, json or pretty",
            frame.output.log_format
        ));
        LogFormat::Json
    });
    telemetry::begin(format, environment);
    log_panics();
    let aside = T::stand_aside(args, environment, &mut problems);
    let settings = frame.run.map(|run| run.read(&mut problems));
    let task = T::prepare(args, environment, &mut problems);
    let dry_run = settings.as_ref().is_some_and(|settings| settings.dry_run);
    let mut info =
        RunInfo { run_id: new_run_id(started_at), started_at, ended_at: started_at, duration_ms: 0, dry_run };
    let mut teller = Teller {
        json: frame.output.json,
        format,
        bus: None,
        folder: None,
        outbox: None,
        told_late: Vec::new(),
        started,
        patience: PATIENCE,
        measured: true,
    };
    if let Some(tally) = aside {
        return teller.tell::<T>(&mut info, &Mutex::new(tally), End { exit: Exit::Done, error: None }).await;
    }
    let aws = aws::load(&aws::AwsSettings::default()).await;
    let tally = Arc::new(Mutex::new(task.as_ref().map_or_else(T::Tally::default, T::begin)));

    let Some(task) = task.filter(|_| problems.list().is_empty()) else {
        let list = problems.list();
        let end = End {
            exit: Exit::Usage,
            error: Some(format!("the task cannot start:\n  - {}", list.join("\n  - "))),
        };
        let deployed = ["EVENT_BUS_NAME", "ECS_CONTAINER_METADATA_URI_V4"]
            .iter()
            .any(|name| environment.get(name).is_some());
        if let Some(settings) = settings.filter(|_| deployed && !dry_run && T::tells(args)) {
            teller.bus = Some(EventBus::new(&aws, settings.event_bus));
        }
        teller.patience = LAST_WORDS;
        teller.tell::<T>(&mut info, &tally, end).await;
        return Exit::Usage;
    };

    let stop = Stop::default();
    let hurry = tokio_util::sync::CancellationToken::new();
    watch_signals(stop.clone(), hurry.clone());
    teller.measured = task.is_run();
    if task.is_run() {
        tracing::info!(
            task = T::NAME,
            version = env!("CARGO_PKG_VERSION"),
            run_id = info.run_id,
            dry_run,
            "run begun"
        );
    }
    let writes = task.writes(dry_run);
    // A store or a bus that does not answer must not keep a run that is told to stop.
    let stopped = stop.token();
    let mut lock = None;
    let prepared = tokio::select! {
        biased;
        prepared = prepare_outside(&mut teller, &mut lock, T::NAME, &info, settings.as_ref(), &aws, writes) => prepared,
        () = stopped.cancelled() => Err(anyhow::anyhow!("stopped before the work had begun")),
    };
    if stop.is_signalled() {
        teller.patience = LAST_WORDS;
    }
    if let Err(error) = prepared {
        let end = End { exit: Exit::of(&error, &stop), error: Some(format!("{error:#}")) };
        let exit = teller.tell::<T>(&mut info, &tally, end).await;
        if let Some(lock) = lock {
            lock.release().await;
        }
        return exit;
    }
    if let Some(limit) = settings.as_ref().and_then(|settings| settings.max_duration) {
        let stop = stop.clone();
        tokio::spawn(async move {
            wait(limit).await;
            stop.begin(StopReason::TimeUp);
        });
    }
    let context = Context {
        info: info.clone(),
        started,
        stop: stop.clone(),
        aws,
        folder: teller.folder.clone(),
        progress: Progress::new(format == LogFormat::Pretty),
        lease: lock.as_ref().map(Lock::lease),
        tally: Arc::clone(&tally),
    };
    if !task.is_run() {
        teller.folder = None;
    }
    let end = work(&task, &context, &stop, &hurry).await;
    if stop.is_signalled() {
        teller.patience = LAST_WORDS;
    }
    let exit = teller.tell::<T>(&mut info, &tally, end).await;
    // Given back last: the next run finds this one's summary.
    if let Some(lock) = lock {
        lock.release().await;
    }
    exit
}

/// The run folder, the bus and the lock, before anything is written: a run whose end nobody would hear of does not
/// begin, nor one beside another.
async fn prepare_outside(
    teller: &mut Teller,
    lock: &mut Option<Lock>,
    task: &str,
    info: &RunInfo,
    settings: Option<&RunSettings>,
    aws: &aws_config::SdkConfig,
    writes: bool,
) -> anyhow::Result<()> {
    let Some(settings) = settings else { return Ok(()) };
    let bus = EventBus::new(aws, settings.event_bus.clone());
    // Before anything that can fail: of a run that cannot begin the bus is told too.
    if writes {
        teller.bus = Some(bus.clone());
    }
    let store = Store::open(&settings.state_uri, aws)?;
    let folder = Arc::new(RunFolder::new(store.clone(), task, &info.run_id));
    if !writes {
        teller.folder = Some(folder);
        return Ok(());
    }
    // Held by the caller: a stop that drops this future in the middle must not leave the lock behind.
    *lock = match Lock::acquire(&store, task, &info.run_id, settings.lock_lease).await? {
        Acquired::Held(held) => Some(held),
        Acquired::Busy(holder) => {
            // A run that loses leaves no trace: neither a folder nor an event.
            teller.bus = None;
            let message = format!(
                "another run holds the lock: {} (until {} at least); start again when it has ended",
                holder.run_id, holder.expires_at
            );
            return Err(Ended::new(Exit::Locked, message).into());
        }
    };
    teller.folder = Some(folder);
    let outbox = Outbox::new(store, task);
    teller.outbox = Some(outbox.clone());
    let told = async {
        bus.check().await?;
        anyhow::Ok(outbox.send_left(&bus, LAST_WORDS).await?)
    };
    teller.told_late = told.await?;
    Ok(())
}

/// The task's own run: to its end, to its panic, or to the end of the time that a stop leaves it.
async fn work<T: Task>(
    task: &T,
    context: &Context<T::Tally>,
    stop: &Stop,
    hurry: &tokio_util::sync::CancellationToken,
) -> End {
    let run = AssertUnwindSafe(task.run(context)).catch_unwind();
    let out_of_time = async {
        stop.token().cancelled().await;
        tokio::select! {
            () = hurry.cancelled() => "told to stop twice: what was under way is not waited for",
            () = wait(DRAIN) => "stopped before what was under way had ended",
        }
    };
    let result = tokio::select! {
        biased;
        result = run => result,
        why = out_of_time => Ok(Err(anyhow::anyhow!(why))),
    };
    match result {
        Ok(Ok(exit)) => End { exit, error: None },
        Ok(Err(error)) => {
            let exit = Exit::of(&error, stop);
            let told = match stop.reason() {
                Some(StopReason::Terminate) => format!("interrupted by SIGTERM: {error:#}"),
                Some(StopReason::Interrupt) => format!("interrupted by SIGINT: {error:#}"),
                Some(StopReason::TimeUp) => format!("--max-duration is over: {error:#}"),
                None => format!("{error:#}"),
            };
            End { exit, error: Some(told) }
        }
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            End { exit: Exit::Bug, error: Some(format!("a bug: panicked with {text:?}")) }
        }
    }
}

impl Teller {
    /// Tells the end to everybody: the run folder, the bus, stdout, the metrics; and gives the exit code. An end
    /// that cannot be recorded or told is a failure, though the work be done.
    async fn tell<T: Task>(&self, info: &mut RunInfo, tally: &Mutex<T::Tally>, end: End) -> Exit {
        info.ended_at = clock::now();
        info.duration_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let tally = tally.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut end = end;
        let mut report = T::report(info, &tally, &end);
        if let Err(failure) = self.record(&report).await {
            end = worse(end, Exit::Temporary, &failure);
            report = T::report(info, &tally, &end);
        }
        if let Err(failure) = self.publish(&info.run_id, &report, T::found_all_done(&tally)).await {
            let exit = if matches!(failure, PublishError::Fatal { .. }) {
                Exit::Unauthorized
            } else {
                Exit::Temporary
            };
            end = worse(end, exit, &format!("the end could not be told to the bus: {failure}"));
            report = T::report(info, &tally, &end);
            if let Err(failure) = self.record(&report).await {
                tracing::warn!(error = failure, "summary not kept");
            }
        }
        self.say::<T>(&report, &end);
        let metrics = RunMetrics {
            task: T::NAME,
            at: clock::system_time(info.ended_at),
            duration_ms: info.duration_ms,
            exit_code: end.exit.code(),
            failed: end.exit.is_failure(),
            counts: &report.counts,
        };
        if self.measured
            && self.format == LogFormat::Json
            && emit(&metrics, std::io::stderr().lock()).is_err()
        {
            tracing::warn!("metrics not written");
        }
        end.exit
    }

    async fn record(&self, report: &Report) -> Result<(), String> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let mut bytes = serde_json::to_vec_pretty(&report.summary).map_err(|error| error.to_string())?;
        bytes.push(b'\n');
        let kept = tokio::time::timeout(self.patience, folder.put("summary.json", bytes)).await;
        let kept =
            kept.map_err(|_| "no answer in time".to_owned()).and_then(|kept| kept.map_err(|e| e.to_string()));
        kept.map_err(|error| format!("the summary could not be kept: {error}"))
    }

    /// Tells the bus. The event is kept in the outbox before: should this process die, or the bus not take it, the
    /// next run sends it.
    async fn publish(&self, run_id: &str, report: &Report, found_all_done: bool) -> Result<(), PublishError> {
        let (Some(bus), Some(event)) = (&self.bus, &report.event) else { return Ok(()) };
        let is_told = |late: &Event| {
            late.detail_type == event.detail_type && late.detail["status"] == event.detail["status"]
        };
        if found_all_done && self.told_late.iter().any(is_told) {
            tracing::info!(
                run_id,
                "everything was done by the run whose event was sent at the beginning; no second one"
            );
            return Ok(());
        }
        let events: Vec<Event> = report.events_before.iter().chain([event]).cloned().collect();
        if let Some(outbox) = &self.outbox {
            match tokio::time::timeout(self.patience, outbox.keep(run_id, &events)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "event not kept before it is sent"),
                Err(_) => tracing::warn!("event not kept in time before it is sent"),
            }
        }
        let published = bus.publish(&events);
        let published = match tokio::time::timeout(self.patience, published).await {
            Ok(published) => published.map(drop),
            Err(_) => Err(bus.no_answer(self.patience)),
        };
        // What is too large stays so.
        if let (Some(outbox), Ok(()) | Err(PublishError::TooLarge { .. })) = (&self.outbox, &published) {
            outbox.discard(run_id, self.patience).await;
        }
        published
    }

    /// The result on stdout, a failure on stderr. A reader that went away is no failure of the run.
    fn say<T: Task>(&self, report: &Report, end: &End) {
        if let Some(error) = &end.error {
            if self.format == LogFormat::Pretty {
                let _ = writeln!(std::io::stderr(), "{}: {error}", T::NAME);
            } else {
                tracing::error!(exit_code = end.exit.code(), error, "run failed");
            }
        }
        let text = if self.json { format!("{}\n", report.summary) } else { report.text.clone() };
        let mut stdout = std::io::stdout().lock();
        let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    }
}

/// A run that came to its own end but could not be recorded or told ends worse; one that failed already keeps its
/// own reason.
fn worse(end: End, exit: Exit, failure: &str) -> End {
    if end.exit.is_finished() {
        return End { exit, error: Some(failure.to_owned()) };
    }
    tracing::warn!(error = failure, "failed run not fully told");
    end
}

/// SIGTERM and SIGINT begin the stop; the second one ends the patience with what is under way.
fn watch_signals(stop: Stop, hurry: tokio_util::sync::CancellationToken) {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::warn!("signals cannot be watched: a stop will be abrupt");
        return;
    };
    tokio::spawn(async move {
        loop {
            let reason = tokio::select! {
                _ = terminate.recv() => StopReason::Terminate,
                _ = interrupt.recv() => StopReason::Interrupt,
            };
            if stop.is_signalled() {
                hurry.cancel();
            }
            tracing::warn!(?reason, "told to stop: no new call is begun");
            stop.begin(reason);
        }
    });
}

/// A panic is one log line, not a trace on a stream that nobody parses; the run's end tells it too.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "panicked");
    }));
}
