//! The files in which the AWS CLI keeps settings by profile, `~/.aws/config` and
//! `~/.aws/credentials`, and `configure`, which reads and writes them.
//!
//! Region, output, keys, endpoint and certificate authorities are used. `configure set` accepts the
//! settings of S3 and other services and discards them.

use std::collections::HashMap;
use std::io::BufRead;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use super::Failure;

/// The default profile.
const DEFAULT: &str = "default";
/// The keys that belong to the credentials file; all others belong to the configuration file.
const SECRETS: [&str; 3] = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"];
/// The keys that `configure` prompts for.
const QUESTIONS: [(&str, &str); 4] = [
    ("aws_access_key_id", "AWS Access Key ID"),
    ("aws_secret_access_key", "AWS Secret Access Key"),
    ("region", "Default region name"),
    ("output", "Default output format"),
];

/// One of the two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum File {
    Config,
    Credentials,
}

impl File {
    /// Returns the file for a key.
    fn of(key: &str) -> Self {
        if SECRETS.contains(&key) { Self::Credentials } else { Self::Config }
    }

    fn path(self, variables: &HashMap<String, String>) -> Option<PathBuf> {
        let (variable, name) = match self {
            Self::Config => ("AWS_CONFIG_FILE", ".aws/config"),
            Self::Credentials => ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"),
        };
        let home = || variables.get("HOME").map(|home| PathBuf::from(home).join(name));
        variables.get(variable).map(PathBuf::from).or_else(home)
    }

    /// Returns the content; empty if there is no such file.
    fn read(self, variables: &HashMap<String, String>) -> String {
        let path = self.path(variables);
        path.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default()
    }

    /// Returns the heading of a profile.
    fn heading(self, profile: &str) -> String {
        match self {
            Self::Config if profile != DEFAULT => format!("[profile {profile}]"),
            _ => format!("[{profile}]"),
        }
    }
}

/// The values of a profile in both files.
#[derive(Debug, Default)]
pub(super) struct Profile {
    values: HashMap<String, String>,
    /// Whether the command line names it: if so, its keys take precedence over the environment.
    pub is_chosen: bool,
}

impl Profile {
    /// Returns the profile named by the option, else by the environment, else the default one.
    pub fn find(
        option: Option<&str>,
        variables: &HashMap<String, String>,
    ) -> Result<Self, Failure> {
        let by_variable = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"];
        let named = by_variable.iter().find_map(|name| variables.get(*name)).map(String::as_str);
        let name = option.or(named);
        let mut values = HashMap::new();
        let mut is_there = false;
        for file in [File::Config, File::Credentials] {
            let heading = file.heading(name.unwrap_or(DEFAULT));
            let text = file.read(variables);
            if let Some(lines) = section(&text, &heading) {
                is_there = true;
                values.extend(text.lines().skip(lines.0).take(lines.1).filter_map(pair));
            }
        }
        match name {
            Some(name) if !is_there && name != DEFAULT => {
                Err(Failure::failed(format_args!("The config profile ({name}) could not be found")))
            }
            _ => Ok(Self { values, is_chosen: option.is_some() }),
        }
    }

    /// Returns the value of a key, if there is one.
    pub fn get(&self, key: &str) -> Option<String> {
        self.values.get(key).filter(|value| !value.is_empty()).cloned()
    }
}

/// Returns the index of a profile's first line after its heading, and the number of its lines.
fn section(text: &str, heading: &str) -> Option<(usize, usize)> {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let begin = text.lines().position(|line| words(line) == heading)? + 1;
    let is_heading = |line: &str| line.trim_start().starts_with('[');
    let length = text.lines().skip(begin).take_while(|line| !is_heading(line)).count();
    Some((begin, length))
}

