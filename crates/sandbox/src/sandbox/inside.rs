//! Looking into the servers while tasks use them, and changing the world under them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde_json::{Map, Value, json};

use crate::appsync::store::{Model, RecordStore, is_deleted};
use crate::eventbridge::bus::Delivery;
use crate::eventbridge::runner::Invocation;
use crate::fault::Faults;
use crate::journal::Journal;
use crate::sandbox::Sandbox;
use crate::score::Score;
use crate::world::{StoredChannel, StoredVideo, World};
use crate::youtube::catalogue::{AssetState, Write};
use crate::youtube::reporting::ReportFile;

impl Sandbox {
    /// Adds to the environment of tasks that a rule starts from now on, as a task definition would.
    pub fn set_task_env(&self, name: impl Into<String>, value: impl Into<String>) {
        self.runner.set_task_env([(name.into(), value.into())]);
    }

    /// The world as it was made.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The folder of the input files, the database, the buckets and the logs.
    pub fn dir(&self) -> &std::path::Path {
        &self.options.dir
    }

    /// Every request since the start.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The faults to come.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Milliseconds since the servers came up, on the journal's clock.
    pub fn elapsed_ms(&self) -> u64 {
        self.clock.elapsed_ms()
    }

    /// The database's channels now, by record id; deleted ones are not among them.
    pub fn channels(&self) -> Result<Vec<StoredChannel>> {
        let records = self.records.all(Model::Channel).map_err(|why| anyhow!("{why:?}"))?;
        Ok(records.iter().filter(|record| !is_deleted(record)).map(channel_of).collect())
    }

    /// Switches off, or on again, that the database tells its types.
    pub fn set_introspection(&self, on: bool) {
        self.introspection.store(on, Ordering::Relaxed);
    }

    /// Puts a record into the database, in place of the one with its id.
    pub fn set_channel(&self, channel: &StoredChannel) -> Result<()> {
        put_channel(&self.records, channel)
    }

    /// Takes a record out of the database (where records have versions, its tombstone stays and is listed); says
    /// whether it was there.
    pub fn delete_channel(&self, id: &str) -> Result<bool> {
        self.records.delete(Model::Channel, id).map_err(|why| anyhow!("{why:?}"))
    }

    /// Takes a video out of the database, as [`Sandbox::delete_channel`] takes a channel.
    pub fn delete_video(&self, id: &str) -> Result<bool> {
        self.records.delete(Model::Video, id).map_err(|why| anyhow!("{why:?}"))
    }

    /// An asset of the CMS now.
    pub fn asset(&self, id: &str) -> Option<AssetState> {
        self.catalogue.asset(id)
    }

    /// Puts an asset into the CMS, in place of the one with its id.
    pub fn set_asset(&self, asset: AssetState) {
        self.catalogue.put(asset);
    }

    /// Sets an asset's custom ID as somebody in the CMS would; says whether there is such an asset.
    pub fn set_asset_custom_id(&self, id: &str, custom_id: Option<&str>) -> bool {
        self.catalogue.set_custom_id(id, custom_id.map(str::to_owned))
    }

    /// The writes that the CMS applied, in order.
    pub fn writes(&self) -> Vec<Write> {
        self.catalogue.writes()
    }

    /// How many writes the CMS applied.
    pub fn write_count(&self) -> usize {
        self.catalogue.write_count()
    }

    /// Puts a report behind the Reporting API; its type's job is made with the first one.
    pub fn add_report(&self, file: ReportFile) {
        self.reports.add(file);
    }

    /// Makes a reporting job that has no report yet.
    pub fn add_report_job(&self, report_type: &str) {
        self.reports.add_job(report_type);
    }

    /// How many entries a page of the Reporting API has.
    pub fn set_report_page_size(&self, entries: usize) {
        self.reports.set_page_size(entries);
    }

    /// Ends the life of every access token handed out so far.
    pub fn expire_tokens(&self) {
        self.tokens.expire_all();
    }

    /// The events as they are on the bus, in order.
    pub fn events(&self) -> Vec<Value> {
        self.bus.events()
    }

