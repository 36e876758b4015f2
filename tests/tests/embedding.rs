//! `docs/embedding.md` does what it says: its blocks, put together as files of a crate, build and pass their tests.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::{fs, io};

use bayeux_tests::rules::Tree;

/// The files in a guide: each block that begins with the comment of a path.
fn files(guide: &str) -> BTreeMap<&str, &str> {
    let blocks = guide.split("\n```").skip(1).step_by(2);
    blocks
        .filter_map(|block| {
            let (_language, text) = block.split_once('\n')?;
            let (first, _) = text.split_once('\n')?;
            let path = first
                .strip_prefix("// ")
                .or_else(|| first.strip_prefix("# "))?;
            Some((path, text))
        })
        .collect()
}

/// Writes the crate beside what passes for a checkout, and says where.
fn write(files: &BTreeMap<&str, &str>, place: &Path) -> io::Result<()> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    fs::create_dir_all(place.join("chat/src"))?;
    fs::create_dir_all(place.join("chat/tests"))?;
    if !place.join("bayeux").exists() {
        symlink(fs::canonicalize(root)?, place.join("bayeux"))?;
    }
    for (path, text) in files {
        fs::write(place.join("chat").join(path), text)?;
    }
    // It is outside of this workspace, and takes what this workspace was built with.
    let manifest = place.join("chat/Cargo.toml");
    fs::write(
        &manifest,
        fs::read_to_string(&manifest)? + "\n[workspace]\n",
    )?;
    fs::copy(format!("{root}/Cargo.lock"), place.join("chat/Cargo.lock"))?;
    Ok(())
}

#[test]
fn the_guide_to_embedding_builds_and_passes_its_own_tests() {
    let guide = Tree::new().read("docs/embedding.md").unwrap();
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("embedding");
    // What it has in common with this workspace is there already, if it is compiled alike.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("..");
    let files = files(&guide);
    write(&files, &place).unwrap();

    let output = Command::new(env!("CARGO"))
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .args(["test", "--offline", "--quiet", "--target-dir"])
        .arg(target)
        .current_dir(place.join("chat"))
        .output()
        .unwrap();

    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("warning"), "{said}");
    assert_eq!(files.len(), 9, "{:?}", files.keys());
}
