//! What the checks of several tasks ask of the outside, a line for each.

use std::future::Future;
use std::io::Read;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use dn_domain::refusal::Refusal;

use super::Row;
use crate::eventbridge::{Described, EventBus};
use crate::graphql::AppSync;
use crate::store::{self, Condition, ETag, Store, StoreError};
use crate::task::settings::GraphqlSettings;
use crate::task::{Context, InputError, clock};
use crate::transport::{Pace, Transport};

/// How long a check bears a server that only fails: somebody waits for it, unlike for a run.
pub const PATIENCE: Duration = Duration::from_secs(15);
/// And how long one line may take in all.
const LINE_LIMIT: Duration = Duration::from_secs(30);
/// Signatures and assertions bear five minutes; what is below that and beyond a slow answer is told.
const SKEW_TOLD: Duration = Duration::from_secs(30);
const SKEW_BORNE: Duration = Duration::from_mins(5);
const SECONDS_PER_DAY: u64 = 86_400;

/// What one input's opening is to find out: its columns, told in a few words.
pub type Open = fn(&str, Box<dyn Read + Send>) -> Result<String, Refusal>;

/// A line that does not come in time is one that failed.
pub async fn in_time(what: &'static str, probe: impl Future<Output = Row>) -> Row {
    tokio::time::timeout(LINE_LIMIT, probe).await.unwrap_or_else(|_| {
        let detail = format!("no answer within {} s", LINE_LIMIT.as_secs());
        Row::fail(what, detail, "see that the service is up and that this network lets the task reach it")
    })
}

/// The GraphQL database: one page of one record, which proves the endpoint and the key or role for reading. The
/// clock is held against the answer's date.
pub async fn graphql<T: Clone>(settings: Option<&GraphqlSettings>, context: &Context<T>) -> [Row; 2] {
    const WHAT: &str = "graphql database";
    const CLOCK: &str = "clock";
    let Some(settings) = settings else {
        return [Row::not_checked(WHAT, "its settings"), Row::not_checked(CLOCK, "the GraphQL database")];
    };
    let (how, mend) = match &settings.api_key {
        Some(_) => (
            "the API key",
            "compare --graphql-endpoint (GRAPHQL_ENDPOINT) with the API in the AppSync console; a key that is refused \
             is made anew there and put into the secret behind GRAPHQL_API_KEY",
        ),
        None => (
            "the task role",
            "compare --graphql-endpoint (GRAPHQL_ENDPOINT) and AWS_REGION with the API in the AppSync console; a role \
             that is refused is listed in Amplify's custom-roles.json; set GRAPHQL_API_KEY to use a key instead",
        ),
    };
    let glimpse = async {
        let authorization = settings.authorization(&context.aws)?;
        let transport = Transport::new(authorization, Pace::unhurried(PATIENCE), context.stop.token())?;
        anyhow::Ok(AppSync::new(transport, settings.endpoint.clone(), settings.versioning).glimpse().await?)
    };
    let glimpse = tokio::time::timeout(LINE_LIMIT, glimpse).await;
    let glimpse =
        glimpse.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer within {} s", LINE_LIMIT.as_secs())));
    match glimpse {
        Err(error) => [Row::of_error(WHAT, &error, mend), Row::not_checked(CLOCK, "the GraphQL database")],
        Ok(glimpse) => {
            let held =
                if glimpse.is_empty { "holds no partner channel yet" } else { "lists partner channels" };
            let host = settings.endpoint.host_str().unwrap_or_default();
            [
                Row::pass(WHAT, format!("{host} takes {how} and {held}")),
                clock_row(CLOCK, clock::system_now(), glimpse.date),
            ]
        }
    }
}

fn clock_row(what: &'static str, here: SystemTime, there: Option<SystemTime>) -> Row {
    let Some(there) = there else {
        let fix = "compare it with another clock if signatures or tokens are refused";
        return Row::warn(what, "the GraphQL database's answer has no date to compare with", fix);
    };
    let skew = here.duration_since(there).or_else(|_| there.duration_since(here)).unwrap_or_default();
    let detail = format!("{} s from the GraphQL database's", skew.as_secs());
    let fix = "set this machine's clock (NTP): signatures and sign-ins with a wrong time are refused";
    if skew > SKEW_BORNE {
        Row::fail(what, detail, fix)
    } else if skew > SKEW_TOLD {
        Row::warn(what, detail, fix)
    } else {
        Row::pass(what, detail)
    }
}

/// The event bus: that it is there. That events may be put on it shows only when one is.
pub async fn event_bus<T: Clone>(bus: &str, context: &Context<T>) -> Row {
    const WHAT: &str = "event bus";
    let client = EventBus::new(&context.aws, bus);
    match client.describe().await {
        Ok(Described::There) => Row::pass(WHAT, format!("{bus} is there")),
        Ok(Described::NotAllowed { reason }) => Row::warn(
            WHAT,
            format!("{bus} could not be looked at: {reason}"),
            "nothing, if the role has events:PutEvents on it; allow events:DescribeEventBus to have it checked",
        ),
        Ok(Described::Absent { reason }) => {
            Row::fail(WHAT, reason, "see --event-bus (EVENT_BUS_NAME) and AWS_REGION, or make the bus")
        }
        Err(error) => Row::of_error(
            WHAT,
            &error.into(),
            "see the task role or AWS_ACCESS_KEY_ID, AWS_REGION and AWS_ENDPOINT_URL_EVENTBRIDGE",
        ),
    }
}

