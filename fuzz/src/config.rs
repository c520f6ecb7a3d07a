//! The configuration file, and the file of credentials.

use squab::auth::Credentials;
use squab::config::{ConfigError, load};
use std::ffi::OsString;

/// A file is refused with the line to blame, or understood, and twice the same.
pub fn target(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input) {
        drop(Credentials::parse(text));
    }
    let path = std::env::temp_dir().join(format!("squab-fuzz-{}.toml", std::process::id()));
    std::fs::write(&path, input).unwrap();
    let arguments = || [OsString::from("squab"), "--config".into(), path.clone().into()];
    match load(arguments(), []) {
        Ok(invocation) => {
            assert_eq!(load(arguments(), []).unwrap().settings, invocation.settings);
        }
        Err(ConfigError::File { line, .. }) => {
            let lines = input.split(|byte| *byte == b'\n').count();
            assert!((1..=lines).contains(&line), "line {line} of {lines}");
        }
        Err(ConfigError::Unreadable { .. } | ConfigError::Value { .. }) => {}
        Err(other) => panic!("{other}"),
    }
    std::fs::remove_file(path).unwrap();
}
