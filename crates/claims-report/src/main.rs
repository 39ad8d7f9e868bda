//! The task's process: everything is in the library, so that tests can read it.

fn main() -> std::process::ExitCode {
    dn_core::task::launch_with_check::<claims_report::ClaimsReport>()
}