/// The state folder: that it can be listed, and that a write is let in and its condition kept. The write is one whose
/// condition cannot hold, so nothing is left and nothing has to be deleted.
pub async fn state_folder<T: Clone>(uri: &str, task: &str, context: &Context<T>) -> Row {
    const WHAT: &str = "state folder";
    const FIX: &str = "see --state-uri (STATE_URI); the task role needs s3:GetObject and s3:PutObject on it, or the \
        task's user may write the directory";
    let key = format!("{task}/check-probe");
    let store = match Store::open(uri, &context.aws) {
        Ok(store) => store,
        Err(error) => return Row::of_error(WHAT, &error.into(), FIX),
    };
    let impossible = Condition::IfMatch(ETag::new("\"no-version-of-anything\""));
    match store.put(&key, Bytes::from_static(b"check\n"), impossible).await {
        Err(StoreError::Precondition { .. }) => {}
        Err(error) => return Row::of_error(WHAT, &error.into(), FIX),
        Ok(_) => {
            let detail = format!("{uri}: a write was let in whose condition does not hold");
            let kept = match store.delete(&key).await {
                Ok(()) => String::new(),
                Err(error) => format!("; the probe is still there: {error}"),
            };
            return Row::fail(
                WHAT,
                format!("{detail}{kept}"),
                "use a store that keeps conditions on writes, as S3 does: the task's lock depends on it",
            );
        }
    }
    match store.list_folders(&format!("{task}/runs")).await {
        Ok(runs) => Row::pass(WHAT, format!("{uri} can be written; {} runs are kept there", runs.len())),
        Err(error) => Row::warn(
            WHAT,
            format!("{uri} can be written, and its runs cannot be listed: {error}"),
            "allow s3:ListBucket on the state folder; runs need it to be shown",
        ),
    }
}

/// An input: opened and its header read. `setting` is where its address is set; `max_age` how old it may be.
pub async fn input<T: Clone>(
    what: &'static str,
    uri: &str,
    setting: &str,
    max_age: Option<Duration>,
    open: Open,
    context: &Context<T>,
) -> Row {
    let fix = format!("see {setting}, and that the task may read it (s3:GetObject)");
    let reader = match store::open_read(uri, &context.aws).await {
        Ok(reader) => reader,
        Err(error) => return Row::of_error(what, &InputError(error).into(), fix),
    };
    let (modified, size_bytes) = (reader.modified, reader.size_bytes);
    let name = uri.to_owned();
    let opened = tokio::task::spawn_blocking(move || open(&name, Box::new(reader.into_sync_read()))).await;
    let held = match opened {
        Ok(Ok(held)) => held,
        Ok(Err(refusal)) => {
            let fix = refusal.remedy.clone();
            return Row::of_error(what, &refusal.into(), fix);
        }
        Err(error) => return Row::of_error(what, &error.into(), fix),
    };
    let size = size_bytes.map_or_else(String::new, |size_bytes| format!(", {size_bytes} bytes"));
    let age = modified.map(|modified| context.info.started_at.duration_since(modified));
    let detail = match age {
        Some(age) if age.is_negative() => {
            let detail = format!("{uri}: {held}{size}, and its date is in the future");
            return Row::warn(what, detail, "set the clock of this machine, or of where it was written");
        }
        Some(age) => {
            format!("{uri}: {held}{size}, {} days old", age.unsigned_abs().as_secs() / SECONDS_PER_DAY)
        }
        None => format!("{uri}: {held}{size}"),
    };
    match (age, max_age) {
        (Some(age), Some(limit)) if age.unsigned_abs() > limit => {
            let detail = format!("{detail} (the limit is {} days)", limit.as_secs() / SECONDS_PER_DAY);
            Row::warn(
                what,
                detail,
                "see why none was delivered since, or lift --max-report-age (MAX_REPORT_AGE)",
            )
        }
        _ => Row::pass(what, detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case(0, "PASS")]
    #[case(30, "PASS")]
    #[case(31, "WARN")]
    #[case(301, "FAIL")]
    fn a_clock_is_judged_by_how_far_it_is_off_either_way(#[case] off_s: u64, #[case] state: &str) {
        let (here, off) = (SystemTime::UNIX_EPOCH + Duration::from_hours(1), Duration::from_secs(off_s));
        for there in [here + off, here - off] {
            let row = serde_json::json!(clock_row("clock", here, Some(there)));
            assert_eq!(row["state"], state, "{row}");
        }
    }
}
