//! moto: somebody else's reading of S3, EventBridge and SQS, and AWS's own Python client to look into it with.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context as _, Result, ensure};
use dn_core::aws::{self, AccessKey, AwsSettings, SdkConfig};
use serde_json::{Value, json};

const PACKAGE: &str = "moto[server]==5.2.5";
const SERVE: &str = include_str!("serve.py");
const ASK: &str = include_str!("ask.py");

/// A running server; it ends with this value.
pub struct Moto {
    process: Child,
    python: &'static Path,
    /// `http://127.0.0.1:PORT`.
    pub endpoint: String,
}

impl Moto {
    /// Starts a server with nothing in it but the buckets named.
    pub async fn start(buckets: &[&str]) -> Self {
        let moto = tokio::task::spawn_blocking(Self::launch).await.unwrap();
        let create = |name: &&str| json!(["s3", "create_bucket", {"Bucket": name}]);
        moto.ask(&buckets.iter().map(create).collect::<Vec<_>>()).await;
        moto
    }

    fn launch() -> Self {
        let python = python();
        let mut process = bare(python)
            .args(["-c", SERVE])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        let port: u16 = port.trim().parse().expect("moto's server did not start");
        Self { process, python, endpoint: format!("http://127.0.0.1:{port}") }
    }

    /// Carries calls out in order, each `[service, method, arguments]` of AWS's Python client, and gives the answers.
    pub async fn ask(&self, calls: &[Value]) -> Vec<Value> {
        let (python, endpoint, calls) = (self.python, self.endpoint.clone(), json!(calls).to_string());
        let asked = tokio::task::spawn_blocking(move || {
            let mut asking = bare(python)
                .args(["-c", ASK, &endpoint])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            asking.stdin.take().unwrap().write_all(calls.as_bytes()).unwrap();
            asking.wait_with_output().unwrap()
        });
        let output = asked.await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// One call.
    pub async fn ask_one(&self, service: &str, method: &str, arguments: Value) -> Value {
        self.ask(&[json!([service, method, arguments])]).await.remove(0)
    }

    /// The settings of core's clients for this server, by way of an address that stands before it where one is given.
    pub async fn aws(&self, by_way_of: Option<&str>) -> SdkConfig {
        aws::load(&AwsSettings {
            region: Some("us-east-1".to_owned()),
            endpoint_url: Some(by_way_of.unwrap_or(&self.endpoint).to_owned()),
            access_key: Some(AccessKey::new("moto", "moto")),
        })
        .await
    }

    /// Turns a program's environment to this server's S3 and bus.
    pub fn put_into(&self, environment: &mut BTreeMap<String, String>) {
        for service in ["S3", "EVENTBRIDGE"] {
            environment.insert(format!("AWS_ENDPOINT_URL_{service}"), self.endpoint.clone());
        }
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            environment.insert(name.to_owned(), "moto".to_owned());
        }
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // Whichever of the two fails, the other ends it: its input ends with this process.
        let _gone = self.process.kill();
        let _gone = self.process.wait();
    }
}

/// A Python program with nothing of this process's environment.
fn bare(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.env_clear().env("PATH", "/usr/bin:/bin");
    command
}

/// The Python with moto in it, installed below the build folder by the first test that asks.
fn python() -> &'static Path {
    static PYTHON: OnceLock<std::result::Result<PathBuf, String>> = OnceLock::new();
    PYTHON.get_or_init(|| install().map_err(|error| format!("{error:#}"))).as_deref().unwrap_or_else(
        |error| {
            panic!(
                "the tests against moto need python3 with its venv module (Debian: python3-venv), and PyPI once: {error}"
            )
        },
    )
}

fn install() -> Result<PathBuf> {
    let target = dn_tests::programs()?.parent().context("the build folder")?;
    let folder = target.join("moto");
    let python = folder.join("bin/python");
    let mark = folder.join("installed");
    // Another test run may be at it; the lock goes with the file.
    let lock = File::create(target.join("moto.lock"))?;
    lock.lock()?;
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == PACKAGE) {
        return Ok(python);
    }
    let mut venv = Command::new("python3");
    succeed(venv.args(["-m", "venv", "--clear"]).arg(&folder))?;
    let mut pip = Command::new(&python);
    succeed(pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE]))?;
    fs::write(mark, PACKAGE)?;
    Ok(python)
}

fn succeed(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    let said = [output.stdout, output.stderr].concat();
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said).trim());
    Ok(())
}