/// Parses a line into key and value. Indented lines belong to the line above and are ignored.
fn pair(line: &str) -> Option<(String, String)> {
    if line.starts_with(char::is_whitespace) || line.starts_with(['#', ';']) {
        return None;
    }
    let (key, value) = line.split_once('=')?;
    Some((key.trim().to_ascii_lowercase(), value.trim().to_owned()))
}

/// Returns a file's text with a key set, in a profile that may be new.
fn with(text: &str, heading: &str, key: &str, value: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let line = format!("{key} = {value}");
    match section(text, heading) {
        None => lines.extend([heading.to_owned(), line]),
        Some((begin, length)) => {
            let is_key = |line: &String| pair(line).is_some_and(|(known, _)| known == key);
            match lines[begin..begin + length].iter().position(is_key) {
                Some(place) => lines[begin + place] = line,
                None => lines.insert(begin, line),
            }
        }
    }
    lines.join("\n") + "\n"
}

/// Runs `configure` with its arguments. `profile` is the one named on the command line.
pub(super) fn configure(
    words: &[String],
    profile: Option<&str>,
    variables: &HashMap<String, String>,
    answers: &mut dyn BufRead,
) -> Result<String, Failure> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let named = profile.or_else(|| variables.get("AWS_PROFILE").map(String::as_str));
    let named = named.unwrap_or(DEFAULT);
    match words[..] {
        ["set", name, value] => {
            if let Some((profile, key)) = place(name, named) {
                set(profile, key, value, variables)?;
            }
            Ok(String::new())
        }
        ["get", name] => {
            let nothing = || Failure { status: 1, message: String::new() };
            let (profile, key) = place(name, named).ok_or_else(nothing)?;
            let file = File::of(key);
            let text = file.read(variables);
            let lines = section(&text, &file.heading(profile)).ok_or_else(nothing)?;
            let mut pairs = text.lines().skip(lines.0).take(lines.1).filter_map(pair);
            let value = pairs.find(|(known, _)| known == key).ok_or_else(nothing)?.1;
            Ok(format!("{value}\n"))
        }
        [] => {
            let mut said = String::new();
            for (key, question) in QUESTIONS {
                said.extend([question, " [None]: "]);
                let mut answer = String::new();
                answers.read_line(&mut answer).map_err(Failure::failed)?;
                if !answer.trim().is_empty() {
                    set(named, key, answer.trim(), variables)?;
                }
            }
            Ok(said + "\n")
        }
        _ => {
            Err(Failure::unusable("of configure there are `set NAME VALUE`, `get NAME`, and alone"))
        }
    }
}

/// Parses a name such as `region`, `default.region` or `profile.other.region` into profile and key.
/// Returns `None` for a nested setting of another service.
fn place<'n>(name: &'n str, profile: &'n str) -> Option<(&'n str, &'n str)> {
    let parts: Vec<&str> = name.split('.').collect();
    match parts[..] {
        [key] => Some((profile, key)),
        [DEFAULT, key] => Some((DEFAULT, key)),
        ["profile", profile, key] => Some((profile, key)),
        _ => None,
    }
}

