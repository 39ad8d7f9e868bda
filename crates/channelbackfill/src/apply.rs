//! The writes: in aliased batches, and again for what somebody else changed in between.

use dn_core::graphql::{AppSync, ChannelWrite, Found, WRITES_PER_REQUEST, WriteOutcome};
use dn_core::task::Context;
use dn_core::transport::CallError;
use dn_domain::backfill_plan::{self, BackfillPlan, Step};
use dn_domain::channel_sheet::ChannelRow;
use serde_json::json;

use crate::report::Tally;

/// A record that keeps changing under the write is looked at so often.
const MAX_ROUNDS: usize = 3;

/// A row that could not be brought into the database.
pub(crate) struct FailedRow<'a> {
    pub row: &'a ChannelRow,
    pub code: String,
    pub reason: String,
}

/// One write and the row that asks for it.
struct Write<'a> {
    step: usize,
    row: &'a ChannelRow,
    request: ChannelWrite,
}

/// What became of a step.
#[derive(Clone)]
enum Fate {
    Created,
    Updated,
    Unchanged,
    Failed { code: String, reason: String },
}

/// What the writes came to: also of a run that ended in the middle of them.
pub(crate) struct Applied<'a> {
    /// The rows that failed for good.
    pub failed: Vec<FailedRow<'a>>,
    /// What ended the run before the last row, if anything did.
    pub ended: Option<anyhow::Error>,
}

/// Writes what differs and counts every row. Outcomes are kept whatever ends the run.
pub(crate) async fn apply<'a>(
    appsync: &AppSync,
    context: &Context<Tally>,
    plan: &BackfillPlan<'a>,
) -> anyhow::Result<Applied<'a>> {
    let mut fates: Vec<Fate> = plan.steps.iter().map(intended).collect();
    let unchanged = plan.counts().unchanged;
    context.count(|tally| tally.rows.unchanged = unchanged);
    let writes: Vec<Write<'_>> =
        plan.steps.iter().enumerate().flat_map(|(index, step)| writes_of(index, step)).collect();
    let progress = context.progress.step("channels", Some(writes.len() as u64));
    let mut outcomes = Vec::new();
    let mut applied = Applied { failed: Vec::new(), ended: None };
    // A step's writes may stand in two batches (one channel stored twice): it is counted when its last one is done.
    let mut done_steps = 0;
    for (number, batch) in writes.chunks(WRITES_PER_REQUEST).enumerate() {
        if let Err(error) = write_batch(appsync, batch, &mut fates).await {
            applied.ended = Some(error);
            break;
        }
        progress.advance(batch.len() as u64);
        let next = writes.get((number + 1) * WRITES_PER_REQUEST).map_or(plan.steps.len(), |write| write.step);
        for (step, fate) in plan.steps.iter().zip(&fates).take(next).skip(done_steps) {
            let row = step.row();
            if !matches!(step, Step::Unchanged { .. }) {
                count(context, fate);
            }
            if let Fate::Failed { code, reason } = fate {
                tracing::warn!(line = row.line, channel_id = %row.channel_id, code, reason, "channel not written");
                applied.failed.push(FailedRow { row, code: code.clone(), reason: reason.clone() });
            }
            outcomes.push(outcome_line(row, fate));
        }
        done_steps = next;
    }
    if !outcomes.is_empty() {
        let kept = context.run_folder()?.put("outcomes-0001.jsonl", outcomes.concat().into_bytes()).await;
        if let Err(error) = kept {
            applied.ended.get_or_insert(error.into());
        }
    }
    Ok(applied)
}

async fn write_batch(appsync: &AppSync, batch: &[Write<'_>], fates: &mut [Fate]) -> anyhow::Result<()> {
    let requests: Vec<ChannelWrite> = batch.iter().map(|write| write.request.clone()).collect();
    let answers = appsync.write_channels(&requests).await?;
    for (write, answer) in batch.iter().zip(answers) {
        settle(appsync, write, answer, &mut fates[write.step]).await?;
    }
    Ok(())
}

fn intended(step: &Step<'_>) -> Fate {
    match step {
        Step::Create { .. } => Fate::Created,
        Step::Update { .. } => Fate::Updated,
        Step::Unchanged { .. } => Fate::Unchanged,
    }
}

fn writes_of<'a>(step: usize, planned: &Step<'a>) -> Vec<Write<'a>> {
    let write = |row: &'a ChannelRow, id: &str, create, version| Write {
        step,
        row,
        request: ChannelWrite {
            id: id.to_owned(),
            create,
            channel_id: row.channel_id,
            custom_id: row.custom_id.clone(),
            display_name: row.display_name.clone(),
            version,
        },
    };
    match planned {
        Step::Create { row } => vec![write(row, row.channel_id.as_str(), true, None)],
        Step::Update { row, records } => {
            records.iter().map(|record| write(row, &record.id, false, record.version)).collect()
        }
        Step::Unchanged { .. } => Vec::new(),
    }
}

