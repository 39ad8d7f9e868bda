//! What a cleanup needs, a line for each.

use std::io::Read;
use std::sync::Arc;

use dn_core::task::check::probes::{self, PATIENCE, in_time};
use dn_core::task::check::{Checked, Row, settings_rows};
use dn_core::task::settings::{given, read_credentials};
use dn_core::task::{Context, Environment, Problems, Task as _};
use dn_core::transport::{Authorization, CallErrorKind, Pace, Transport};
use dn_core::youtube::{ContentId, Credentials, TokenCache};
use dn_domain::id::AssetId;
use dn_domain::refusal::Refusal;
use dn_domain::video_report::VideoReport;

use crate::{Args, Cleanup, Command, MAX_REPORT_AGE, REPORT};

/// Well formed and nobody's: whether the API answers is what is asked, not what it has.
const NO_ASSET: &str = "A000000000000000";

impl Checked for Cleanup {
    fn asks_for_check(args: &Args) -> bool {
        args.command == Some(Command::Check)
    }

    async fn check(args: &Args, environment: &Environment, context: &Context<Vec<Row>>) -> Vec<Row> {
        let mut problems = Problems::default();
        let run = args.run.read(&mut problems);
        // Dropped: what can be read of it is read below, though something else is missing.
        let _ = Self::prepare(args, environment, &mut problems);
        let mut told_already = Problems::default();
        let graphql = args.graphql.read(environment, &mut told_already);
        let max_age =
            told_already.duration(Some(&args.max_report_age), Some(MAX_REPORT_AGE), "--max-report-age");
        let report = given(Some(&args.report)).unwrap_or(REPORT);
        let setting = "--report (VIDEO_REPORT_URI)";
        let (database, youtube, report, bus, state) = tokio::join!(
            probes::graphql(graphql.as_ref(), context),
            youtube(args, environment, context),
            in_time(
                "video report",
                probes::input("video report", report, setting, max_age, open_report, context)
            ),
            in_time("event bus", probes::event_bus(&run.event_bus, context)),
            in_time("state folder", probes::state_folder(&run.state_uri, Self::NAME, context)),
        );
        let mut rows = settings_rows(&problems, Self::NAME);
        let ([database, clock], [token, content_owner]) = (database, youtube);
        rows.extend([database, token, content_owner, report, bus, state, clock]);
        rows
    }
}

fn open_report(name: &str, text: Box<dyn Read + Send>) -> Result<String, Refusal> {
    Ok(format!("{} columns", VideoReport::open(name, text)?.headers().len()))
}

/// The access token, and with it one read on behalf of the content owner. The token is asked for though the content
/// owner be missing.
async fn youtube(args: &Args, environment: &Environment, context: &Context<Vec<Row>>) -> [Row; 2] {
    const TOKEN: &str = "token";
    const OWNER: &str = "content owner";
    const FIX: &str = "make a new credential and put it into the secret behind YOUTUBE_CREDENTIALS";
    let without_token = |row| [row, Row::not_checked(OWNER, "a token")];
    let Some(credentials) = read_credentials(environment, &mut Problems::default()) else {
        return without_token(Row::not_checked(TOKEN, "YOUTUBE_CREDENTIALS"));
    };
    let tokens = match TokenCache::new(&credentials, Pace::persistent(PATIENCE), context.stop.token()).await {
        Ok(tokens) => Arc::new(tokens),
        Err(problem) => return without_token(Row::fail(TOKEN, problem, FIX)),
    };
    let token = in_time(TOKEN, async {
        match tokens.token().await {
            Ok(_) if matches!(credentials, Credentials::Static(_)) => {
                Row::pass(TOKEN, "static: nobody renews it; the content owner's line says whether it is good")
            }
            Ok(_) => Row::pass(TOKEN, format!("{}: an access token was given", credentials.kind())),
            Err(error) => Row::of_error(TOKEN, &error.into(), FIX),
        }
    })
    .await;
    if !token.is_good() {
        return without_token(token);
    }
    let Some(settings) = args.youtube.read(environment, &mut Problems::default()) else {
        return [token, Row::not_checked(OWNER, "its settings")];
    };
    let owner = settings.content_owner;
    let probe = async {
        let asset = AssetId::parse(NO_ASSET)?;
        let authorization = Authorization::Bearer(tokens);
        let transport = Transport::new(authorization, Pace::unhurried(PATIENCE), context.stop.token())?;
        let content_id = ContentId::new(transport, settings.api_base_url, owner.clone());
        anyhow::Ok(content_id.live_values(&[asset]).await.map(drop)?)
    };
    let probe = in_time(OWNER, async {
        match probe.await {
            Ok(()) => Row::pass(OWNER, format!("{owner} may be read for")),
            Err(error) if is_quota(&error) => Row::warn(
                OWNER,
                format!("{error:#}"),
                "wait for midnight in Los Angeles: the quota begins anew",
            ),
            Err(error) => Row::of_error(
                OWNER,
                &error,
                "compare --content-owner (YOUTUBE_CONTENT_OWNER) with the content owner in Studio, and see that the \
                 credential's account is invited there; see YOUTUBE_API_BASE_URL if it is set",
            ),
        }
    });
    let owner = probe.await;
    [token, owner]
}

fn is_quota(error: &anyhow::Error) -> bool {
    let call = error.downcast_ref::<dn_core::transport::CallError>();
    call.is_some_and(|call| call.kind == CallErrorKind::QuotaExhausted)
}
