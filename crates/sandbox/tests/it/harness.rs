//! A sandbox for one test, and a bare HTTP client.

use std::path::{Path, PathBuf};

use dn_sandbox::{CredentialKind, Options, Profile, Sandbox, World};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use tempfile::TempDir;

/// The parts of a test that must live as long as it does.
pub struct Bench {
    pub sandbox: Sandbox,
    pub client: Client,
    /// Goes last, with everything in it.
    _dir: TempDir,
}

pub fn options(dir: &Path, profile: Profile) -> Options {
    let infra = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../infra");
    Options {
        seed: 1,
        channels: 10,
        videos: 200,
        profile,
        dir: dir.to_owned(),
        workflow: infra.join("workflow.yaml"),
        schema: infra.join("graphql/schema.graphql"),
        bin_dir: None,
    }
}

#[expect(clippy::disallowed_methods, reason = "a bare client, without the patience of the suite's transport")]
fn client() -> Client {
    Client::builder().gzip(false).no_proxy().build().unwrap()
}

impl Bench {
    pub async fn generated(profile: Profile) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::start(options(dir.path(), profile)).await.unwrap();
        Self { sandbox, client: client(), _dir: dir }
    }

    pub async fn over(world: impl FnOnce(&Path) -> anyhow::Result<World>) -> Self {
        Self::over_with(world, |_| {}).await
    }

    pub async fn over_with(
        world: impl FnOnce(&Path) -> anyhow::Result<World>,
        change: impl FnOnce(&mut Options),
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let world = world(dir.path()).unwrap();
        let mut options = options(dir.path(), Profile::Calm);
        change(&mut options);
        let sandbox = Sandbox::start_with(options, world).await.unwrap();
        Self { sandbox, client: client(), _dir: dir }
    }

    pub async fn small() -> Self {
        Self::over(World::small).await
    }

    pub fn env(&self, name: &str) -> String {
        self.sandbox.env().get(name).unwrap().clone()
    }

    /// The address of a Content ID call on behalf of the content owner; `path` may carry a query.
    pub fn youtube_url(&self, path: &str) -> String {
        let separator = if path.contains('?') { '&' } else { '?' };
        let owner = self.env("YOUTUBE_CONTENT_OWNER");
        format!("{}{path}{separator}onBehalfOfContentOwner={owner}", self.env("YOUTUBE_API_BASE_URL"))
    }

    /// A Content ID call, signed in with the token that never dies.
    pub fn youtube(&self, method: &str, path: &str) -> RequestBuilder {
        let url = self.youtube_url(path);
        let credential: Value =
            serde_json::from_str(&self.sandbox.credentials(CredentialKind::Static)).unwrap();
        self.client.request(method.parse().unwrap(), url).bearer_auth(credential["token"].as_str().unwrap())
    }

    pub async fn graphql(&self, body: Value) -> Value {
        let reply = self
            .client
            .post(self.env("GRAPHQL_ENDPOINT"))
            .header("x-api-key", self.env("GRAPHQL_API_KEY"))
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(reply.status(), 200);
        reply.json().await.unwrap()
    }
}

pub async fn json(reply: Response) -> Value {
    let text = reply.text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|why| panic!("{why}: {text}"))
}