impl Fate {
    /// A step is what its worst write is: one record that failed is not made good by another that was written.
    fn becomes(&mut self, fate: Self) {
        if !matches!(self, Self::Failed { .. }) {
            *self = fate;
        }
    }
}

/// Takes one write's outcome into its step. A failed condition means that the record is there although it was not
/// (an answer got lost, or somebody else made it), is gone although it was there, or is of another version than was
/// read: it is read and decided again.
async fn settle(
    appsync: &AppSync,
    write: &Write<'_>,
    outcome: WriteOutcome,
    fate: &mut Fate,
) -> anyhow::Result<()> {
    let mut outcome = outcome;
    let mut request = write.request.clone();
    let mut makes = request.create;
    let mut rounds = 0;
    loop {
        match outcome {
            WriteOutcome::Written => {
                fate.becomes(if makes { Fate::Created } else { Fate::Updated });
                return Ok(());
            }
            WriteOutcome::Failed { code, reason } => {
                fate.becomes(Fate::Failed { code, reason });
                return Ok(());
            }
            WriteOutcome::ConditionFailed if rounds == MAX_ROUNDS => {
                let reason = format!("the record kept changing under the write, {MAX_ROUNDS} times");
                fate.becomes(Fate::Failed { code: "keeps_changing".to_owned(), reason });
                return Ok(());
            }
            WriteOutcome::ConditionFailed => match write_again(appsync, write, &mut request).await {
                Ok(Again::Nothing) => {
                    fate.becomes(Fate::Unchanged);
                    return Ok(());
                }
                Ok(Again::Wrote { outcome: again, making }) => (outcome, makes) = (again, making),
                Err(error) if error.kind.ends_the_run() => return Err(error.into()),
                Err(error) => {
                    fate.becomes(Fate::Failed { code: error.kind.code().to_owned(), reason: error.reason });
                    return Ok(());
                }
            },
        }
        rounds += 1;
    }
}

/// What a second look at a record led to.
enum Again {
    /// It says already what the sheet says.
    Nothing,
    /// It was written.
    Wrote {
        outcome: WriteOutcome,
        /// Whether the channel had no record (or a deleted one).
        making: bool,
    },
}

/// Reads the record and writes what is still to be written. A deleted record keeps its id: it is brought back by an
/// update, since a create would find the id taken for ever.
async fn write_again(
    appsync: &AppSync,
    write: &Write<'_>,
    request: &mut ChannelWrite,
) -> Result<Again, CallError> {
    let making = match appsync.get_channel(&request.id).await? {
        Found::Absent => {
            (request.create, request.version) = (true, None);
            true
        }
        Found::Deleted { version } => {
            (request.create, request.version) = (false, version);
            true
        }
        Found::Stored(record) => {
            let decided = backfill_plan::plan(std::slice::from_ref(write.row), std::slice::from_ref(&record));
            request.create = match decided.steps.first() {
                Some(Step::Unchanged { .. }) => return Ok(Again::Nothing),
                Some(Step::Update { .. }) => false,
                _ => true,
            };
            request.version = record.version.filter(|_| !request.create);
            request.create
        }
    };
    let answers = appsync.write_channels(std::slice::from_ref(request)).await?;
    let outcome = answers.into_iter().next().unwrap_or(WriteOutcome::ConditionFailed);
    Ok(Again::Wrote { outcome, making })
}

fn count(context: &Context<Tally>, fate: &Fate) {
    context.count(|tally| match fate {
        Fate::Created => tally.rows.created += 1,
        Fate::Updated => tally.rows.updated += 1,
        Fate::Unchanged => tally.rows.unchanged += 1,
        Fate::Failed { .. } => tally.rows.error += 1,
    });
}

fn outcome_line(row: &ChannelRow, fate: &Fate) -> String {
    let (outcome, code, reason) = match fate {
        Fate::Created => ("created", None, None),
        Fate::Updated => ("updated", None, None),
        Fate::Unchanged => ("unchanged", None, None),
        Fate::Failed { code, reason } => ("failed", Some(code), Some(reason)),
    };
    let line = json!({"channelId": row.channel_id, "outcome": outcome, "code": code, "reason": reason, "row": row.record});
    format!("{line}\n")
}
