//! The images' files. What is built of them runs in `make test-images`.

use std::collections::BTreeSet;

use dn_tests::root;
use regex::Regex;

use super::template::Template;
use crate::documents::document;

#[test]
fn the_images_run_as_nobody_hold_the_program_alone_and_are_built_by_the_toolchain_of_the_workspace() {
    let toolchain = document("rust-toolchain.toml");
    let channel = Regex::new(r#"channel = "([^"]+)""#).unwrap().captures(&toolchain).unwrap()[1].to_owned();
    let profile = document("Cargo.toml");
    assert!(profile.contains("[profile.dist]"));
    let mut deps = BTreeSet::new();
    for (file, program) in [
        ("channelbackfill", "channelbackfill"),
        ("cmscleanup", "cms-customid-cleanup"),
        ("claims", "claims-report"),
    ] {
        let text = document(&format!("Dockerfile.{file}"));
        let code: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let bases: Vec<&str> = code.iter().copied().filter(|line| line.starts_with("FROM ")).collect();
        assert_eq!(bases.len(), 3, "{file}");
        assert!(bases[..2].iter().all(|base| base.contains(&format!("/rust:{channel}-"))), "{bases:?}");
        let last = &code[code.iter().position(|line| *line == bases[2]).unwrap()..];
        let copied: Vec<&&str> =
            last.iter().filter(|line| line.starts_with("COPY ") || line.starts_with("ADD ")).collect();
        let binary = format!("COPY --from=build /out/{program} /usr/local/bin/{program}");
        assert_eq!(copied, [&binary.as_str()]);
        for line in
            ["USER 65532:65532", r#"VOLUME ["/tmp"]"#, &format!(r#"ENTRYPOINT ["/usr/local/bin/{program}"]"#)]
        {
            assert!(last.contains(&line), "{file} has no {line}");
        }
        assert!(text.contains(r#"org.opencontainers.image.revision="$REVISION""#));
        // The layer of the dependencies is the same in all three, so it is built once.
        let shared = text.split("FROM ").nth(2).unwrap().split("COPY . .").next().unwrap().to_owned();
        deps.insert(shared);
    }
    assert_eq!(deps.len(), 1);
    let task = Template::read("tasks.yaml");
    for definition in task.of_type("AWS::ECS::TaskDefinition").into_values() {
        assert_eq!(definition["ContainerDefinitions"][0]["User"], "65532:65532");
    }
    // What is let into a build is named; everything else stays out.
    let ignored = document(".dockerignore");
    let rules: Vec<&str> =
        ignored.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    assert_eq!(rules[0], "*");
    let let_in: Vec<&str> = rules.iter().filter_map(|rule| rule.strip_prefix('!')).collect();
    assert_eq!(
        let_in,
        ["Cargo.toml", "Cargo.lock", "crates", "mappings", "tests/Cargo.toml", "tests/benches"]
    );
    assert!(let_in.iter().all(|path| root().join(path).exists()));
}
