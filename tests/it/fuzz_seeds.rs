//! The fuzz targets over what lies in their folders: seeds made by hand, and what the fuzzer has found before.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use dn_tests::fuzz_targets::TARGETS;
use dn_tests::root;

#[test]
fn what_was_ever_found_by_fuzzing_is_read_as_it_should_be() {
    for (name, ask) in TARGETS {
        let seeds = files(&root().join("fixtures/fuzz").join(name));
        assert!(!seeds.is_empty(), "{name} has no seeds");
        // The inputs made for the readers' own tests are seeds too.
        let inputs = files(&root().join("fixtures").join(name));
        for path in seeds.into_iter().chain(inputs) {
            let bytes = fs::read(&path).unwrap();
            let asked = std::panic::catch_unwind(|| ask(&bytes));
            assert!(asked.is_ok(), "{} of {name}", path.display());
        }
    }
}

#[test]
fn every_fuzz_target_is_one_that_the_fuzzer_runs() {
    let named: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let stem = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    let run: BTreeSet<String> =
        files(&root().join("fuzz/fuzz_targets")).iter().map(|path| stem(path)).collect();
    assert_eq!(named, run);
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
    for name in &named {
        assert!(manifest.contains(&format!("name = \"{name}\"\n")), "{name}");
    }
    let folders =
        fs::read_dir(root().join("fixtures/fuzz")).unwrap().map(|entry| stem(&entry.unwrap().path()));
    assert_eq!(named, folders.collect());
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}
