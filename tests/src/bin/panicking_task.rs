//! A task with a bug, for the test that a panic is one failed run and not a silence.

use dn_core::eventbridge::Event;
use dn_core::task::{
    Context, End, Environment, Exit, Frame, OutputArgs, Problems, Report, RunArgs, RunInfo, Task, launch,
};
use serde_json::json;

/// Panics in the middle of its work.
#[derive(Debug, clap::Parser)]
struct Args {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    output: OutputArgs,
}

struct Panicking;

impl Task for Panicking {
    const NAME: &'static str = "panicking-task";
    type Args = Args;
    type Tally = u64;

    fn frame(args: &Args) -> Frame<'_> {
        Frame { output: &args.output, run: Some(&args.run) }
    }

    fn prepare(_args: &Args, _environment: &Environment, _problems: &mut Problems) -> Option<Self> {
        Some(Self)
    }

    async fn run(&self, context: &Context<u64>) -> anyhow::Result<Exit> {
        context.count(|done| *done = 7);
        let rows: Vec<Exit> = Vec::new();
        Ok(rows[0])
    }

    fn report(_run: &RunInfo, done: &u64, end: &End) -> Report {
        let summary = json!({"done": done, "exitCode": end.exit.code(), "error": end.error});
        let event = Event {
            source: "dn.tests".to_owned(),
            detail_type: "Panicking Task Failed".to_owned(),
            detail: summary.clone(),
            resources: Vec::new(),
        };
        Report {
            summary,
            text: String::new(),
            event: Some(event),
            events_before: Vec::new(),
            counts: Vec::new(),
        }
    }
}

fn main() -> std::process::ExitCode {
    launch::<Panicking>()
}
