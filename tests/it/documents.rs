//! The documents, held to what the programs are and say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Command, CommandFactory as _};
use dn_core::task::Exit;
use dn_sandbox::{Asset, Fault, Profile, ReportRow, Service, WorldBuilder};
use dn_tests::{Rehearsal, root};
use regex::Regex;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

pub(crate) fn document(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The JSON blocks of a document.
fn json_blocks(text: &str) -> Vec<Value> {
    let mut blocks = Vec::new();
    for block in text.split("```json\n").skip(1) {
        let (json, _) = block.split_once("```").expect("the block's end");
        blocks.push(serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}")));
    }
    blocks
}

/// The example of an event as it is on the bus.
pub(crate) fn event_example(detail_type: &str) -> Value {
    let mut examples = json_blocks(&document("docs/EVENTS.md")).into_iter();
    examples.find(|example| example["detail-type"] == detail_type).unwrap_or_else(|| panic!("{detail_type}"))
}

/// The example with the kind of each value in its place, so that two events of different runs can be compared.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), shape(value))).collect(),
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::Null => json!("null"),
        Value::Bool(_) => json!("true or false"),
        Value::Number(number) if number.is_f64() => json!("fraction"),
        Value::Number(_) => json!("whole number"),
        Value::String(_) => json!("text"),
    }
}

const CHANNEL: &str = "UCaaaaaaaaaaaaaaaaaaaaaa";

