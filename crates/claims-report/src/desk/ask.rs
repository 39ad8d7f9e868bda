//! What is open by the Content ID API: searched by status, and of each claim since when.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use anyhow::Context as _;
use dn_core::task::settings::{RunSettings, YoutubeSettings};
use dn_core::task::{Context, Ended, Exit};
use dn_core::transport::{Authorization, CallError, CallErrorKind, Pace, Transport};
use dn_core::youtube::claims::{ClaimHistory, ClaimQuery, ClaimStatus, Claims, FoundClaim};
use dn_core::youtube::{CallBudget, TokenCache};
use dn_domain::claims::disputes::{Case, Since};
use dn_domain::claims::snapshot::OpenStatus;
use dn_domain::id::ClaimId;
use tokio::task::JoinSet;

use crate::fetch::day_of;

/// So many histories are asked for at once; the client's own pace is below that.
const AT_ONCE: usize = 64;

/// What the API says is open.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    /// Each claim once.
    pub cases: Vec<Case>,
    /// The titles of the claimed videos. Hostile text.
    pub titles: HashMap<ClaimId, String>,
    /// Whether a list moved while it was read, so that the count is known about alone.
    pub is_approximate: bool,
    /// Entries that could not be read.
    pub unreadable: u64,
    /// Claims whose history would set their deadline and could not be had.
    pub without_history: u64,
}

/// The client of the claims.
pub(crate) async fn connect<T: Clone>(
    context: &Context<T>,
    youtube: &YoutubeSettings,
    run: &RunSettings,
    budget: Option<Arc<CallBudget>>,
) -> anyhow::Result<Claims> {
    let refuse = |problem: String| Ended::new(Exit::Usage, format!("YOUTUBE_CREDENTIALS: {problem}"));
    let pace = Pace::persistent(run.max_wait).timing_out(run.call_timeout);
    let tokens = TokenCache::new(&youtube.credentials, pace, context.stop.token()).await.map_err(refuse)?;
    let authorization = Authorization::Bearer(Arc::new(tokens));
    let transport = Transport::new(authorization, youtube.pace(run), context.stop.token())?;
    let transport = transport.under(context.lease.clone()).within(budget);
    Ok(Claims::new(transport, youtube.api_base_url.clone(), youtube.content_owner.clone()))
}

/// Whether an error says only that the desk cannot be asked now; any other ends the run.
pub(crate) fn can_do_without(error: &anyhow::Error) -> bool {
    let call = error.chain().find_map(|link| link.downcast_ref::<CallError>());
    call.is_some_and(|error| {
        !matches!(
            error.kind,
            CallErrorKind::Unauthorized
                | CallErrorKind::Redirected
                | CallErrorKind::LockLost
                | CallErrorKind::Interrupted
        )
    })
}

/// Asks for everything that is open.
pub(crate) async fn ask(client: Claims) -> anyhow::Result<Asked> {
    let mut asked = Asked::default();
    // By claim: one that went from one status to another between two searches is in both.
    let mut found: BTreeMap<ClaimId, (OpenStatus, FoundClaim)> = BTreeMap::new();
    for status in ClaimStatus::WAITING {
        let name = status.name().to_owned();
        let answer = client.search(&ClaimQuery::of(status.clone())).await;
        let answer = answer.with_context(|| format!("the {name} claims could not be asked for"))?;
        asked.is_approximate |= answer.is_approximate;
        asked.unreadable += answer.unreadable;
        for claim in answer.claims {
            let Some(open) = open_status(&claim.status, &status) else { continue };
            match found.get(&claim.id) {
                // What was searched first is the more urgent, and stands unless the other is newer.
                Some((_, known)) if known.status_modified >= claim.status_modified => {}
                _ => {
                    asked.is_approximate |= found.insert(claim.id.clone(), (open, claim)).is_some();
                }
            }
        }
    }
    let client = Arc::new(client);
    let mut histories = histories(&client, &found).await?;
    for (id, (status, claim)) in found {
        let history = histories.remove(&id);
        let (since, is_exact) = since(status, &claim, history.as_ref());
        if !is_exact && has_deadline(status) {
            asked.without_history += 1;
        }
        asked.cases.push(Case {
            claim_id: id.clone(),
            status,
            since,
            asset_id: claim.asset_id,
            video_id: claim.video_id,
            channel_id: history.and_then(|history| history.uploader),
            views: claim.views.or(claim.engaged_views),
            there_since: claim.created.and_then(day_of),
        });
        asked.titles.insert(id, claim.video_title);
    }
    Ok(asked)
}