fn set(
    profile: &str,
    key: &str,
    value: &str,
    variables: &HashMap<String, String>,
) -> Result<(), Failure> {
    let file = File::of(key);
    let path = file.path(variables).ok_or_else(|| {
        Failure::failed("there is no HOME in the environment, below which profiles are kept")
    })?;
    let text = with(&file.read(variables), &file.heading(profile), key, value);
    let written = || {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        std::io::Write::write_all(&mut options.open(&path)?, text.as_bytes())
    };
    written().map_err(|error| Failure::failed(format_args!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn home() -> (tempfile::TempDir, HashMap<String, String>) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().to_str().unwrap().to_owned();
        (home, HashMap::from([("HOME".to_owned(), path)]))
    }

    fn run(
        words: &[&str],
        profile: Option<&str>,
        variables: &HashMap<String, String>,
        answers: &str,
    ) -> Result<String, u8> {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        configure(&words, profile, variables, &mut answers.as_bytes())
            .map_err(|failure| failure.status)
    }

    #[test]
    fn what_is_configured_is_found_by_its_profile() {
        let (home, variables) = home();
        let unnamed = Profile::find(None, &variables).unwrap();
        assert!(unnamed.get("region").is_none() && !unnamed.is_chosen);
        for (words, profile) in [
            (["set", "region", "eu-west-1"], None),
            (["set", "default.output", "text"], None),
            (["set", "aws_access_key_id", "a"], Some("local")),
            (["set", "profile.local.region", "eu-west-3"], None),
            (["set", "default.s3.addressing_style", "path"], None),
            (["set", "region", "eu-west-2"], None),
        ] {
            assert_eq!(run(&words, profile, &variables, "").as_deref(), Ok(""), "{words:?}");
        }
        let usual = Profile::find(None, &variables).unwrap();
        assert_eq!(usual.get("region").as_deref(), Some("eu-west-2"));
        assert_eq!(usual.get("output").as_deref(), Some("text"));
        assert_eq!(usual.get("aws_access_key_id"), None);
        let local = Profile::find(Some("local"), &variables).unwrap();
        assert_eq!(local.get("region").as_deref(), Some("eu-west-3"));
        assert_eq!(local.get("aws_access_key_id").as_deref(), Some("a"));
        assert!(local.is_chosen);
        let secrets = std::fs::read_to_string(home.path().join(".aws/credentials")).unwrap();
        assert_eq!(secrets, "[local]\naws_access_key_id = a\n");
        assert_eq!(
            run(&["get", "region"], Some("local"), &variables, ""),
            Ok("eu-west-3\n".into())
        );
        assert_eq!(run(&["get", "aws_secret_access_key"], None, &variables, ""), Err(1));
        assert_eq!(Profile::find(Some("other"), &variables).unwrap_err().status, 255);
        assert_eq!(run(&["list"], None, &variables, ""), Err(252));
        // Unanswered prompts change nothing.
        run(&[], None, &variables, "id\nsecret\n\n").unwrap();
        let usual = Profile::find(None, &variables).unwrap();
        assert_eq!(usual.get("aws_secret_access_key").as_deref(), Some("secret"));
        assert_eq!(usual.get("region").as_deref(), Some("eu-west-2"));
    }

    #[test]
    fn files_that_people_have_written_are_read_and_kept() {
        let text = "# mine\n[default]\nregion=us-west-2 \n[profile  other]\ns3 =\n  region = no\n\
                    output = json\n";
        let read = |heading: &str, key: &str| {
            let (begin, length) = section(text, heading).unwrap();
            let mut pairs = text.lines().skip(begin).take(length).filter_map(pair);
            pairs.find(|(known, _)| known == key).map(|(_, value)| value)
        };
        assert_eq!(read("[default]", "region").as_deref(), Some("us-west-2"));
        assert_eq!(read("[profile other]", "region"), None);
        let changed = with(text, "[profile other]", "output", "text");
        assert_eq!(changed, text.replace("output = json", "output = text"));
    }

    proptest! {
        /// Whatever stands in a file, what is set is found and the rest is left.
        #[test]
        fn what_is_set_is_found(text in "(\\[(a|profile b|x)\\]\n|k = [a-z]{0,3}\n| k = n\n|#\n|junk\n){0,9}", value in "[a-z]{1,5}") {
            let changed = with(&text, "[a]", "k", &value);
            let (begin, length) = section(&changed, "[a]").unwrap();
            let mut pairs = changed.lines().skip(begin).take(length).filter_map(pair);
            prop_assert_eq!(pairs.find(|(key, _)| key == "k").map(|(_, value)| value), Some(value));
            let other = |text: &str| section(text, "[x]").map(|(begin, length)| {
                text.lines().skip(begin).take(length).map(str::to_owned).collect::<Vec<_>>()
            });
            prop_assert_eq!(other(&changed), other(&text));
        }
    }
}
