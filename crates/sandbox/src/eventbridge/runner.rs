//! ECS on this machine: a task that a rule starts is the local binary of the container's name, with the container
//! override's environment.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::lock::hold;

/// ECS takes container overrides of at most so many characters.
const OVERRIDES_LIMIT: usize = 8192;
/// How often a task's peak memory is read: the kernel keeps the peak itself, so only the end can be missed.
const MEMORY_EVERY: Duration = Duration::from_millis(20);

/// A task that was started, or could not be.
#[derive(Debug, Clone, Serialize)]
pub struct Invocation {
    /// The rule whose target it is; empty for a task started by hand.
    pub rule: String,
    /// The event that matched; empty for a task started by hand.
    pub event_id: String,
    /// The container of the override, which is the binary's name.
    pub container: String,
    /// The override's environment, without what the task definition gives.
    pub env: BTreeMap<String, String>,
    /// Milliseconds since the servers came up.
    pub started_ms: u64,
    /// The same for its end; none while it runs.
    pub ended_ms: Option<u64>,
    /// The exit code, 128 + n after signal n; none while it runs or when it never started.
    pub exit_code: Option<i32>,
    /// Why it never started.
    pub start_error: Option<String>,
    /// The most memory it was seen to use.
    pub peak_memory_bytes: Option<u64>,
    /// What it printed on stdout.
    pub stdout: PathBuf,
    /// What it printed on stderr.
    pub stderr: PathBuf,
}

