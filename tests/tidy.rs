//! Rules about the text of the repository: dependencies between modules, banned words, file headers
//! and file sizes.
//!
//! Each number is a ratchet: the test fails if the sources exceed it. If they stay below it, the test passes and
//! prints the lower limit to write here (`cargo test --test it tidy:: -- --nocapture`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The modules that each top-level module of `src` may use.
const DEPENDENCIES: &[(&str, &[&str])] = &[
    ("main", &["config", "server"]),
    ("lib", &[]),
    ("fault", &[]),
    ("server", &["api", "auth", "config", "domain", "engine", "runtime", "wire"]),
    ("config", &["domain"]),
    ("api", &["auth", "domain", "engine", "runtime"]),
    ("runtime", &["domain", "engine", "store"]),
    ("engine", &["domain", "store"]),
    ("store", &["domain"]),
    ("auth", &["domain"]),
    ("wire", &[]),
    ("domain", &[]),
];

/// Dependencies that should not exist, with the number of files that have them.
const UNWANTED_DEPENDENCIES: &[(&str, &str, usize, &str)] = &[
    ("main", "store", 1, "`squab --check` opens the database without a server"),
    ("server", "store", 4, "startup opens the store; dev_endpoints and provisioning read rows"),
    ("config", "auth", 2, "access keys and `--auth` are the verifier's types"),
    ("config", "store", 2, "`--durability` and limits of accounts are the store's types"),
    ("api", "wire", 8, "the tables of operations and errors encode for both protocols"),
    ("api", "store", 9, "list operations read rows without an engine function"),
];

/// Words that hide the subject of a sentence or belong to no engineer's English (docs/STYLE.md).
const BANNED: &[&str] = &[
    "whoever",
    "whom",
    "nobody",
    "somebody",
    "anybody",
    "everybody",
    "told",
    "tells",
    "anew",
    "aside",
    "gives way",
    "give way",
    "where to go on",
    "at hand",
    "as it stands",
];

/// Production lines that a file of `src` may have: lines outside of tests that are neither blank nor
/// comments.
const LONGEST_FILE: usize = 600;

/// Files that are longer, with their production lines.
const LONGER_FILES: &[(&str, usize)] = &[];

