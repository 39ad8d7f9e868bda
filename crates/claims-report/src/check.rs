//! What the report needs, a line for each.

use std::io::Read;

use dn_core::task::check::probes::{self, Open, in_time};
use dn_core::task::check::{Checked, Row, settings_rows};
use dn_core::task::settings::given;
use dn_core::task::{Context, Environment, Problems, Task as _};
use dn_domain::asset_report::AssetReport;
use dn_domain::claim_report::ClaimReport;
use dn_domain::refusal::Refusal;
use dn_domain::video_report::VideoReport;

use crate::{Args, Command, Count};

impl Checked for Count {
    fn asks_for_check(args: &Args) -> bool {
        args.command == Some(Command::Check)
    }

    async fn check(args: &Args, environment: &Environment, context: &Context<Vec<Row>>) -> Vec<Row> {
        let mut problems = Problems::default();
        let run = args.run.read(&mut problems);
        // Dropped: each report stands for itself below.
        let _ = Self::prepare(args, environment, &mut problems);
        let mut rows = settings_rows(&problems, Self::NAME);
        let reports: [(_, _, _, Open); 3] = [
            ("claim report", &args.claims, "--claims (CLAIM_REPORT_URI)", open_claims),
            ("asset report", &args.assets, "--assets (ASSET_REPORT_URI)", open_assets),
            ("video report", &args.videos, "--videos (VIDEO_REPORT_URI)", open_videos),
        ];
        for (what, uri, setting, open) in reports {
            let Some(uri) = given(uri.as_deref()) else { continue };
            rows.push(in_time(what, probes::input(what, uri, setting, None, open, context)).await);
        }
        let (bus, state) = tokio::join!(
            in_time("event bus", probes::event_bus(&run.event_bus, context)),
            in_time("state folder", probes::state_folder(&run.state_uri, Self::NAME, context)),
        );
        rows.extend([bus, state]);
        rows
    }
}

fn open_claims(name: &str, text: Box<dyn Read + Send>) -> Result<String, Refusal> {
    Ok(columns(ClaimReport::open(name, text)?.headers()))
}

fn open_assets(name: &str, text: Box<dyn Read + Send>) -> Result<String, Refusal> {
    Ok(columns(AssetReport::open(name, text)?.headers()))
}

fn open_videos(name: &str, text: Box<dyn Read + Send>) -> Result<String, Refusal> {
    Ok(columns(VideoReport::open(name, text)?.headers()))
}

fn columns(headers: &[String]) -> String {
    format!("{} columns", headers.len())
}
