//! The TOML file: the same options as the flags, and the tables of queues and topics.
//!
//! An unknown key is an error: a setting that is silently ignored costs its user an afternoon.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use clap::Args;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::suggestion::did_you_mean;
use super::{ConfigError, DeclaredQueue, DeclaredTopic, Options, queues, topics};

/// The key of the table of queues.
const QUEUES: &str = "queues";
/// The key of the table of topics.
const TOPICS: &str = "topics";

/// What the file says.
#[derive(Debug, Default)]
pub(super) struct File {
    pub options: Options,
    /// In an order in which they can be created.
    pub queues: Vec<DeclaredQueue>,
    pub topics: Vec<DeclaredTopic>,
}

/// What is wrong with the file, and on which line, counted from 1.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub line: usize,
    pub message: String,
}

impl Fault {
    /// The error of a file at this path.
    pub fn of(self, path: PathBuf) -> ConfigError {
        ConfigError::File { path, line: self.line, message: self.message }
    }
}

/// The text of the file, to say on which line something stands.
#[derive(Clone, Copy)]
pub(super) struct Source<'a>(pub &'a str);

impl Source<'_> {
    /// Returns the line of this byte, counted from 1.
    pub fn line(self, at: usize) -> usize {
        let before = self.0.get(..at).unwrap_or(self.0);
        1 + before.matches('\n').count()
    }

    /// A fault of what stands at this byte.
    pub fn fault(self, at: usize, message: impl Into<String>) -> Fault {
        Fault { line: self.line(at), message: message.into() }
    }
}

/// Where a queue or a topic is declared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The file.
    pub path: PathBuf,
    /// The line, counted from 1; `None` where the format does not tell.
    pub line: Option<usize>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.path.display()),
            None => write!(f, "{}", self.path.display()),
        }
    }
}

/// Reads the file.
pub(super) fn parse(text: &str) -> Result<File, Fault> {
    let source = Source(text);
    let fault = |error: toml::de::Error| {
        source.fault(error.span().map_or(0, |span| span.start), error.message())
    };
    let table = DeTable::parse(text).map_err(fault)?;
    refuse_unknown_keys(source, table.get_ref())?;
    let options = toml::from_str::<Options>(text).map_err(fault)?;
    let queues = match table.get_ref().get(QUEUES) {
        None => Vec::new(),
        Some(declared) => queues::parse(source, as_table(source, QUEUES, declared)?)?,
    };
    let topics = match table.get_ref().get(TOPICS) {
        None => Vec::new(),
        Some(declared) => topics::parse(source, as_table(source, TOPICS, declared)?)?,
    };
    Ok(File { options, queues, topics })
}

/// The table that this key must hold.
pub(super) fn as_table<'t, 'i>(
    source: Source<'_>,
    key: &str,
    value: &'t Spanned<DeValue<'i>>,
) -> Result<&'t DeTable<'i>, Fault> {
    value
        .get_ref()
        .as_table()
        .ok_or_else(|| source.fault(value.span().start, format!("`{key}` must be a table")))
}

/// A number, a truth value or text, as the text that the API takes.
pub(super) fn text(
    source: Source<'_>,
    key: &Spanned<Cow<'_, str>>,
    value: &Spanned<DeValue<'_>>,
) -> Result<String, Fault> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Boolean(truth) => Ok(truth.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().to_owned()),
        _ => Err(source.fault(
            value.span().start,
            format!("`{}` must be text, a whole number, true or false", key.get_ref()),
        )),
    }
}

/// Text.
pub(super) fn string(
    source: Source<'_>,
    key: &Spanned<Cow<'_, str>>,
    value: &Spanned<DeValue<'_>>,
) -> Result<String, Fault> {
    value.get_ref().as_str().map(str::to_owned).ok_or_else(|| {
        source.fault(value.span().start, format!("`{}` must be text", key.get_ref()))
    })
}

/// An account: text of 12 digits.
pub(super) fn account(
    source: Source<'_>,
    key: &Spanned<Cow<'_, str>>,
    value: &Spanned<DeValue<'_>>,
) -> Result<String, Fault> {
    value
        .get_ref()
        .as_str()
        .filter(|account| account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()))
        .map(str::to_owned)
        .ok_or_else(|| {
            let message = format!("`{}` must be text of 12 digits", key.get_ref());
            source.fault(value.span().start, message)
        })
}

fn refuse_unknown_keys(source: Source<'_>, table: &DeTable<'_>) -> Result<(), Fault> {
    let command = Options::augment_args(clap::Command::new("squab"));
    let known: Vec<&str> = command
        .get_arguments()
        .map(|argument| argument.get_id().as_str())
        .chain([QUEUES, TOPICS])
        .collect();
    for key in table.keys() {
        let name = key.get_ref().as_ref();
        if !known.contains(&name) {
            let hint = did_you_mean(name, known.iter().copied());
            return Err(source.fault(key.span().start, format!("unknown key `{name}`{hint}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::fault;
    use super::*;

    #[test]
    fn one_address_needs_no_list() {
        let options = parse("listen = '0.0.0.0:1,0.0.0.0:2'").unwrap().options;
        assert_eq!(options.listen.unwrap(), ["0.0.0.0:1", "0.0.0.0:2"]);
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_told_with_its_line() {
        let (line, message) = fault("region = 'r'\ndurability = 'fully'\n");
        assert_eq!(line, 2);
        assert!(message.contains("`full` or `process`"), "{message}");
        assert_eq!(fault("\n\nlisten = 5").0, 3);
        assert_eq!(fault("queues = 5"), (1, "`queues` must be a table".to_owned()));
    }

    #[test]
    fn a_file_that_is_not_toml_is_told_with_its_line() {
        assert_eq!(fault("region = 'r'\nlisten 5\n").0, 2);
    }

    #[test]
    fn the_file_cannot_name_another_file_nor_hold_a_secret() {
        assert!(fault("config = 'x'").1.starts_with("unknown key `config`"));
        assert!(fault("secret_access_key = 'x'").1.starts_with("unknown key `secret_access_key`"));
    }
}