#[test]
fn modules_depend_only_on_the_modules_below_them() {
    let mut found: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for file in files("src", "rs") {
        let path = relative(&file);
        let text = fs::read_to_string(&file).unwrap();
        assert!(!text.contains("use crate::{"), "{path}: write one `use crate::…` for each module");
        let module = top_level_module(&path);
        for used in used_modules(&text, if module == "main" { "squab::" } else { "crate::" }) {
            if used != module {
                found.entry((module.clone(), used)).or_default().insert(path.clone());
            }
        }
    }
    let mut faults = Vec::new();
    for ((module, used), files) in &found {
        let (_, allowed) =
            DEPENDENCIES.iter().find(|(name, _)| name == module).unwrap_or_else(|| {
                panic!("DEPENDENCIES has no line for the module {module}");
            });
        if allowed.contains(&used.as_str()) {
            continue;
        }
        let unwanted = UNWANTED_DEPENDENCIES.iter().find(|(m, u, ..)| m == module && u == used);
        let limit = unwanted.map_or(0, |(_, _, limit, _)| *limit);
        if files.len() > limit {
            let number = files.len();
            faults.push(format!(
                "{module} uses {used} in {number} files instead of {limit}: {files:?}"
            ));
        }
    }
    for (module, used, limit, _) in UNWANTED_DEPENDENCIES {
        let number =
            found.get(&((*module).to_owned(), (*used).to_owned())).map_or(0, BTreeSet::len);
        if number < *limit {
            println!("UNWANTED_DEPENDENCIES: {module} uses {used} in {number} files, not {limit}");
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn banned_words_do_not_occur() {
    let mut faults = Vec::new();
    for (area, file) in prose_files() {
        let text = fs::read_to_string(&file).unwrap();
        let prose = match file.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => rust_prose(&text, area == "src"),
            Some("txt") => {
                text.lines().filter(|line| line.starts_with('#')).collect::<Vec<_>>().join("\n")
            }
            _ => text,
        }
        .to_lowercase();
        let words = BANNED.iter().filter(|word| occurs(&prose, word));
        faults.extend(words.map(|word| format!("{}: {word}", relative(&file))));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_file_begins_with_a_header() {
    for file in files("src", "rs") {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//! "), "{} has no `//!` header", relative(&file));
    }
}

#[test]
fn files_are_short() {
    let mut faults = Vec::new();
    for file in files("src", "rs") {
        let path = relative(&file);
        let lines = production_lines(&path, &fs::read_to_string(&file).unwrap());
        let listed = LONGER_FILES.iter().find(|(name, _)| *name == path);
        let limit = listed.map_or(LONGEST_FILE, |(_, limit)| *limit);
        if lines > limit {
            faults.push(format!("{path} has {lines} lines, more than {limit}: split it"));
        } else if listed.is_some() && lines < limit {
            println!(
                "LONGER_FILES: {path} has {lines} lines, not {limit}; up to {LONGEST_FILE} need no line"
            );
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// `tests/faults/run` finds the faults in the sources; their table says what each breaks.
#[test]
fn the_table_of_seeded_faults_is_complete() {
    let mut seeded = Vec::new();
    for file in files("src", "rs") {
        let text = fs::read_to_string(&file).unwrap();
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let names = line.split("fault!(\"").skip(1);
            seeded.extend(names.map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
    }
    let text = fs::read_to_string(root().join("docs/simulation.md")).unwrap();
    let section = text.split("\n## ").find(|section| section.starts_with("Faults")).unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let mut listed: Vec<String> =
        rows.map(|row| row.split('`').next().unwrap().to_owned()).collect();
    seeded.sort();
    listed.sort();
    assert_eq!(listed, seeded, "docs/simulation.md lists each `fault!` of src/ once");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn relative(file: &Path) -> String {
    file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()
}

/// Returns all files below a folder of the repository that have the extension, in order.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    const SKIPPED: &[&str] = &["target", "node_modules", ".cache", "golden", "recorded", "corpus"];
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if !SKIPPED.contains(&name) {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|it| it == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Returns the files whose prose is checked, each with its area.
fn prose_files() -> Vec<(&'static str, PathBuf)> {
    // Generated pages repeat comments of the sources; the style guide and this test quote the words.
    const EXEMPT: &[&str] =
        &["docs/STYLE.md", "docs/fidelity.md", "docs/operations-table.md", "tests/tidy.rs"];
    let mut found = Vec::new();
    for (area, folder, extension) in [
        ("src", "src", "rs"),
        ("docs", "docs", "md"),
        ("docs", "helm", "md"),
        ("docs", "compat-suite", "md"),
        ("tests", "tests", "rs"),
        ("tests", "tests", "txt"),
        ("tests", "examples", "rs"),
        ("tests", "benches", "rs"),
        ("src", "awslocal/src", "rs"),
    ] {
        found.extend(files(folder, extension).into_iter().map(|file| (area, file)));
    }
    found.extend(["README.md", "CHANGELOG.md"].map(|name| ("docs", root().join(name))));
    found.retain(|(_, file)| !EXEMPT.contains(&relative(file).as_str()));
    found
}

/// Returns the top-level module that a file of `src` belongs to.
fn top_level_module(path: &str) -> String {
    path.trim_start_matches("src/").split('/').next().unwrap().trim_end_matches(".rs").to_owned()
}

/// Returns the modules that the code names after a prefix such as `crate::`.
fn used_modules(text: &str, prefix: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for (start, _) in line.match_indices(prefix) {
            let preceded = line[..start].chars().next_back();
            if preceded
                .is_some_and(|it| it.is_alphanumeric() || it == '_' || it == '"' || it == '$')
            {
                continue;
            }
            let rest = &line[start + prefix.len()..];
            let end =
                rest.find(|it: char| !it.is_alphanumeric() && it != '_').unwrap_or(rest.len());
            if rest.starts_with(|it: char| it.is_lowercase()) {
                found.insert(rest[..end].to_owned());
            }
        }
    }
    found
}

/// Returns the comments of Rust code, one per line, and on request its string literals: those of tests
/// are data.
fn rust_prose(code: &str, with_literals: bool) -> String {
    let mut prose = String::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("r\"") || rest.starts_with("r#") {
            let hashes = rest[1..].bytes().take_while(|byte| *byte == b'#').count();
            let end = format!("\"{}", "#".repeat(hashes));
            match rest[1 + hashes..].strip_prefix('"').and_then(|text| text.find(&end)) {
                Some(found) => 1 + hashes + 1 + found + end.len(),
                None => 1, // a raw identifier
            }
        } else if first == '"' {
            quoted_length(rest)
        } else {
            // A quote as a character, which begins no string.
            let skipped = if rest.starts_with("'\"'") { 3 } else { first.len_utf8() };
            rest = &rest[skipped..];
            continue;
        };
        if with_literals || rest.starts_with("//") {
            prose.push_str(&rest[..length]);
            prose.push('\n');
        }
        rest = &rest[length..];
    }
    prose
}

/// Returns the length of the string literal that `text` begins with, quotes included.
fn quoted_length(text: &str) -> usize {
    let mut escaped = false;
    for (index, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    text.len()
}

/// Returns whether a text contains a word or phrase, as whole words.
fn occurs(text: &str, word: &str) -> bool {
    let is_letter = |it: char| it.is_alphanumeric() || it == '_' || it == '-';
    text.match_indices(word).any(|(start, _)| {
        !text[..start].ends_with(is_letter) && !text[start + word.len()..].starts_with(is_letter)
    })
}

/// Returns the number of lines outside of tests that are neither blank nor comments.
fn production_lines(path: &str, text: &str) -> usize {
    if path.ends_with("tests.rs") || path.contains("/tests/") {
        return 0;
    }
    let mut count = 0;
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if line.starts_with("#[cfg(test)]") {
            skip_item(&mut lines);
        } else if !line.is_empty() && !line.starts_with("//") {
            count += 1;
        }
    }
    count
}

/// Skips the item that follows an attribute: up to its closing brace, or its semicolon.
fn skip_item<'t>(lines: &mut impl Iterator<Item = &'t str>) {
    let mut depth = 0_usize;
    let mut has_body = false;
    for line in lines {
        depth += line.matches('{').count();
        depth = depth.saturating_sub(line.matches('}').count());
        has_body |= line.contains('{');
        if depth == 0 && (has_body || line.ends_with(';')) {
            return;
        }
    }
}
