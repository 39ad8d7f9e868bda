//! moto: somebody else's reading of S3, EventBridge and SQS, and AWS's own Python client to look into it with.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use dn_core::aws::{self, AccessKey, AwsSettings, SdkConfig};
use serde_json::{Value, json};

use crate::python::{bare, environment};

/// The Makefile has it from there too.
const PACKAGE: &str = include_str!("package.txt");
const SERVE: &str = include_str!("serve.py");
const ASK: &str = include_str!("ask.py");

/// A running server; it ends with this value.
pub struct Moto {
    process: Child,
    python: PathBuf,
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
        let mut process = bare(&python)
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
        let (python, endpoint, calls) =
            (self.python.clone(), self.endpoint.clone(), json!(calls).to_string());
        let asked = tokio::task::spawn_blocking(move || {
            let mut asking = bare(&python)
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

    /// Runs a script of the repository against this server; gives what it printed.
    pub async fn run(&self, script: &Path) -> String {
        let mut running = bare(&self.python);
        running.arg(script).arg(&self.endpoint);
        let output = tokio::task::spawn_blocking(move || running.output()).await.unwrap().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
        printed
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

/// The Python with moto in it.
fn python() -> PathBuf {
    environment("moto", PACKAGE.trim()).join("python")
}