impl Invocation {
    /// Whether it is still running.
    pub fn is_running(&self) -> bool {
        self.ended_ms.is_none()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Overrides {
    container_overrides: Vec<ContainerOverride>,
}

#[derive(Deserialize)]
struct ContainerOverride {
    name: String,
    #[serde(default)]
    environment: Vec<Variable>,
}

#[derive(Deserialize)]
struct Variable {
    name: String,
    value: String,
}

pub(crate) struct Runner {
    bin_dir: Option<PathBuf>,
    logs: PathBuf,
    clock: Clock,
    stop: CancellationToken,
    task_env: Mutex<BTreeMap<String, String>>,
    invocations: Mutex<Vec<Invocation>>,
    /// The rules' tasks that wait to be started; none while they start at once.
    held: Mutex<Option<Vec<Invocation>>>,
    changes: watch::Sender<u64>,
}

impl Runner {
    pub(crate) fn new(
        bin_dir: Option<PathBuf>,
        logs: PathBuf,
        clock: Clock,
        stop: CancellationToken,
    ) -> std::io::Result<Self> {
        fs::create_dir_all(&logs)?;
        Ok(Self {
            bin_dir,
            logs,
            clock,
            stop,
            task_env: Mutex::default(),
            invocations: Mutex::default(),
            held: Mutex::default(),
            changes: watch::channel(0).0,
        })
    }

    /// The environment of the task definition, under the overrides.
    pub(crate) fn set_task_env(&self, env: impl IntoIterator<Item = (String, String)>) {
        hold(&self.task_env).extend(env);
    }

    pub(crate) fn invocations(&self) -> Vec<Invocation> {
        hold(&self.invocations).clone()
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Starts the task that a target's input describes.
    pub(crate) fn start(self: &Arc<Self>, rule: &str, event_id: &str, input: &str) -> Result<(), String> {
        let (container, env, refused) = match read_overrides(input) {
            Ok(overrides) => {
                let env = overrides.environment.into_iter().map(|one| (one.name, one.value)).collect();
                (overrides.name, env, None)
            }
            Err(why) => (String::new(), BTreeMap::new(), Some(format!("{why:#}"))),
        };
        let mut invocation = self.invocation(rule, event_id, &container, env);
        invocation.start_error = refused;
        if invocation.start_error.is_none()
            && let Some(held) = hold(&self.held).as_mut()
        {
            held.push(invocation);
            return Ok(());
        }
        let at = self.launch(invocation, &[]);
        hold(&self.invocations).get(at).and_then(|one| one.start_error.clone()).map_or(Ok(()), Err)
    }

    /// From now on the tasks of rules wait until [`Runner::release`], as in a cluster without room.
    pub(crate) fn hold_rules(&self) {
        hold(&self.held).get_or_insert_default();
    }

    /// How many tasks wait.
    pub(crate) fn held(&self) -> usize {
        hold(&self.held).as_ref().map_or(0, Vec::len)
    }

    /// Starts the tasks that waited, in order, and says how many there were; those of later events start at once.
    pub(crate) fn release(self: &Arc<Self>) -> usize {
        let waited = hold(&self.held).take().unwrap_or_default();
        let count = waited.len();
        for mut invocation in waited {
            invocation.started_ms = self.clock.elapsed_ms();
            self.launch(invocation, &[]);
        }
        count
    }

    /// Starts a task as an operator would, with arguments and no event; gives its place among the invocations.
    pub(crate) fn start_by_hand(self: &Arc<Self>, container: &str, arguments: &[&str]) -> usize {
        let invocation = self.invocation("", "", container, BTreeMap::new());
        self.launch(invocation, arguments)
    }

    fn invocation(
        &self,
        rule: &str,
        event_id: &str,
        container: &str,
        env: BTreeMap<String, String>,
    ) -> Invocation {
        Invocation {
            rule: rule.to_owned(),
            event_id: event_id.to_owned(),
            container: container.to_owned(),
            env,
            started_ms: self.clock.elapsed_ms(),
            ended_ms: None,
            exit_code: None,
            start_error: None,
            peak_memory_bytes: None,
            stdout: PathBuf::new(),
            stderr: PathBuf::new(),
        }
    }

    fn launch(self: &Arc<Self>, mut invocation: Invocation, arguments: &[&str]) -> usize {
        let mut invocations = hold(&self.invocations);
        let at = invocations.len();
        invocation.stdout = self.logs.join(format!("{:03}-stdout.log", at + 1));
        invocation.stderr = self.logs.join(format!("{:03}-stderr.log", at + 1));
        let child = match &invocation.start_error {
            Some(_) => None,
            None => match self.spawn(&invocation, arguments) {
                Ok(child) => Some(child),
                Err(why) => {
                    invocation.start_error = Some(format!("{why:#}"));
                    None
                }
            },
        };
        if child.is_none() {
            invocation.ended_ms = Some(self.clock.elapsed_ms());
        }
        invocations.push(invocation);
        drop(invocations);
        self.changes.send_modify(|count| *count += 1);
        if let Some(child) = child {
            tokio::spawn(Arc::clone(self).follow(at, child));
        }
        at
    }

    fn spawn(&self, invocation: &Invocation, arguments: &[&str]) -> Result<Child> {
        let bin_dir = self.bin_dir.as_ref().context("no folder of binaries was given")?;
        let name = &invocation.container;
        ensure!(!name.contains(['/', '\\']) && !name.starts_with('.'), "{name:?} is no container name");
        let program = bin_dir.join(name);
        Command::new(&program)
            .args(arguments)
            .env_clear()
            .envs(hold(&self.task_env).iter())
            .envs(&invocation.env)
            .stdin(Stdio::null())
            .stdout(File::create(&invocation.stdout)?)
            .stderr(File::create(&invocation.stderr)?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} did not start", program.display()))
    }

    async fn follow(self: Arc<Self>, at: usize, mut child: Child) {
        let pid = child.id();
        let mut every = tokio::time::interval(MEMORY_EVERY);
        let status = loop {
            tokio::select! {
                status = child.wait() => break status.ok(),
                _ = every.tick() => {
                    let peak = pid.and_then(peak_memory_bytes);
                    if let Some(invocation) = hold(&self.invocations).get_mut(at) {
                        invocation.peak_memory_bytes = invocation.peak_memory_bytes.max(peak);
                    }
                }
                () = self.stop.cancelled() => {
                    // A child that is gone already needs no ending.
                    let _gone = child.start_kill();
                    break child.wait().await.ok();
                }
            }
        };
        if let Some(invocation) = hold(&self.invocations).get_mut(at) {
            invocation.exit_code = status.and_then(exit_code);
            invocation.ended_ms = Some(self.clock.elapsed_ms());
        }
        self.changes.send_modify(|count| *count += 1);
    }
}

fn read_overrides(input: &str) -> Result<ContainerOverride> {
    ensure!(input.len() <= OVERRIDES_LIMIT, "the overrides are longer than {OVERRIDES_LIMIT} characters");
    let overrides: Overrides =
        serde_json::from_str(input).context("the target's input is no container override")?;
    overrides.container_overrides.into_iter().next().context("containerOverrides is empty")
}

/// The exit code as ECS shows it.
pub(crate) fn exit_code(status: ExitStatus) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal))
}

/// The kernel's own record of the most memory a process held (`VmHWM`).
pub(crate) fn peak_memory_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
