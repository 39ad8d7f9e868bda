//! What a backfill needs, a line for each.

use std::io::Read;

use dn_core::task::check::probes::{self, in_time};
use dn_core::task::check::{Checked, Row, settings_rows};
use dn_core::task::settings::given;
use dn_core::task::{Context, Environment, Problems, Task as _};
use dn_domain::channel_sheet;
use dn_domain::refusal::Refusal;

use crate::{Args, Backfill, CSV, Command};

impl Checked for Backfill {
    fn asks_for_check(args: &Args) -> bool {
        args.command == Some(Command::Check)
    }

    async fn check(args: &Args, environment: &Environment, context: &Context<Vec<Row>>) -> Vec<Row> {
        let mut problems = Problems::default();
        let run = args.run.read(&mut problems);
        // Dropped: what can be read of it is read below, though something else is missing.
        let _ = Self::prepare(args, environment, &mut problems);
        let graphql = args.graphql.read(environment, &mut Problems::default());
        let csv = given(Some(&args.csv)).unwrap_or(CSV);
        let sheet = probes::input("channel sheet", csv, "--csv (CHANNELS_CSV)", None, open_sheet, context);
        let (database, sheet, bus, state) = tokio::join!(
            probes::graphql(graphql.as_ref(), context),
            in_time("channel sheet", sheet),
            in_time("event bus", probes::event_bus(&run.event_bus, context)),
            in_time("state folder", probes::state_folder(&run.state_uri, Self::NAME, context)),
        );
        let mut rows = settings_rows(&problems, Self::NAME);
        let [database, clock] = database;
        rows.extend([database, sheet, bus, state, clock]);
        rows
    }
}

/// The sheet is short: it is read whole, as a run does.
fn open_sheet(name: &str, text: Box<dyn Read + Send>) -> Result<String, Refusal> {
    let sheet = channel_sheet::read(name, text)?;
    Ok(format!("{} channels, {} rows to be mended", sheet.rows.len(), sheet.rejects.len()))
}
