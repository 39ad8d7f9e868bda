//! The store in a directory: for one machine, for tests, and for whoever wants to look.
//!
//! An object is a file. It is written beside its place and renamed into it, so a reader sees the old one or the new
//! one, and a crash leaves neither half. All writers of one directory take turns at a lock file in its root
//! (an advisory lock of the system, let go when a process dies): between the look at the old version and the rename
//! of the new one nobody else writes. Whoever changes files there by other means is outside of that promise.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tempfile::NamedTempFile;

use super::{Condition, ETag, ObjectInfo, StoreError};

/// The lock file; a name that begins with a dot is never a key.
const LOCK: &str = ".lock";
/// What a file is called until it is whole.
const UNFINISHED: &str = ".unfinished-";
/// How much is copied or hashed at once.
const CHUNK_BYTES: usize = 128 * 1024;

/// Objects as files below one folder.
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn uri(&self, key: &str) -> String {
        self.root.join(key).display().to_string()
    }

    pub(super) async fn put(
        &self,
        key: &str,
        bytes: Bytes,
        condition: Condition,
    ) -> Result<ETag, StoreError> {
        self.blocking(key, move |directory, key| directory.write(key, &mut &bytes[..], &condition)).await
    }

    pub(super) async fn put_file(
        &self,
        key: &str,
        path: &Path,
        condition: Condition,
    ) -> Result<ETag, StoreError> {
        let path = path.to_owned();
        self.blocking(key, move |directory, key| {
            let mut file = File::open(&path).map_err(|error| io_error(path.display().to_string(), error))?;
            directory.write(key, &mut file, &condition)
        })
        .await
    }

    pub(super) async fn get_file(&self, key: &str, path: &Path) -> Result<Option<ETag>, StoreError> {
        let path = path.to_owned();
        self.blocking(key, move |directory, key| {
            let Some(mut object) = directory.open(key)? else { return Ok(None) };
            let mut copy = || copy_hashed(&mut object, &mut File::create(&path)?);
            let local = |error| io_error(format!("{} to {}", directory.uri(key), path.display()), error);
            copy().map(Some).map_err(local)
        })
        .await
    }

    pub(super) async fn open_file(&self, key: &str) -> Result<Option<File>, StoreError> {
        self.blocking(key, Directory::open).await
    }

    /// A file beside the place of an object that is to be written.
    pub(super) async fn begin(&self, key: &str) -> Result<NamedTempFile, StoreError> {
        self.blocking(key, |directory, key| {
            directory.new_file_for(key).map_err(|error| io_error(directory.uri(key), error))
        })
        .await
    }

    pub(super) async fn finish(&self, key: &str, file: NamedTempFile) -> Result<(), StoreError> {
        self.blocking(key, |directory, key| directory.place(key, file, &Condition::None)).await
    }

    pub(super) async fn get(&self, key: &str, max_bytes: u64) -> Result<Option<(Vec<u8>, ETag)>, StoreError> {
        self.blocking(key, move |directory, key| {
            let Some(file) = directory.open(key)? else { return Ok(None) };
            let failed = |error| io_error(directory.uri(key), error);
            let mut bytes = Vec::new();
            file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
            if bytes.len() as u64 > max_bytes {
                let reason = format!("at most {max_bytes} bytes were expected");
                return Err(StoreError::TooLarge { uri: directory.uri(key), reason });
            }
            let etag = ETag(blake3::hash(&bytes).to_hex().to_string());
            Ok(Some((bytes, etag)))
        })
        .await
    }

    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, StoreError> {
        self.blocking(prefix, |directory, prefix| {
            // Only the folder that the prefix ends in is walked, not its neighbours.
            let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
            let mut objects = Vec::new();
            let mut folders = vec![folder.to_owned()];
            while let Some(folder) = folders.pop() {
                for (key, metadata) in directory.entries(&folder)? {
                    if metadata.is_dir() {
                        folders.push(key);
                    } else if key.starts_with(prefix) {
                        let modified = metadata.modified().ok().and_then(|at| at.try_into().ok());
                        objects.push(ObjectInfo { key, size_bytes: metadata.len(), etag: None, modified });
                    }
                }
            }
            objects.sort_unstable_by(|one, other| one.key.cmp(&other.key));
            Ok(objects)
        })
        .await
    }

    pub(super) async fn list_folders(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        self.blocking(folder, |directory, folder| {
            let mut names = Vec::new();
            for (key, metadata) in directory.entries(folder)? {
                if metadata.is_dir() && directory.holds_an_object(&key)? {
                    names.push(key.rsplit_once('/').map_or(key.as_str(), |(_, name)| name).to_owned());
                }
            }
            names.sort_unstable();
            Ok(names)
        })
        .await
    }

    pub(super) async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.blocking(key, |directory, key| {
            let path = directory.root.join(key);
            let failed = |error| io_error(directory.uri(key), error);
            if !path.try_exists().map_err(failed)? {
                return Ok(());
            }
            let _turn = directory.take_turn()?;
            match fs::remove_file(&path) {
                Ok(()) => sync_folder_of(&path).map_err(failed),
                Err(error) if is_absent(&error) => Ok(()),
                Err(error) => Err(failed(error)),
            }
        })
        .await
    }

    /// Runs file work where it holds nobody up.
    async fn blocking<R: Send + 'static>(
        &self,
        key: &str,
        work: impl FnOnce(&Self, &str) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        let (directory, key, uri) = (self.clone(), key.to_owned(), self.uri(key));
        tokio::task::spawn_blocking(move || work(&directory, &key))
            .await
            .unwrap_or_else(|error| Err(io_error(uri, io::Error::other(error))))
    }

    /// An object's file; `None` when there is none.
    fn open(&self, key: &str) -> Result<Option<File>, StoreError> {
        let failed = |error| io_error(self.uri(key), error);
        match File::open(self.root.join(key)) {
            Ok(file) if file.metadata().map_err(failed)?.is_dir() => Ok(None),
            Ok(file) => Ok(Some(file)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    fn write(&self, key: &str, content: &mut dyn Read, condition: &Condition) -> Result<ETag, StoreError> {
        let failed = |error| io_error(self.uri(key), error);
        let mut file = self.new_file_for(key).map_err(failed)?;
        let etag = copy_hashed(content, file.as_file_mut()).map_err(failed)?;
        self.place(key, file, condition)?;
        Ok(etag)
    }

    fn new_file_for(&self, key: &str) -> io::Result<NamedTempFile> {
        let path = self.root.join(key);
        let folder = path.parent().unwrap_or(&self.root);
        make_folder(folder)?;
        new_file(folder)
    }

    /// Makes a written file last and puts it in its place.
    fn place(&self, key: &str, file: NamedTempFile, condition: &Condition) -> Result<(), StoreError> {
        let path = self.root.join(key);
        let failed = |error| io_error(self.uri(key), error);
        file.as_file().sync_all().map_err(failed)?;
        let _turn = self.take_turn()?;
        let precondition =
            |reason: &str| StoreError::Precondition { uri: self.uri(key), reason: reason.to_owned() };
        match condition {
            Condition::None => file.persist(&path).map_err(|error| failed(error.error))?,
            Condition::IfAbsent => {
                file.persist_noclobber(&path).map_err(|error| match error.error.kind() {
                    ErrorKind::AlreadyExists => precondition("it is there already"),
                    _ => failed(error.error),
                })?
            }
            Condition::IfMatch(expected) => {
                match hash_file(&path) {
                    Ok(present) if present == *expected => {}
                    Ok(_) => return Err(precondition("it has been changed since it was read")),
                    Err(error) if is_absent(&error) => {
                        return Err(precondition("it is gone since it was read"));
                    }
                    Err(error) => return Err(failed(error)),
                }
                file.persist(&path).map_err(|error| failed(error.error))?
            }
        };
        sync_folder_of(&path).map_err(failed)
    }

    /// Waits for this process's turn to write; the turn ends when the file is dropped.
    fn take_turn(&self) -> Result<File, StoreError> {
        let path = self.root.join(LOCK);
        let take = || {
            let file = File::options().create(true).truncate(false).write(true).open(&path)?;
            file.lock()?;
            Ok(file)
        };
        take().map_err(|error| io_error(path.display().to_string(), error))
    }

    /// What lies directly in a folder, with keys relative to the store; a folder that is not there is empty.
    fn entries(&self, folder: &str) -> Result<Vec<(String, fs::Metadata)>, StoreError> {
        let failed = |error| io_error(self.uri(folder), error);
        let entries = match fs::read_dir(self.root.join(folder)) {
            Ok(entries) => entries,
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            // What is not text cannot have been put here by a key.
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.starts_with('.') {
                continue;
            }
            match entry.metadata() {
                Ok(metadata) if folder.is_empty() => found.push((name, metadata)),
                Ok(metadata) => found.push((format!("{folder}/{name}"), metadata)),
                // Removed between the two looks.
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(found)
    }

    fn holds_an_object(&self, folder: &str) -> Result<bool, StoreError> {
        for (key, metadata) in self.entries(folder)? {
            if !metadata.is_dir() || self.holds_an_object(&key)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A disk's error as the store's.
pub(super) fn io_error(uri: String, error: io::Error) -> StoreError {
    match error.kind() {
        ErrorKind::PermissionDenied => StoreError::Forbidden {
            uri,
            reason: format!("{error}; see the owner and mode of the file and its folders"),
        },
        _ => StoreError::Io { uri, error },
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// A file that will become an object; readable for whom the umask says, not for its owner alone.
fn new_file(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// Makes a folder and whatever leads to it, each durable in its parent.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make_folder(parent)?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => sync_folder_of(folder),
    }
}

/// Makes a rename or removal in the folder of `path` durable.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

fn copy_hashed(from: &mut dyn Read, to: &mut dyn Write) -> io::Result<ETag> {
    let mut hasher = blake3::Hasher::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(&chunk[..read]);
        to.write_all(&chunk[..read])?;
    }
    Ok(ETag(hasher.finalize().to_hex().to_string()))
}

fn hash_file(path: &Path) -> io::Result<ETag> {
    copy_hashed(&mut File::open(path)?, &mut io::sink())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::Store;
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::Directory(Directory::new(folder.path().join("state")));
        (folder, store)
    }

    fn bytes(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    async fn put(store: &Store, key: &str, text: &'static str) -> ETag {
        store.put(key, bytes(text), Condition::None).await.unwrap()
    }

    #[tokio::test]
    async fn an_object_reads_as_it_was_written_and_a_missing_one_as_none() {
        let (_folder, store) = store();
        assert_eq!(store.get("task/lock.json", 100).await.unwrap(), None);
        let etag = put(&store, "task/lock.json", "{}").await;
        assert_eq!(etag.as_str(), blake3::hash(b"{}").to_hex().as_str());
        assert_eq!(store.get("task/lock.json", 100).await.unwrap(), Some((b"{}".to_vec(), etag)));
        store.delete("task/lock.json").await.unwrap();
        store.delete("task/lock.json").await.unwrap();
        assert_eq!(store.get("task/lock.json", 100).await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_object_over_the_limit_is_refused_and_not_cut() {
        let (_folder, store) = store();
        put(&store, "a", "12345").await;
        assert!(store.get("a", 5).await.unwrap().is_some());
        assert!(matches!(store.get("a", 4).await, Err(StoreError::TooLarge { .. })));
    }

    #[tokio::test]
    async fn a_write_if_absent_leaves_what_is_there() {
        let (_folder, store) = store();
        let etag = store.put("a", bytes("one"), Condition::IfAbsent).await.unwrap();
        let lost = store.put("a", bytes("two"), Condition::IfAbsent).await;
        assert!(matches!(lost, Err(StoreError::Precondition { .. })), "{lost:?}");
        assert_eq!(store.get("a", 10).await.unwrap(), Some((b"one".to_vec(), etag)));
    }

    #[tokio::test]
    async fn a_write_if_match_goes_through_for_the_version_that_was_read_alone() {
        let (_folder, store) = store();
        let first = put(&store, "a", "one").await;
        let second = store.put("a", bytes("two"), Condition::IfMatch(first.clone())).await.unwrap();
        let lost = store.put("a", bytes("three"), Condition::IfMatch(first)).await;
        assert!(matches!(lost, Err(StoreError::Precondition { .. })), "{lost:?}");
        store.delete("a").await.unwrap();
        let lost = store.put("a", bytes("three"), Condition::IfMatch(second)).await;
        assert!(matches!(lost, Err(StoreError::Precondition { .. })), "{lost:?}");
        assert_eq!(store.get("a", 10).await.unwrap(), None);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn e02_of_many_who_try_at_once_one_wins() {
        let (_folder, store) = store();
        let store = Arc::new(store);
        let start = put(&store, "held", "start").await;
        for (key, condition) in [("new", Condition::IfAbsent), ("held", Condition::IfMatch(start))] {
            let tries = (0..16).map(|n: u8| {
                let (store, condition) = (Arc::clone(&store), condition.clone());
                tokio::spawn(async move { store.put(key, Bytes::from(vec![n]), condition).await })
            });
            let mut won = 0;
            for result in futures::future::join_all(tries).await {
                match result.unwrap() {
                    Ok(_) => won += 1,
                    Err(StoreError::Precondition { .. }) => {}
                    Err(other) => panic!("{other}"),
                }
            }
            assert_eq!(won, 1, "{key}");
        }
    }

    #[tokio::test]
    async fn listings_are_in_order_and_show_neither_lock_nor_unfinished_files() {
        let (folder, store) = store();
        for key in ["task/runs/2/plan", "task/runs/10/plan", "task/lock.json", "other/a", "task-b/a"] {
            put(&store, key, "x").await;
        }
        fs::write(folder.path().join("state/task/.unfinished-abc"), "half").unwrap();
        fs::create_dir_all(folder.path().join("state/task/runs/3/empty")).unwrap();
        let keys = async |prefix| {
            store.list(prefix).await.unwrap().into_iter().map(|object| object.key).collect::<Vec<_>>()
        };
        assert_eq!(keys("task/").await, ["task/lock.json", "task/runs/10/plan", "task/runs/2/plan"]);
        assert_eq!(keys("task").await.len(), 4);
        assert_eq!(keys("task/runs/1").await, ["task/runs/10/plan"]);
        assert_eq!(keys("").await.len(), 5);
        assert_eq!(keys("nothing/").await, Vec::<String>::new());
        assert_eq!(store.list_folders("task/runs/").await.unwrap(), ["10", "2"]);
        assert_eq!(store.list_folders("").await.unwrap(), ["other", "task", "task-b"]);
        assert_eq!(store.list_folders("nothing").await.unwrap(), Vec::<String>::new());
        assert_eq!(store.list("task/lock").await.unwrap()[0].size_bytes, 1);
    }

    #[tokio::test]
    async fn a_file_is_taken_over_with_the_same_version_as_its_bytes() {
        let (folder, store) = store();
        let path = folder.path().join("plan.jsonl");
        let content = "{}\n".repeat(50_000);
        fs::write(&path, &content).unwrap();
        let etag = store.put_file("task/plan.jsonl", &path, Condition::None).await.unwrap();
        let (read, same) = store.get("task/plan.jsonl", 1_000_000).await.unwrap().unwrap();
        assert_eq!((read.len(), &same), (content.len(), &etag));
        assert_eq!(etag, store.put("copy", content.clone().into(), Condition::None).await.unwrap());
        let back = folder.path().join("back");
        assert_eq!(store.get_file("nothing", &back).await.unwrap(), None);
        assert!(!back.exists());
        assert_eq!(store.get_file("task/plan.jsonl", &back).await.unwrap(), Some(etag));
        assert!(fs::read_to_string(&back).unwrap() == content);
    }

    #[tokio::test]
    async fn a_file_is_put_under_a_condition_as_bytes_are() {
        let (folder, store) = store();
        let path = folder.path().join("file");
        fs::write(&path, "first").unwrap();
        let first = store.put_file("history", &path, Condition::IfAbsent).await.unwrap();
        fs::write(&path, "second").unwrap();
        for condition in [Condition::IfAbsent, Condition::IfMatch(ETag::new("another"))] {
            let late = store.put_file("history", &path, condition).await;
            assert!(matches!(late, Err(StoreError::Precondition { .. })), "{late:?}");
        }
        assert_eq!(store.get("history", 100).await.unwrap(), Some((b"first".to_vec(), first.clone())));
        store.put_file("history", &path, Condition::IfMatch(first)).await.unwrap();
        assert_eq!(store.get("history", 100).await.unwrap().unwrap().0, b"second");
    }

    #[tokio::test]
    async fn an_object_that_is_written_bit_by_bit_is_there_whole_or_not_at_all() {
        let (folder, store) = store();
        let there = async || store.list("").await.unwrap().into_iter().map(|one| one.key).collect::<Vec<_>>();
        let scratch = folder.path().join("scratch");
        let mut object = store.begin("weeks/1").await.unwrap();
        object.file().write_all(b"first").unwrap();
        assert_eq!(there().await, Vec::<String>::new());
        drop(object);
        assert_eq!(fs::read_dir(folder.path().join("state/weeks")).unwrap().count(), 0);
        assert!(store.open_file("weeks/1", &scratch).await.unwrap().is_none());
        put(&store, "weeks/1", "old").await;
        let mut old = store.open_file("weeks/1", &scratch).await.unwrap().unwrap();
        let mut object = store.begin("weeks/1").await.unwrap();
        object.file().write_all(b"second").unwrap();
        store.finish(object).await.unwrap();
        assert_eq!(there().await, ["weeks/1"]);
        assert_eq!(store.get("weeks/1", 10).await.unwrap().unwrap().0, b"second");
        // Whoever reads the old one reads it to its end.
        let mut read = String::new();
        old.read_to_string(&mut read).unwrap();
        assert_eq!(read, "old");
    }

    #[tokio::test]
    async fn a_key_that_leads_out_of_the_folder_is_refused_by_every_call() {
        let (folder, store) = store();
        let file = folder.path().join("file");
        fs::write(&file, "x").unwrap();
        let bad = "../escaped";
        let refused = [
            store.put(bad, bytes("x"), Condition::None).await.map(drop),
            store.put_file(bad, &file, Condition::None).await.map(drop),
            store.get(bad, 1).await.map(drop),
            store.open_file(bad, &file).await.map(drop),
            store.begin(bad).await.map(drop),
            store.list(bad).await.map(drop),
            store.list_folders(bad).await.map(drop),
            store.delete(bad).await,
        ];
        for result in refused {
            assert!(matches!(result, Err(StoreError::BadAddress { .. })), "{result:?}");
        }
        assert!(!folder.path().join("escaped").exists());
    }
}