/// A partner channel, in the sheet and in the database, with one asset to be set.
fn one_of_each() -> WorldBuilder {
    let (asset, video) = ("A1000000000000001", "vid00000001");
    WorldBuilder::new()
        .channel(CHANNEL, "artist-one", "Artist One")
        .stored(CHANNEL, CHANNEL, Some("artist-one"), Some("Artist One"))
        .asset(Asset::web(asset, video))
        .row(ReportRow::new(video, CHANNEL).asset(asset, video))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_on_the_bus_is_as_its_example_says_and_every_example_is_met() {
    let rehearsal = Rehearsal::of(one_of_each()).await.unwrap();
    let quota = json!({"error": {"code": 403, "message": "The request cannot be completed because you have exceeded your quota.",
        "errors": [{"domain": "youtube.quota", "reason": "quotaExceeded"}]}});
    rehearsal.sandbox.faults().inject(
        Service::YouTube,
        "assets.patch",
        1,
        Fault::status(403, quota.to_string()),
    );
    assert_eq!(rehearsal.cleanup(&[]).await.unwrap().code, Some(8));
    let nothing = "s3://youtube-reporting-main/reports/nothing.csv";
    assert_eq!(rehearsal.cleanup(&["--report", nothing]).await.unwrap().code, Some(4));
    assert_eq!(rehearsal.backfill(&["--csv", "/nowhere/sheet.csv"]).await.unwrap().code, Some(4));
    // The success that starts the cleanup over the bus.
    assert_eq!(rehearsal.backfill(&[]).await.unwrap().code, Some(0));
    let started = rehearsal.sandbox.wait_invocation(1, Duration::from_mins(1)).await.unwrap();
    assert_eq!(started[0].exit_code, Some(0));
    let environment = rehearsal.environment();
    for (week, custom_id) in [("2020-01-06", "artist-one"), ("2020-01-13", "another")] {
        let reports = reports_of_a_week(&rehearsal, custom_id);
        let [assets, videos, claims] = &reports;
        let arguments = ["--week", week, "--assets", assets, "--videos", videos, "--claims", claims];
        assert_eq!(dn_tests::run("claims-report", &environment, &arguments).await.unwrap().code, Some(0));
    }
    let missing = ["--week", "2020-01-20", "--claims", "/nowhere/claims.csv"];
    assert_eq!(dn_tests::run("claims-report", &environment, &missing).await.unwrap().code, Some(4));

    let examples = json_blocks(&document("docs/EVENTS.md"));
    let kind = |event: &Value| format!("{}: {}", event["source"], event["detail-type"]);
    let told: BTreeMap<_, _> = examples
        .iter()
        .filter(|example| example.get("detail-type").is_some())
        .map(|example| (kind(example), shape(example)))
        .collect();
    let seen: BTreeMap<_, _> = rehearsal
        .sandbox
        .events()
        .iter()
        .map(|event| {
            let part = ["source", "detail-type", "detail"];
            let part: Value = part.iter().map(|name| ((*name).to_owned(), event[*name].clone())).collect();
            (kind(event), shape(&part))
        })
        .collect();
    assert_eq!(seen, told);
    for event in rehearsal.sandbox.events() {
        assert_is_event_time(&event["detail"]["timestamp"]);
    }
}

/// Three reports that agree but for the custom ID of their one asset.
fn reports_of_a_week(rehearsal: &Rehearsal, custom_id: &str) -> [String; 3] {
    let file = |name: &str, text: String| {
        let path = rehearsal.directory().join(format!("{custom_id}-{name}.csv"));
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (asset, video) = ("A1000000000000001", "vid00000001");
    [
        file(
            "assets",
            format!(
                "asset_id,custom_id,active_claims,asset_type,asset_title\n{asset},{custom_id},1,WEB,Song\n"
            ),
        ),
        file(
            "videos",
            format!(
                "video_id,channel_id,asset_id,custom_id,views\n{video},{CHANNEL},{asset},{custom_id},5\n"
            ),
        ),
        file(
            "claims",
            format!(
                "claim_id,channel_id,asset_id,claim_status,claim_type\nc1,{CHANNEL},{asset},ACTIVE,AUDIO\n"
            ),
        ),
    ]
}

fn assert_is_event_time(timestamp: &Value) {
    let form = Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$").unwrap();
    assert!(form.is_match(timestamp.as_str().unwrap()), "{timestamp}");
}

/// The body of each request of one operation, as a server that is nothing but a socket gets it. It takes every event.
async fn put_events_bodies(listener: TcpListener) -> Vec<Value> {
    let mut bodies = Vec::new();
    while let Ok((socket, _)) = listener.accept().await {
        let (operation, body) = request(socket).await.unwrap();
        if operation == "AWSEvents.PutEvents" {
            bodies.push(body);
            break;
        }
    }
    bodies
}

async fn request(socket: TcpStream) -> std::io::Result<(String, Value)> {
    let mut reader = BufReader::new(socket);
    let (mut operation, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).await?;
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("x-amz-target") => {
                value.trim().clone_into(&mut operation);
            }
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().unwrap();
            }
            None if line.trim().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await?;
    let answer = r#"{"FailedEntryCount":0,"Entries":[{"EventId":"e1"}],"Name":"bus","Arn":"arn:aws:events:us-east-1:000000000000:event-bus/bus"}"#;
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.len()
    );
    reader.write_all(head.as_bytes()).await?;
    reader.write_all(answer.as_bytes()).await?;
    reader.shutdown().await?;
    Ok((operation, serde_json::from_slice(&body)?))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_success_event_is_sent_as_the_specification_has_it_field_for_field() {
    let blocks = json_blocks(&document("docs/EVENTS.md"));
    let specified =
        blocks.iter().find(|block| block.get("DetailType").is_some()).expect("the request's form");
    assert_is_event_time(&specified["Detail"]["timestamp"]);

    // The sheet of the example: 372 rows, of which four are doubled or blank.
    let rehearsal = Rehearsal::generated(1, 372, 400, Profile::Calm).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut environment = rehearsal.environment();
    let address = format!("http://{}", listener.local_addr().unwrap());
    environment.insert("AWS_ENDPOINT_URL_EVENTBRIDGE".to_owned(), address);
    let (bodies, run) = tokio::join!(
        tokio::time::timeout(Duration::from_mins(1), put_events_bodies(listener)),
        dn_tests::run("channelbackfill", &environment, &[])
    );
    let run = run.unwrap();
    assert_eq!(run.code, Some(0), "{run:?}");

    let entry = &bodies.unwrap()[0]["Entries"][0];
    assert_eq!(entry["EventBusName"], json!(environment["EVENT_BUS_NAME"]));
    assert_eq!(entry["Source"], specified["Source"]);
    assert_eq!(entry["DetailType"], specified["DetailType"]);
    let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
    assert_is_event_time(&detail["timestamp"]);
    for (name, value) in specified["Detail"].as_object().unwrap() {
        if name == "timestamp" {
            continue;
        }
        assert_eq!(&detail[name], value, "{name}");
    }
    // What stands on the bus besides is in the bus's own example, and nothing more.
    assert_eq!(shape(&detail), shape(&event_example("Channel Backfill Completed")["detail"]));
}

/// The tasks and their command lines.
fn commands() -> BTreeMap<&'static str, Command> {
    [
        ("channelbackfill", channelbackfill::Args::command()),
        ("cms-customid-cleanup", cms_customid_cleanup::Args::command()),
        ("claims-report", claims_report::Args::command()),
    ]
    .into()
}

/// A setting as its table says it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Setting {
    flag: String,
    variables: Vec<String>,
    default: Option<String>,
}