    /// What reached the rules' targets, tasks included.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.bus.deliveries()
    }

    /// Delivers an event once more, or one of the test's own making: `{id, source, detail-type, detail, time}`.
    pub fn publish(&self, event: Value) {
        // A rule's task is started on the servers' threads.
        let _entered = self.engine.enter();
        self.bus.publish(self.bus.name(), event);
    }

    /// The tasks that rules started, in order.
    pub fn invocations(&self) -> Vec<Invocation> {
        self.runner.invocations().into_iter().filter(|one| !one.rule.is_empty()).collect()
    }

    /// Holds back the tasks that rules start, until [`Sandbox::release_tasks`].
    pub fn hold_tasks(&self) {
        self.runner.hold_rules();
    }

    /// How many tasks are held back.
    pub fn held_tasks(&self) -> usize {
        self.runner.held()
    }

    /// Starts the tasks that were held back and says how many there were; later ones start at once again.
    pub fn release_tasks(&self) -> usize {
        let _entered = self.engine.enter();
        self.runner.release()
    }

    /// Tells when a task was started or has ended.
    pub(crate) fn task_changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.runner.changes()
    }

    /// Starts a task's binary as an operator would, with the environment that tasks have here, and gives its place
    /// for [`Sandbox::started_task`].
    pub fn start_task(&self, container: &str, arguments: &[&str]) -> usize {
        let _entered = self.engine.enter();
        self.runner.start_by_hand(container, arguments)
    }

    /// How a task that was started by hand stands now.
    pub fn started_task(&self, place: usize) -> Option<Invocation> {
        self.runner.invocations().get(place).cloned()
    }

    /// Starts a task's binary by hand and waits for its end; fails after `limit`.
    pub async fn run_task(&self, container: &str, arguments: &[&str], limit: Duration) -> Result<Invocation> {
        let place = self.start_task(container, arguments);
        let all =
            self.wait_until(limit, move |all| all.get(place).is_some_and(|one| !one.is_running())).await?;
        all.into_iter().nth(place).context("the task was not started")
    }

    /// Waits until no started task runs any more; fails after `limit`.
    pub async fn wait_for_idle(&self, limit: Duration) -> Result<Vec<Invocation>> {
        self.wait_until(limit, |invocations| invocations.iter().all(|one| !one.is_running())).await?;
        Ok(self.invocations())
    }

    /// Waits until the rules have started `count` tasks and these have ended; fails after `limit`.
    pub async fn wait_invocation(&self, count: usize, limit: Duration) -> Result<Vec<Invocation>> {
        self.wait_until(limit, move |invocations| {
            invocations.iter().filter(|one| !one.rule.is_empty() && !one.is_running()).count() >= count
        })
        .await?;
        Ok(self.invocations())
    }

    pub(super) async fn wait_until(
        &self,
        limit: Duration,
        reached: impl Fn(&[Invocation]) -> bool + Send + Sync + 'static,
    ) -> Result<Vec<Invocation>> {
        let runner = Arc::clone(&self.runner);
        let mut changes = runner.changes();
        let waiting = async move {
            let reach = async {
                loop {
                    changes.mark_unchanged();
                    let invocations = runner.invocations();
                    if reached(&invocations) {
                        return invocations;
                    }
                    if changes.changed().await.is_err() {
                        return runner.invocations();
                    }
                }
            };
            tokio::time::timeout(limit, reach).await
        };
        // On the servers' threads: the caller's clock may be paused.
        let reached = self.engine.spawn(waiting).await?;
        reached.map_err(|_| anyhow!("the started tasks did not end within {limit:?}"))
    }

    /// Compares what is there now with what must be there once both tasks ran.
    pub fn score(&self) -> Result<Score> {
        Ok(Score::new(&self.world, &self.channels()?, &self.catalogue))
    }
}

pub(super) fn put_channel(records: &RecordStore, channel: &StoredChannel) -> Result<()> {
    let record = object(json!({
        "id": channel.id,
        "channelId": channel.channel_id,
        "customId": channel.custom_id,
        "displayName": channel.display_name,
        "createdAt": "2024-02-01T09:00:00.000Z",
        "updatedAt": "2024-02-01T09:00:00.000Z",
    }));
    records.put(Model::Channel, &channel.id, record).map_err(|why| anyhow!("{why:?}"))
}

pub(super) fn put_video(records: &RecordStore, video: &StoredVideo) -> Result<()> {
    let record = object(json!({
        "id": video.video_id,
        "videoID": video.video_id,
        "customId": video.custom_id,
        "channelID": video.channel_id,
        "channel_display_name": video.channel_display_name,
        "video_title": video.title,
        "content_type": "Premium",
        "assetId": video.asset_id,
        "views": video.views,
        "createdAt": "2024-02-01T09:00:00.000Z",
        "updatedAt": "2024-02-01T09:00:00.000Z",
    }));
    records.put(Model::Video, &video.video_id, record).map_err(|why| anyhow!("{why:?}"))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn channel_of(record: &Map<String, Value>) -> StoredChannel {
    let text = |name: &str| record.get(name).and_then(Value::as_str).map(str::to_owned);
    StoredChannel {
        id: text("id").unwrap_or_default(),
        channel_id: text("channelId").unwrap_or_default(),
        custom_id: text("customId"),
        display_name: text("displayName"),
    }
}
