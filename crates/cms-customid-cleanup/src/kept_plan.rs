//! Plans in run folders: what a plan was made from, its bytes, and reading both back unchanged or not at all.

use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;

use anyhow::Context as _;
use dn_core::store;
use dn_core::task::{Context, Ended, Exit, InputError, Scratch};
use dn_domain::cleanup_plan::{PlanLine, PlanLineError};
use dn_domain::partner_channels::PartnerChannels;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Tally;

/// No inputs file is near this.
const MAX_INPUTS_BYTES: u64 = 64 * 1024;
const PLAN: &str = "plan.jsonl";
const INPUTS: &str = "plan-inputs.json";

/// What a plan was made from: it may only be applied while that still is so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PlanInputs {
    pub content_owner: String,
    pub filter_target: String,
    pub policy: String,
    pub report_uri: String,
    pub report_etag: Option<String>,
    /// Over every partner channel and its custom ID.
    pub partners_sha256: String,
    /// Of `plan.jsonl`.
    pub plan_sha256: String,
}

/// A plan that is durable: how many writes, and the local copy that they are read from.
pub(crate) struct Planned {
    path: tempfile::TempPath,
    pub count: u64,
}

impl Planned {
    /// Keeps the plan of this run; durable when it returns. Gives its SHA-256 beside it.
    pub async fn keep(
        context: &Context<Tally>,
        lines: Scratch,
        count: u64,
    ) -> anyhow::Result<(Self, String)> {
        let folder = context.run_folder()?;
        let (path, sha256) =
            folder.put_plan(PLAN, lines).await.context("the plan could not be kept; nothing was written")?;
        context.count(|tally| tally.plan_uri = Some(folder.uri(PLAN)));
        Ok((Self { path, count }, sha256))
    }

    /// The planned writes, in order. Each reading begins at the first.
    pub fn lines(&self) -> anyhow::Result<impl Iterator<Item = anyhow::Result<PlanLine>> + use<>> {
        read_lines(&self.path)
    }
}

/// Keeps what the plan was made from.
pub(crate) async fn keep_inputs(context: &Context<Tally>, inputs: &PlanInputs) -> anyhow::Result<()> {
    let folder = context.run_folder()?;
    Ok(folder.put(INPUTS, serde_json::to_vec_pretty(inputs)?).await?)
}

/// The fingerprint of a partner list.
pub(crate) fn fingerprint(partners: &PartnerChannels) -> String {
    let mut lines: Vec<String> = partners
        .iter()
        .map(|(_, partner)| {
            format!("{}\t{}\n", partner.channel_id, partner.target().map_or("", |id| id.as_str()))
        })
        .collect();
    lines.sort();
    hex::encode(Sha256::digest(lines.concat()))
}

/// Another run's plan, fetched and proved to be the bytes that were kept.
pub(crate) struct KeptPlan {
    pub inputs: PlanInputs,
    path: tempfile::TempPath,
}

impl KeptPlan {
    /// Fetches the plan of a run. One that is not whole is refused, never guessed.
    pub async fn fetch(context: &Context<Tally>, run_id: &str) -> anyhow::Result<Self> {
        let store = context.store()?;
        let refuse =
            |problem: String| Ended::new(Exit::InputRefused, format!("the plan of run {run_id:?} {problem}"));
        if run_id.is_empty() || !run_id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(Ended::new(
                Exit::Usage,
                format!("{run_id:?} is no run id; see cms-customid-cleanup runs"),
            )
            .into());
        }
        let key = |name: &str| format!("cms-customid-cleanup/runs/{run_id}/{name}");
        let inputs = store.get(&key(INPUTS), MAX_INPUTS_BYTES).await?;
        let Some((inputs, _)) = inputs else {
            return Err(refuse(
                "is not in the state folder (see cms-customid-cleanup runs, and --state-uri)".to_owned(),
            )
            .into());
        };
        let inputs: PlanInputs = serde_json::from_slice(&inputs)
            .map_err(|error| refuse(format!("has unreadable inputs: {error}")))?;
        let reader = store::open_read(&store.uri(&key(PLAN)), &context.aws).await;
        let path = tempfile::NamedTempFile::new()?.into_temp_path();
        let sha256 = match reader {
            Ok(reader) => {
                let to = path.to_path_buf();
                tokio::task::spawn_blocking(move || copy(reader.into_sync_read(), &to)).await??
            }
            // A plan without a single write is an empty file.
            Err(store::StoreError::Empty { .. }) => hex::encode(Sha256::digest([])),
            Err(error) => return Err(InputError(error).into()),
        };
        if sha256 != inputs.plan_sha256 {
            return Err(refuse(format!(
                "was changed after it was made: its SHA-256 is {sha256}, not {}; make a new plan",
                inputs.plan_sha256
            ))
            .into());
        }
        Ok(Self { inputs, path })
    }

    /// Its lines, in order. One that is no line of a plan as this program makes them is refused.
    pub fn lines(&self) -> anyhow::Result<impl Iterator<Item = anyhow::Result<PlanLine>> + use<>> {
        let lines = read_lines(&self.path)?;
        Ok(lines.map(|line| {
            line.map_err(|error| match error.downcast_ref::<PlanLineError>() {
                Some(_) => Ended::new(Exit::InputRefused, format!("{error:#}; make a new plan")).into(),
                None => error,
            })
        }))
    }
}

fn copy(mut from: impl std::io::Read, to: &Path) -> std::io::Result<String> {
    let mut file = BufWriter::new(std::fs::File::create(to)?);
    let mut sha256 = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            file.flush()?;
            return Ok(hex::encode(sha256.finalize()));
        }
        sha256.update(&buffer[..count]);
        file.write_all(&buffer[..count])?;
    }
}

fn read_lines(path: &Path) -> anyhow::Result<impl Iterator<Item = anyhow::Result<PlanLine>> + use<>> {
    let file = std::fs::File::open(path).context("the plan cannot be read back")?;
    let parse = |line: std::io::Result<String>| PlanLine::from_json(&line?).map_err(anyhow::Error::from);
    Ok(BufReader::new(file).lines().map(move |line| parse(line).context("the plan cannot be read back")))
}
