//! Today's numbers of the videos that a report tells of, through the Data API.
//!
//! They are a help and no part of the week: without them the report is whole, so whatever goes wrong here is a line of the
//! log and of the report's sources, and never the run's end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dn_core::task::settings::{RunSettings, YoutubeSettings};
use dn_core::task::{Context, clock};
use dn_core::transport::{Authorization, CallErrorKind, Pace, Transport};
use dn_core::youtube::data::{AskedVideos, FoundVideo, VideoStats};
use dn_core::youtube::{CallBudget, TokenCache, Videos};
use dn_domain::claims::alert::Alert;
use dn_domain::claims::digest::{Digest, SourceFile, SourceState};
use dn_domain::claims::live::{Live, Numbers, Wanted, put};
use dn_domain::claims::snapshot::ReportFacts;
use dn_domain::id::VideoId;

use crate::Tally;

/// Nobody waits longer for a help, whatever the patience of the run.
const PATIENCE: Duration = Duration::from_mins(1);

/// The first video that YouTube had: it is asked for to see that anything is answered.
const FIRST_VIDEO: &str = "jNQXAC9IVRw";

const SOURCE: &str = "live numbers";

/// What was asked and answered; empty where nobody was asked.
#[derive(Debug, Default)]
pub(crate) struct Told {
    wanted: Vec<Wanted>,
    found: BTreeMap<VideoId, Live>,
    /// How many different videos were asked for.
    asked: u64,
    as_of: String,
}

/// Asks for the videos of the alerts, the gravest first, for as many units as a run may spend.
pub(crate) async fn ask(
    context: &Context<Tally>,
    youtube: &YoutubeSettings,
    run: &RunSettings,
    units: u64,
    wanted: &[Wanted],
) -> anyhow::Result<Told> {
    let mut seen = BTreeSet::new();
    let ids = wanted.iter().flat_map(|one| &one.videos).map(|video| video.id);
    let ids: Vec<VideoId> = ids.filter(|id| seen.insert(*id)).collect();
    let budget = CallBudget::of_run(units, "units of the Data API a run (--data-units)");
    let (asked, spent) = match connect(context, youtube, run, Some(budget)).await {
        Ok(client) => {
            let asked = client.list(&ids).await;
            (asked, client.request_count())
        }
        Err(error) => {
            tracing::warn!(
                error = format!("{error:#}"),
                "Data API not asked, the report goes without live numbers"
            );
            (AskedVideos::default(), 0)
        }
    };
    if let Some(error) = asked.error {
        if matches!(error.kind, CallErrorKind::Interrupted | CallErrorKind::LockLost) {
            return Err(error.into());
        }
        let missing = ids.len() - asked.found.len();
        tracing::warn!(videos = missing, %error, "Data API did not answer, the report goes without their live numbers");
    }
    let found: BTreeMap<VideoId, Live> =
        asked.found.into_iter().map(|(id, found)| (id, live(found))).collect();
    let answered = found.len() as u64;
    context.count(|tally| {
        tally.data_units = Some(spent);
        tally.live_videos = Some(answered);
    });
    Ok(Told {
        wanted: wanted.to_vec(),
        found,
        asked: ids.len() as u64,
        as_of: clock::event_time(context.info.started_at),
    })
}

/// Whether the API answers at all: one unit.
pub(crate) async fn probe<T: Clone>(
    context: &Context<T>,
    youtube: &YoutubeSettings,
    run: &RunSettings,
) -> anyhow::Result<()> {
    let client = connect(context, youtube, run, None).await?;
    match client.list(&[FIRST_VIDEO.parse()?]).await.error {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

async fn connect<T: Clone>(
    context: &Context<T>,
    youtube: &YoutubeSettings,
    run: &RunSettings,
    budget: Option<CallBudget>,
) -> anyhow::Result<Videos> {
    let patience = run.max_wait.min(PATIENCE);
    let pace = Pace::persistent(patience).timing_out(run.call_timeout);
    let tokens = TokenCache::new(&youtube.credentials, pace, context.stop.token()).await;
    let tokens = tokens.map_err(|problem| anyhow::anyhow!("YOUTUBE_CREDENTIALS: {problem}"))?;
    let authorization = Authorization::Bearer(Arc::new(tokens));
    let pace = Pace { max_wait: patience, ..youtube.pace(run) };
    let transport = Transport::new(authorization, pace, context.stop.token())?;
    let transport = transport.under(context.lease.clone()).within(budget.map(Arc::new));
    Ok(Videos::new(transport, youtube.data_base_url.clone()))
}

fn live(found: FoundVideo) -> Live {
    match found {
        FoundVideo::Gone => Live::Gone,
        FoundVideo::There(VideoStats { views, likes, comments }) => {
            Live::There(Numbers { views, likes, comments })
        }
    }
}

impl Told {
    /// Puts the numbers into the evidence of the alerts that they are of.
    pub fn put_into(&self, alerts: &mut [Alert]) {
        let wanted: BTreeMap<&str, &Wanted> =
            self.wanted.iter().map(|wanted| (wanted.alert.as_str(), wanted)).collect();
        for alert in alerts {
            if let Some(wanted) = wanted.get(alert.id.as_str()) {
                put(alert, &wanted.videos, &self.found, &self.as_of);
            }
        }
    }

    /// Tells the reader: the numbers with the alerts, and among the sources where they are from.
    pub fn tell_in(&self, digest: &mut Digest) {
        if self.asked == 0 {
            return;
        }
        self.put_into(&mut digest.alerts);
        let answered = self.found.len() as u64;
        let facts = ReportFacts {
            rows: self.asked,
            used: answered,
            rejected: self.asked - answered,
            entries: answered,
            ..ReportFacts::default()
        };
        digest.sources.push(SourceFile {
            name: SOURCE.to_owned(),
            uri: String::new(),
            date: None,
            state: if answered == 0 { SourceState::Missing } else { SourceState::Used },
            facts: (answered > 0).then_some(facts),
            reconciliation: None,
        });
    }
}