/// The settings of each task by the tables of `text`. A table is for the tasks that its heading names.
fn documented(text: &str) -> BTreeMap<&'static str, Vec<Setting>> {
    let code = Regex::new("`([^`]+)`").unwrap();
    let mut all: BTreeMap<&str, Vec<Setting>> =
        commands().into_keys().map(|task| (task, Vec::new())).collect();
    let settings = text.split("\n## ").find(|part| part.starts_with("Settings\n")).expect("the settings");
    for section in settings.split("\n### ").skip(1) {
        let (heading, body) = section.split_once('\n').expect("a heading");
        let tasks: Vec<&str> = all.keys().copied().filter(|task| heading.contains(task)).collect();
        assert!(!tasks.is_empty(), "{heading:?} names no task");
        for line in body.lines().filter(|line| line.starts_with("| ")).skip(1) {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [flag, variables, default, _meaning] = cells[..] else { panic!("four cells: {line}") };
            let words = |cell| code.captures_iter(cell).map(|word| word[1].to_owned()).collect::<Vec<_>>();
            let whole = code.find(default).is_some_and(|word| word.len() == default.len());
            let setting = Setting {
                flag: flag.trim_matches('`').to_owned(),
                variables: words(variables),
                default: whole.then(|| default.trim_matches('`').to_owned()),
            };
            for task in &tasks {
                all.get_mut(task).unwrap().push(setting.clone());
            }
        }
    }
    all
}

/// The variables that a task reads, by the tables.
pub(crate) fn variables_of(task: &str) -> BTreeSet<String> {
    let settings = documented(&document("docs/OPERATIONS.md")).remove(task).expect("a task");
    settings.into_iter().flat_map(|setting| setting.variables).collect()
}

/// The flags of a task as its command line has them, subcommands included.
fn flags(command: &Command) -> BTreeSet<Setting> {
    let own = command.get_arguments().filter_map(|argument| {
        let default = argument.get_default_values().first();
        Some(Setting {
            flag: format!("--{}", argument.get_long()?),
            variables: argument.get_env().map(|name| name.to_str().unwrap().to_owned()).into_iter().collect(),
            default: default.map(|value| value.to_str().unwrap().to_owned()),
        })
    });
    let below = command.get_subcommands().flat_map(flags);
    own.chain(below).collect()
}

#[test]
fn every_flag_stands_in_operations_with_its_variable_and_default_and_no_other_does() {
    let told = documented(&document("docs/OPERATIONS.md"));
    for (task, command) in commands() {
        let told: Vec<&Setting> = told[task].iter().filter(|setting| !setting.flag.is_empty()).collect();
        let once: BTreeSet<Setting> = told.iter().copied().cloned().collect();
        assert_eq!(told.len(), once.len(), "{task}: a flag stands in two tables");
        let real = flags(&command);
        let untold: Vec<&Setting> = real.difference(&once).collect();
        let unreal: Vec<&Setting> = once.difference(&real).collect();
        assert!(
            untold.is_empty() && unreal.is_empty(),
            "{task}: OPERATIONS lacks {untold:#?} and has {unreal:#?}"
        );
    }
}

fn variables_in(text: &str) -> BTreeSet<String> {
    let variable = Regex::new(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_<>]*[A-Z0-9]\b").unwrap();
    variable.find_iter(text).map(|name| name.as_str().to_owned()).collect()
}

#[test]
fn every_variable_of_the_help_stands_in_operations_and_every_variable_there_is_read() {
    let told = documented(&document("docs/OPERATIONS.md"));
    let sources: String = sources().into_iter().map(|(_, text)| text).collect();
    for (task, command) in commands() {
        let help = variables_in(&command.get_after_help().expect("help on the environment").to_string());
        assert!(help.contains("AWS_REGION"), "{task}: {help:?}");
        let text: Vec<&str> = told[task].iter().flat_map(|one| &one.variables).map(String::as_str).collect();
        for name in &help {
            // API_<NAME>_… stands as the default of another.
            let pattern = name.contains('<') && document("docs/OPERATIONS.md").contains(name.as_str());
            assert!(pattern || text.contains(&name.as_str()), "{task}: {name} is in --help alone");
        }
        for setting in told[task].iter().filter(|setting| setting.flag.is_empty()) {
            assert!(!setting.variables.is_empty(), "{task}: a row without flag and variable");
            for name in &setting.variables {
                let read = sources.contains(&format!("\"{name}\""));
                assert!(read || help.contains(name), "{task}: nobody reads {name}");
            }
        }
    }
}

/// The code of the tasks and of what they are made of.
pub(crate) fn sources() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for name in ["domain", "core", "channelbackfill", "cms-customid-cleanup", "claims-report"] {
        files_below(&root().join("crates").join(name).join("src"), "rs", &mut files);
    }
    assert!(files.len() > 30, "the sources were not found");
    files
}

fn files_below(directory: &Path, extension: &str, files: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, extension, files);
        } else if path.extension().is_some_and(|found| found == extension) {
            let text = std::fs::read_to_string(&path).unwrap();
            files.push((path, text));
        }
    }
}

