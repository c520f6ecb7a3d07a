//! Replays the fuzzer's corpus and all its findings through the functions that the fuzzer calls
//! (`fuzz/src`). See docs/fuzzing.md.

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::fs;
use std::path::Path;

fn replay(name: &str, target: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut inputs = 0;
    for entry in fs::read_dir(&corpus).unwrap() {
        let path = entry.unwrap().path();
        // Identifies the input if the test fails.
        eprintln!("{}", path.display());
        target(&fs::read(path).unwrap());
        inputs += 1;
    }
    assert!(inputs > 0, "{} is empty", corpus.display());
}

macro_rules! corpora {
    ($($name:ident),+) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name), targets::$name::target);
        })+

        /// A corpus without a target would not be replayed.
        #[test]
        fn every_corpus_has_a_target() {
            let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
            for entry in fs::read_dir(corpora).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                assert!([$(stringify!($name)),+].contains(&name.as_str()), "{name}");
            }
        }
    };
}

corpora!(
    authorization,
    config,
    delivery_policy,
    filter_policy,
    gateway,
    json,
    policy,
    presigned,
    query,
    receipt
);
