//! The corpus that the coverage-guided fuzzer has gathered, run without it.

use std::fs;
use std::path::Path;

use bayeux_fuzz::targets::TARGETS;

#[test]
fn no_input_of_the_kept_corpus_breaks_a_promise() {
    for (name, target) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("targets/corpus")
            .join(name);
        let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
        let mut count = 0;
        for file in files {
            let path = file.unwrap().path();
            let input = fs::read(&path).unwrap();
            let outcome = std::panic::catch_unwind(|| target(&input));
            assert!(outcome.is_ok(), "see above: {}", path.display());
            count += 1;
        }
        assert!(count >= 5, "{count} files in {folder:?}");
    }
}
