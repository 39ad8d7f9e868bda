//! `dn-sandbox`: see `dn_sandbox::command`.

use std::process::ExitCode;

use clap::Parser;
use dn_sandbox::command::Cli;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    Cli::parse().run().await
}
