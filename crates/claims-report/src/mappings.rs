//! The mappings of platforms' exports: those that are built in, and the user's folder.

use anyhow::Context as _;
use dn_core::store::Store;
use dn_core::task::{Context, Ended, Exit};
use dn_domain::platform_mapping::{MAX_MAPPING_BYTES, MappingFault, Mappings};

pub(crate) const SETTING: &str = "--mappings (MAPPINGS_URI)";

/// A folder has no more: each of them looks at each file.
const MAX_MAPPINGS: usize = 100;

/// All mappings that count. A fault of one ends the run before anything is read: its files would be refused, or read through
/// another.
pub(crate) async fn read<T: Clone>(context: &Context<T>, folder: Option<&str>) -> anyhow::Result<Mappings> {
    let built_in = Mappings::built_in().map_err(|fault| usage(&fault))?;
    let Some(folder) = folder else { return Ok(built_in) };
    let store = Store::open(folder, &context.aws).context(SETTING)?;
    let objects = store.list("").await.with_context(|| format!("{SETTING}: {folder} could not be listed"))?;
    let is_mapping = |key: &str| key.to_ascii_lowercase().ends_with(".toml");
    let mut texts = Vec::new();
    for object in objects.into_iter().filter(|object| is_mapping(&object.key)) {
        let uri = store.uri(&object.key);
        if object.size_bytes > MAX_MAPPING_BYTES || texts.len() == MAX_MAPPINGS {
            let problem =
                format!("a folder has {MAX_MAPPINGS} mappings of {MAX_MAPPING_BYTES} bytes each at most");
            return Err(Ended::new(Exit::Usage, format!("{SETTING}: {uri}: {problem}")).into());
        }
        let got = store.get(&object.key, MAX_MAPPING_BYTES).await;
        // What was listed and is gone is read as empty, which is no mapping.
        let (bytes, _) = got.with_context(|| format!("{SETTING}: {uri} could not be read"))?.unzip();
        let text = String::from_utf8(bytes.unwrap_or_default()).map_err(|_| {
            Ended::new(Exit::Usage, format!("{SETTING}: {uri}: it is not UTF-8. Save it as UTF-8."))
        })?;
        texts.push((uri, text));
    }
    if texts.is_empty() {
        let problem = format!("{SETTING}: {folder}: there is no file that ends in .toml");
        return Err(Ended::new(Exit::Usage, problem).into());
    }
    let count = texts.len();
    let mappings = built_in.with(texts).map_err(|fault| usage(&fault))?;
    tracing::info!(uri = folder, count, "mappings read");
    Ok(mappings)
}

fn usage(fault: &MappingFault) -> anyhow::Error {
    Ended::new(Exit::Usage, format!("{SETTING}: {fault}")).into()
}
