//! The generated documents of the program: shell completions and the manual page.

use crate::process::squab;
use squab::api::operations::OPERATIONS;
use std::process::Command;

const SHELLS: [&str; 5] = ["bash", "elvish", "fish", "powershell", "zsh"];

fn printed(arguments: &[&str]) -> String {
    // Settings that cannot be used have nothing to do with what is printed.
    let output = squab(arguments).env("SQUAB_MAX_CONNECTIONS", "0").output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the flags in `--help`.
fn flags() -> Vec<String> {
    let help = printed(&["--help"]);
    let flags: Vec<String> = help
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("--"))
        .map(|line| line.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect())
        .collect();
    assert!(flags.len() > 20, "{flags:?}");
    flags
}

#[test]
fn completions_of_each_shell_and_the_manual_page_know_every_flag() {
    let mut documents: Vec<(&str, String)> =
        SHELLS.iter().map(|shell| (*shell, printed(&["completions", shell]))).collect();
    documents.push(("man", printed(&["man"]).replace(r"\-", "-")));
    for (document, text) in &documents {
        for flag in flags() {
            assert!(text.contains(&flag), "{document} does not know --{flag}");
        }
    }
    assert!(documents[SHELLS.len()].1.contains(".TH squab 1"));
}

#[test]
fn bash_completes_a_flag_and_its_values() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("squab.bash");
    std::fs::write(&file, printed(&["completions", "bash"])).unwrap();
    for (word, before, expected) in [
        ("--cred", "squab", "--credentials"),
        ("str", "--auth", "strict"),
        ("hea", "squab", "health"),
    ] {
        let script = format!(
            "source {file}\nCOMP_WORDS=(squab {given} {word})\nCOMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
             _squab squab {word} {before}\necho \"${{COMPREPLY[@]}}\"",
            file = file.display(),
            given = if before == "squab" { "" } else { before },
        );
        let output = Command::new("bash").args(["-c", &script]).output().unwrap();
        let completed = String::from_utf8_lossy(&output.stdout);
        assert_eq!(completed.trim(), expected, "{output:?}");
    }
}

/// The tables of `awslocal` are of its own, because it knows nothing of the server's code.
#[test]
fn awslocal_knows_the_operations_that_are_served_and_no_others() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/awslocal/src/operations.txt");
    let table = std::fs::read_to_string(file).unwrap();
    let mut known: Vec<_> = table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    let mut served: Vec<_> =
        OPERATIONS.iter().map(|one| format!("{} {}", one.service.name(), one.name)).collect();
    known.sort_unstable();
    served.sort_unstable();
    assert_eq!(known, served);
}