/// What a claim waits for: by its own status, and where that is a new or a general one by what was searched for. None
/// for one that no longer waits.
fn open_status(own: &ClaimStatus, searched: &ClaimStatus) -> Option<OpenStatus> {
    let of = |status: &ClaimStatus| match status {
        ClaimStatus::Appealed => Some(OpenStatus::Appealed),
        ClaimStatus::Disputed => Some(OpenStatus::Disputed),
        ClaimStatus::Potential => Some(OpenStatus::Potential),
        ClaimStatus::RoutedForReview => Some(OpenStatus::RoutedForReview),
        ClaimStatus::Pending => Some(OpenStatus::Pending),
        _ => None,
    };
    match own {
        ClaimStatus::Active | ClaimStatus::Inactive | ClaimStatus::Takedown => None,
        ClaimStatus::Pending | ClaimStatus::Other(_) => of(searched),
        own => of(own),
    }
}

fn has_deadline(status: OpenStatus) -> bool {
    matches!(status, OpenStatus::Appealed | OpenStatus::Disputed | OpenStatus::Potential)
}

/// Since when a claim is open, and whether that is more than an estimate.
fn since(status: OpenStatus, claim: &FoundClaim, history: Option<&ClaimHistory>) -> (Since, bool) {
    let objection = history.and_then(|history| match status {
        OpenStatus::Appealed => history.last_appeal(),
        _ => history.last_dispute(),
    });
    match (objection.and_then(day_of), claim.status_modified.and_then(day_of)) {
        (Some(day), _) => (Since::Objection(day), true),
        (None, Some(day)) => (Since::Status(day), false),
        (None, None) => (Since::Unknown, false),
    }
}

/// The histories of all claims that have a deadline, as far as they can be had. Once nothing more can be asked the rest
/// goes without.
async fn histories(
    client: &Arc<Claims>,
    found: &BTreeMap<ClaimId, (OpenStatus, FoundClaim)>,
) -> anyhow::Result<HashMap<ClaimId, ClaimHistory>> {
    let wanted = found.iter().filter(|(_, (status, _))| has_deadline(*status)).map(|(id, _)| id.clone());
    let mut wanted: Vec<ClaimId> = wanted.collect();
    let mut histories = HashMap::new();
    let mut under_way = JoinSet::new();
    loop {
        while under_way.len() < AT_ONCE
            && let Some(id) = wanted.pop()
        {
            let client = Arc::clone(client);
            under_way.spawn(async move {
                let history = client.history(&id).await;
                (id, history)
            });
        }
        let Some(done) = under_way.join_next().await else { return Ok(histories) };
        let (id, history) = done?;
        match history {
            Ok(Some(history)) => {
                histories.insert(id, history);
            }
            Ok(None) => {
                tracing::warn!(claim_id = id.as_str(), "claim has no history, its deadline is estimated");
            }
            Err(error) => {
                let ends = error.kind.ends_the_run();
                let error = anyhow::Error::from(error);
                if !can_do_without(&error) {
                    return Err(error.context("the claims' histories could not be asked for"));
                }
                if ends {
                    wanted.clear();
                }
                tracing::warn!(
                    claim_id = id.as_str(),
                    error = format!("{error:#}"),
                    "history not to be had, the deadline is estimated"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a22_a_status_that_is_new_is_what_was_searched_for_and_one_that_is_settled_is_none() {
        let other = ClaimStatus::Other("underDiscussion".to_owned());
        assert_eq!(open_status(&other, &ClaimStatus::Disputed), Some(OpenStatus::Disputed));
        assert_eq!(
            open_status(&ClaimStatus::Pending, &ClaimStatus::RoutedForReview),
            Some(OpenStatus::RoutedForReview)
        );
        assert_eq!(open_status(&ClaimStatus::Appealed, &ClaimStatus::Disputed), Some(OpenStatus::Appealed));
        assert_eq!(open_status(&ClaimStatus::Active, &ClaimStatus::Disputed), None);
    }
}
