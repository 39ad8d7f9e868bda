//! The played services alone, without the built programs, for tests of one client over a real socket.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by failing")]

use std::path::PathBuf;

use dn_core::aws::{self, AccessKey, AwsSettings, SdkConfig};
use dn_sandbox::{Options, Profile, Sandbox, Service, WorldBuilder};

/// The servers over an empty world.
pub struct Services {
    pub sandbox: Sandbox,
    /// Goes last, with everything in it.
    directory: tempfile::TempDir,
}

impl Services {
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let world = WorldBuilder::new().build(directory.path()).unwrap();
        let options = Options {
            seed: 1,
            channels: 0,
            videos: 0,
            profile: Profile::Calm,
            dir: directory.path().to_owned(),
            workflow: dn_tests::root().join("infra/workflow.yaml"),
            schema: dn_tests::root().join("infra/graphql/schema.graphql"),
            bin_dir: None,
        };
        Self { sandbox: Sandbox::start_with(options, world).await.unwrap(), directory }
    }

    /// The settings of one service's clients.
    pub async fn aws(&self, endpoint: &str) -> SdkConfig {
        self.aws_with_secret(endpoint, &self.sandbox.env()["AWS_SECRET_ACCESS_KEY"]).await
    }

    pub async fn aws_with_secret(&self, endpoint: &str, secret: &str) -> SdkConfig {
        let env = self.sandbox.env();
        aws::load(&AwsSettings {
            region: Some(env["AWS_REGION"].clone()),
            endpoint_url: Some(env[endpoint].clone()),
            access_key: Some(AccessKey::new(env["AWS_ACCESS_KEY_ID"].clone(), secret)),
        })
        .await
    }

    /// The file of an object in the bucket that tasks keep their state in.
    pub fn object(&self, key: &str) -> PathBuf {
        self.directory.path().join("s3/sandbox-state").join(key)
    }

    pub fn count(&self, service: Service, operation: &str) -> u64 {
        self.sandbox.journal().count(service, operation)
    }
}