#[test]
fn every_exit_code_is_explained_and_no_other_is() {
    let text = document("docs/OPERATIONS.md");
    let table = text.split("\n## ").find(|part| part.starts_with("Exit codes\n")).expect("the exit codes");
    let row = Regex::new(r"(?m)^\| ([0-9, ]+) \|").unwrap();
    let told: BTreeSet<u8> = row
        .captures_iter(table)
        .flat_map(|row| row[1].split(", ").map(|code| code.parse().unwrap()).collect::<Vec<u8>>())
        .collect();
    let source = document("crates/core/src/task/exit.rs");
    let code = Regex::new(r"Self::(\w+) => (\d+),").unwrap();
    let codes: BTreeSet<u8> = code.captures_iter(&source).map(|code| code[2].parse().unwrap()).collect();
    assert!(codes.contains(&Exit::InputRefused.code()) && codes.contains(&Exit::Terminated.code()));
    assert_eq!(told, codes);
}

#[test]
fn every_message_that_operations_explains_is_one_that_the_code_says() {
    let text = document("docs/OPERATIONS.md");
    let failures =
        text.split("\n## ").find(|part| part.starts_with("When a run fails\n")).expect("the failures");
    // In the code a message is cut into lines and has places for values; so the longest piece of it is looked for.
    let gap = Regex::new(r"\\\n\s*").unwrap();
    let sources: String =
        sources().into_iter().map(|(_, text)| gap.replace_all(&text, "").into_owned()).collect();
    let quoted = Regex::new("`([^`]+)`").unwrap();
    let mut seen = 0;
    for heading in failures.split("\n### ").skip(1) {
        let (heading, body) = heading.split_once('\n').expect("a heading");
        for message in quoted.captures_iter(heading) {
            let piece = message[1].split('…').map(str::trim).max_by_key(|piece| piece.len()).unwrap();
            assert!(piece.len() > 10 && sources.contains(piece), "nobody says {piece:?}");
            seen += 1;
        }
        let commands = body.split("```sh\n").nth(1).and_then(|block| block.split("```").next());
        let commands = commands.unwrap_or_else(|| panic!("{heading}: no commands"));
        assert!(commands.lines().count() >= 2, "{heading}: {commands}");
    }
    assert!(seen >= 10, "the messages were not found");
}

/// The documents of the repository.
fn documents() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    files_below(&root().join("docs"), "md", &mut files);
    for name in ["README.md", "ARCHITECTURE.md"] {
        files.push((root().join(name), document(name)));
    }
    files
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut seen = 0;
    for (path, text) in documents() {
        for target in link.captures_iter(&text).map(|link| link[1].to_owned()) {
            if target.starts_with("https://") {
                continue;
            }
            let (file, anchor) =
                target.split_once('#').map_or((target.as_str(), None), |(f, a)| (f, Some(a)));
            let file = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(file.exists(), "{}: {target} is not there", path.display());
            if let Some(anchor) = anchor {
                let text = std::fs::read_to_string(&file).unwrap();
                let anchors: Vec<String> = text.lines().filter_map(anchor_of).collect();
                assert!(
                    anchors.iter().any(|one| one == anchor),
                    "{}: no heading for {target}",
                    path.display()
                );
            }
            seen += 1;
        }
    }
    assert!(seen > 10, "the links were not found");
}

/// The anchors of a document's headings.
pub(crate) fn anchors(name: &str) -> BTreeSet<String> {
    document(name).lines().filter_map(anchor_of).collect()
}

/// A heading's anchor, as it is made where Markdown is shown.
fn anchor_of(line: &str) -> Option<String> {
    let heading = line.strip_prefix('#')?.trim_start_matches('#').trim().to_lowercase();
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    Some(kept.map(|c| if c == ' ' { '-' } else { c }).collect())
}

#[test]
fn every_path_that_a_document_names_is_there() {
    let path = Regex::new(r"`((?:crates|docs|tests|infra|fixtures)/[A-Za-z0-9_./-]+)`").unwrap();
    let mut seen = 0;
    for (document, text) in documents() {
        for named in path.captures_iter(&text) {
            assert!(root().join(&named[1]).exists(), "{} names {}", document.display(), &named[1]);
            seen += 1;
        }
    }
    assert!(seen > 5, "the paths were not found");
}

#[test]
fn every_make_that_a_document_tells_of_is_one_that_the_makefile_knows() {
    let makefile = document("Makefile");
    let make = Regex::new(r"(?m)(?:^|`|\$ )make ([a-z-]+)\b").unwrap();
    let mut named: BTreeSet<String> = BTreeSet::new();
    for (_, text) in documents() {
        named.extend(make.captures_iter(&text).map(|make| make[1].to_owned()));
    }
    for needed in ["demo", "test", "release", "deploy"] {
        assert!(named.contains(needed), "{needed}: {named:?}");
    }
    for target in named {
        assert!(makefile.contains(&format!("\n{target}:")), "make {target}");
    }
}
