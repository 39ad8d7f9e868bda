//! The internal content database: the partner channels, and the videos where the API has them.

use std::sync::Arc;

use anyhow::Context as _;
use dn_core::graphql::{AppSync, VideosRead};
use dn_core::task::Context;
use dn_core::task::settings::GraphqlSettings;
use dn_core::transport::Transport;
use dn_domain::claims::snapshot::{DatabaseVideos, Gather, ReportFacts};
use dn_domain::claims::week::Week;
use dn_domain::id::ChannelId;
use dn_domain::partner_channels::PartnerChannels;
use dn_domain::printable::printable;

use crate::Tally;
use crate::args::Settings;

/// So many unusable records of videos are told in the log.
const LOGGED_RECORDS: u64 = 20;

/// What a run has of the database. It is read once, whatever number of weeks is made.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub partners: PartnerChannels,
    /// None where the API has no videos.
    videos: Option<Arc<DatabaseVideos>>,
}

impl Database {
    /// Reads it whole, or not at all.
    pub async fn read(
        context: &Context<Tally>,
        graphql: &GraphqlSettings,
        settings: &Settings,
    ) -> anyhow::Result<Self> {
        let authorization = graphql.authorization(&context.aws)?;
        let transport = Transport::new(authorization, settings.run.pace(), context.stop.token())?;
        let appsync = AppSync::new(transport, graphql.endpoint.clone(), graphql.versioning);
        let partners = partner_channels(&appsync).await?;
        let videos = videos(context, &appsync, &partners).await?.map(Arc::new);
        Ok(Self { partners, videos })
    }

    /// A week that knows the partner channels and whose assets are by the videos.
    pub fn gather(&self, week: Week) -> Gather {
        let gather = Gather::new(week, ids(&self.partners));
        match &self.videos {
            Some(videos) => gather.with_database(Arc::clone(videos)),
            None => gather,
        }
    }

    /// Whether there are videos to go by.
    pub fn has_videos(&self) -> bool {
        self.videos.is_some()
    }

    /// What the videos came to; none where there are none to go by.
    pub fn video_facts(&self) -> Option<ReportFacts> {
        self.videos.as_ref().map(|videos| videos.facts())
    }
}

fn ids(partners: &PartnerChannels) -> impl Iterator<Item = ChannelId> {
    partners.iter().map(|(_, partner)| partner.channel_id)
}

async fn partner_channels(appsync: &AppSync) -> anyhow::Result<PartnerChannels> {
    let records = appsync.list_channels().await.context("the partner channels could not be listed")?;
    let partners = PartnerChannels::build(&records);
    for note in partners.unusable() {
        tracing::warn!(note, "partner channel record not usable");
    }
    for (partner, why) in partners.left_out() {
        tracing::warn!(channel_id = %partner.channel_id, why = %why, "partner channel left out: mend its record");
    }
    tracing::info!(partner_channels = partners.len(), "partner channels listed");
    Ok(partners)
}

/// The videos; none where the API has none, or none that says whose an asset is.
async fn videos(
    context: &Context<Tally>,
    appsync: &AppSync,
    partners: &PartnerChannels,
) -> anyhow::Result<Option<DatabaseVideos>> {
    let mut videos = DatabaseVideos::new(ids(partners));
    let mut unusable = 0;
    let step = context.progress.step("videos", None);
    let read = appsync.list_videos(|video| {
        step.advance(1);
        let Err(error) = videos.add(video.channel_id.as_deref(), video.asset_id.as_deref()) else { return };
        unusable += 1;
        if unusable <= LOGGED_RECORDS {
            tracing::warn!(record = printable(&video.id), %error, "video record of the database not usable");
        }
    });
    match read.await.context("the videos of the database could not be listed")? {
        VideosRead::NotThere { reason } => {
            tracing::info!(
                reason,
                "the GraphQL database has no videos: channels of assets are the reports' alone"
            );
            return Ok(None);
        }
        VideosRead::Read => {}
    }
    let facts = videos.facts();
    tracing::info!(
        videos = facts.rows,
        used = facts.used,
        unusable,
        assets = facts.entries,
        "videos of the database listed"
    );
    Ok(Some(videos).filter(|videos| !videos.is_empty()))
}
