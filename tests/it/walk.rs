//! The walk plan → apply → undo in docs/OPERATIONS.md: its commands are run as they stand there, and what they print is
//! what stands there.
//!
//! What no two runs have in common is told by its place: the run ids of the document stand for those of this run, the
//! sandbox's directory for this one's, and times are taken out.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use dn_sandbox::Profile;
use dn_tests::{Rehearsal, programs, root};
use regex::Regex;

/// The directory of the sandbox in the document.
const DIRECTORY: &str = "/tmp/walk";

fn section() -> String {
    let text = std::fs::read_to_string(root().join("docs/OPERATIONS.md")).unwrap();
    let found = text.split("\n## ").find(|part| part.starts_with("Plan, apply, undo\n"));
    found.expect("the walk").to_owned()
}

fn blocks(section: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let ends = section.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
    ends.collect()
}

/// The sandbox that the document's first block starts.
async fn sandbox(section: &str) -> Rehearsal {
    let serve = blocks(section, "sh").into_iter().find(|block| block.contains("dn-sandbox serve")).unwrap();
    let number = |flag: &str| {
        let value = Regex::new(&format!(r"--{flag} (\d+)")).unwrap();
        value.captures(&serve).unwrap_or_else(|| panic!("{flag}: {serve}"))[1].parse::<usize>().unwrap()
    };
    assert!(serve.contains(&format!("--dir {DIRECTORY}")), "{serve}");
    let seed = u64::try_from(number("seed")).unwrap();
    Rehearsal::generated(seed, number("channels"), number("videos"), Profile::Calm).await.unwrap()
}

/// A line of the shell as an operator would give it; what it prints on stdout.
async fn shell(environment: &BTreeMap<String, String>, line: &str) -> String {
    let mut command = Command::new("/bin/sh");
    let path = format!("{}:/usr/bin:/bin", programs().unwrap().display());
    command.args(["-c", line]).env_clear().envs(environment).env("PATH", path).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn run_ids(text: &str) -> Vec<String> {
    let id = Regex::new(r"\b\d{8}T\d{9}Z-[0-9a-f]{8}\b").unwrap();
    id.find_iter(text).map(|found| found.as_str().to_owned()).collect()
}

/// The run ids of the document and those of this run, in the order in which they turn up.
#[derive(Default)]
struct RunIds(Vec<(String, String)>);

impl RunIds {
    fn meet(&mut self, told: &str, real: &str) {
        for (told, real) in run_ids(told).into_iter().zip(run_ids(real)) {
            if !self.0.iter().any(|(known, _)| *known == told) {
                self.0.push((told, real));
            }
        }
    }

    fn to_real(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (told, real)| text.replace(told, real))
    }

    fn to_told(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (told, real)| text.replace(real, told))
    }
}

fn without_times(text: &str) -> String {
    let text = Regex::new(r"\d+\.\d s").unwrap().replace_all(text, "TIME");
    let text = Regex::new(r"\d{4}-\d\d-\d\dT[0-9:.]+Z").unwrap().replace_all(&text, "TIME");
    text.into_owned()
}

/// The commands of a transcript, each with what it printed.
fn steps(transcript: &str) -> Vec<(String, String)> {
    let mut steps: Vec<(String, String)> = Vec::new();
    for line in transcript.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push((command.to_owned(), String::new()));
        } else {
            let (_, printed) = steps.last_mut().expect("a transcript begins with a command");
            printed.push_str(line);
            printed.push('\n');
        }
    }
    steps
}

#[tokio::test(flavor = "multi_thread")]
async fn the_walk_plan_apply_undo_of_operations_goes_as_it_stands_there() {
    let section = section();
    let rehearsal = sandbox(&section).await;
    let here = rehearsal.directory().to_str().unwrap().to_owned();
    let environment = rehearsal.environment();
    let steps: Vec<(String, String)> =
        blocks(&section, "console").iter().flat_map(|block| steps(block)).collect();
    for command in ["plan", "apply --plan", "undo --run", "runs"] {
        let command = format!("cms-customid-cleanup {command}");
        assert!(steps.iter().any(|(line, _)| line.contains(&command)), "no {command} in the walk");
    }
    let mut ids = RunIds::default();
    let (mut told, mut real, mut transcript) = (Vec::new(), Vec::new(), Vec::new());
    for (line, printed) in &steps {
        let said = shell(&environment, &ids.to_real(&line.replace(DIRECTORY, &here))).await;
        let said = said.replace(&here, DIRECTORY);
        ids.meet(printed, &said);
        told.push(format!("$ {line}\n{printed}"));
        real.push(format!("$ {line}\n{}", ids.to_told(&said)));
        transcript.push(format!("$ {}\n{said}", ids.to_real(line)));
    }
    assert!(
        without_times(&told.concat()) == without_times(&real.concat()),
        "OPERATIONS has another walk than this:\n{}",
        transcript.concat()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_operations_for_plan_apply_undo_follow_each_other() {
    let section = section();
    let rehearsal = sandbox(&section).await;
    let block = blocks(&section, "sh").into_iter().find(|block| block.contains("RUN_ID")).unwrap();
    let mut before = String::new();
    let mut commands = Vec::new();
    for line in block.lines() {
        let line = line.split('#').next().unwrap().trim().replace("RUN_ID", &before);
        let arguments: Vec<&str> = line.split_whitespace().skip(1).chain(["--json"]).collect();
        let run = rehearsal.cleanup(&arguments).await.unwrap();
        assert!(matches!(run.code, Some(0 | 3)), "{line}: {run:?}");
        let summary = run.summary().unwrap();
        if let Some(id) = summary["runId"].as_str() {
            id.clone_into(&mut before);
        }
        commands.push(arguments[0].to_owned());
    }
    assert_eq!(commands, ["plan", "apply", "undo", "runs"]);
    let world = rehearsal.sandbox.world();
    assert!(rehearsal.sandbox.write_count() > 0);
    for (id, asset) in &world.assets {
        let now = rehearsal.sandbox.asset(id).and_then(|asset| asset.custom_id);
        assert_eq!(now, asset.custom_id, "{id}: what was applied is taken back");
    }
}
