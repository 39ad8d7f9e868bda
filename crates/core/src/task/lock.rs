//! The lock of a task: of two runs started at once, one does the work.
//!
//! `<task>/lock.json` in the state folder is written only if it is absent or still the version that was read, so the
//! store decides who holds it. A holder renews it every quarter of the lease; a holder that died is taken over from
//! once the lease is over. What counts for the holder itself is the monotonic clock: a run that was frozen for longer
//! than its lease begins no further write, whatever the wall clock says.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::clock;
use crate::store::{Condition, ETag, Store, StoreError};
use crate::transport::wait;

/// No lock file is near this.
const MAX_LOCK_BYTES: u64 = 64 * 1024;

/// What `lock.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LockRecord {
    /// The run that holds it, or held it last.
    pub run_id: String,
    /// Until when, unless it is renewed. A run that ends sets it to the time of its end.
    pub expires_at: Timestamp,
    /// How often the lock has changed hands: grows by one with each holder.
    pub fence: u64,
}

/// The end of the lease, as the clients that write ask it.
#[derive(Debug)]
pub struct Lease {
    ends: Mutex<Instant>,
}

impl Lease {
    fn until(ends: Instant) -> Self {
        Self { ends: Mutex::new(ends) }
    }

    /// Whether a write may begin now.
    pub fn is_held(&self) -> bool {
        Instant::now() < *self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn extend(&self, ends: Instant) {
        *self.ends.lock().unwrap_or_else(PoisonError::into_inner) = ends;
    }
}

/// What came of asking for the lock.
#[derive(Debug)]
pub enum Acquired {
    /// This run holds it.
    Held(Lock),
    /// Another run does.
    Busy(LockRecord),
}

/// A held lock. Its heartbeat runs until [`Lock::release`].
#[derive(Debug)]
pub struct Lock {
    holding: Holding,
    lease: Arc<Lease>,
    stop: CancellationToken,
    heartbeat: tokio::task::JoinHandle<Option<ETag>>,
}

/// What renewing needs.
#[derive(Debug, Clone)]
struct Holding {
    store: Store,
    key: String,
    run_id: String,
    fence: u64,
    lease: Duration,
}

impl Lock {
    /// Asks for a task's lock. A lock file that cannot be read as one is nobody's: it is refused, never guessed.
    pub async fn acquire(
        store: &Store,
        task: &str,
        run_id: &str,
        lease: Duration,
    ) -> Result<Acquired, StoreError> {
        let key = format!("{task}/lock.json");
        let mut holding = Holding { store: store.clone(), key, run_id: run_id.to_owned(), fence: 1, lease };
        let condition = match store.get(&holding.key, MAX_LOCK_BYTES).await? {
            None => Condition::IfAbsent,
            Some((bytes, version)) => {
                let record = read(&holding, &bytes)?;
                if clock::now() < record.expires_at {
                    return Ok(Acquired::Busy(record));
                }
                holding.fence = record.fence + 1;
                Condition::IfMatch(version)
            }
        };
        let asked_at = Instant::now();
        match holding.write(condition, lease).await {
            Ok(version) => Ok(Acquired::Held(holding.hold(asked_at, version))),
            Err(StoreError::Precondition { uri, reason }) => {
                match store.get(&holding.key, MAX_LOCK_BYTES).await? {
                    Some((bytes, _)) => Ok(Acquired::Busy(read(&holding, &bytes)?)),
                    None => Err(StoreError::Precondition { uri, reason }),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// What those who write have to ask before each write.
    pub fn lease(&self) -> Arc<Lease> {
        Arc::clone(&self.lease)
    }

    /// Gives the lock back: the record stays and says that it is over.
    pub async fn release(self) {
        self.stop.cancel();
        let Ok(Some(version)) = self.heartbeat.await else { return };
        if let Err(error) = self.holding.write(Condition::IfMatch(version), Duration::ZERO).await {
            tracing::warn!(%error, "lock not given back; it is free once its lease is over");
        }
    }
}

impl Holding {
    fn hold(self, asked_at: Instant, version: ETag) -> Lock {
        // From before the request: the store may have written it any time after.
        let lease = Arc::new(Lease::until(asked_at + self.lease));
        let stop = CancellationToken::new();
        let heartbeat = tokio::spawn(self.clone().beat(Arc::clone(&lease), version, stop.clone()));
        Lock { holding: self, lease, stop, heartbeat }
    }

    /// Renews until it is told to stop, and gives the version then; `None` once the lock is lost.
    async fn beat(self, lease: Arc<Lease>, version: ETag, stop: CancellationToken) -> Option<ETag> {
        let mut version = version;
        loop {
            tokio::select! { biased; () = stop.cancelled() => return Some(version), () = wait(self.lease / 4) => {} }
            let asked_at = Instant::now();
            match self.write(Condition::IfMatch(version.clone()), self.lease).await {
                Ok(renewed) => {
                    version = renewed;
                    lease.extend(asked_at + self.lease);
                }
                Err(StoreError::Precondition { .. }) => {
                    tracing::error!(
                        lock = self.store.uri(&self.key),
                        "lock lost to another run; no further write is begun"
                    );
                    lease.extend(asked_at);
                    return None;
                }
                // The lease goes on; the next beat tries again.
                Err(error) => tracing::warn!(%error, "lock not renewed"),
            }
        }
    }

    async fn write(&self, condition: Condition, lease: Duration) -> Result<ETag, StoreError> {
        let now = clock::now();
        let record = LockRecord {
            run_id: self.run_id.clone(),
            expires_at: now.checked_add(lease).unwrap_or(now),
            fence: self.fence,
        };
        let bytes = serde_json::to_vec(&record).map_err(|error| self.failed(error.into()))?;
        self.store.put(&self.key, bytes.into(), condition).await
    }

    fn failed(&self, error: std::io::Error) -> StoreError {
        StoreError::Io { uri: self.store.uri(&self.key), error }
    }
}

fn read(holding: &Holding, bytes: &[u8]) -> Result<LockRecord, StoreError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let problem =
            format!("it is no lock ({error}); see who wrote it, and delete it when no run is under way");
        holding.failed(std::io::Error::new(std::io::ErrorKind::InvalidData, problem))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_mins(1);

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let aws = aws_config::SdkConfig::builder().build();
        let store = Store::open(directory.path().to_str().unwrap(), &aws).unwrap();
        (directory, store)
    }

    async fn held(store: &Store, run_id: &str, lease: Duration) -> Lock {
        match Lock::acquire(store, "task", run_id, lease).await.unwrap() {
            Acquired::Held(lock) => lock,
            Acquired::Busy(record) => panic!("busy: {record:?}"),
        }
    }

    #[tokio::test]
    async fn e02_of_two_that_ask_one_holds_it_until_it_gives_it_back() {
        let (_directory, store) = store();
        let first = held(&store, "one", LEASE).await;
        assert!(first.lease().is_held());
        match Lock::acquire(&store, "task", "two", LEASE).await.unwrap() {
            Acquired::Busy(record) => assert_eq!((record.run_id.as_str(), record.fence), ("one", 1)),
            Acquired::Held(_) => panic!("both hold it"),
        }
        first.release().await;
        let second = held(&store, "two", LEASE).await;
        assert_eq!(second.holding.fence, 2);
    }

    #[tokio::test]
    async fn e03_a_dead_holders_lock_is_taken_over_after_its_lease_and_the_dead_may_not_write() {
        let (_directory, store) = store();
        let dead = held(&store, "dead", Duration::from_millis(200)).await;
        dead.heartbeat.abort();
        wait(Duration::from_millis(250)).await;
        assert!(!dead.lease().is_held(), "on its own clock its lease is over");
        held(&store, "next", LEASE).await;
    }

    #[tokio::test]
    async fn e03_a_living_holder_keeps_it_beyond_its_lease() {
        let (_directory, store) = store();
        let lock = held(&store, "alive", Duration::from_millis(400)).await;
        wait(Duration::from_millis(1_200)).await;
        assert!(lock.lease().is_held());
        assert!(matches!(Lock::acquire(&store, "task", "other", LEASE).await.unwrap(), Acquired::Busy(_)));
    }

    #[tokio::test]
    async fn a_lock_that_was_taken_away_is_not_held() {
        let (_directory, store) = store();
        let lock = held(&store, "one", Duration::from_millis(200)).await;
        let other = LockRecord { run_id: "thief".to_owned(), expires_at: clock::now(), fence: 9 };
        let bytes = serde_json::to_vec(&other).unwrap();
        store.put("task/lock.json", bytes.clone().into(), Condition::None).await.unwrap();
        wait(Duration::from_millis(150)).await;
        assert!(!lock.lease().is_held());
        lock.release().await;
        let (kept, _) = store.get("task/lock.json", 1_000).await.unwrap().unwrap();
        assert_eq!(kept, bytes, "what is another's is not given back by us");
    }

    #[tokio::test]
    async fn p06_a_lock_file_that_is_none_is_refused() {
        let (_directory, store) = store();
        store.put("task/lock.json", b"{}".as_slice().into(), Condition::None).await.unwrap();
        assert!(Lock::acquire(&store, "task", "one", LEASE).await.is_err());
    }
}
