//! The servers' own threads.

use std::io;
use std::ops::Deref;

use tokio::runtime::{Builder, Handle, Runtime};

/// A runtime that may be dropped anywhere: tokio's own panics when that happens inside of another one, and a sandbox
/// lives inside of a test's.
pub(super) struct Engine {
    runtime: Option<Runtime>,
    handle: Handle,
}

impl Engine {
    pub(super) fn start() -> io::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(2).thread_name("sandbox").enable_all().build()?;
        let handle = runtime.handle().clone();
        Ok(Self { runtime: Some(runtime), handle })
    }
}

impl Deref for Engine {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
