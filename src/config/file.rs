//! The TOML file: the same options as the flags, and the tables of queues and topics.
//!
//! An unknown key is an error: a setting that is silently ignored costs its user an afternoon.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::suggestion::did_you_mean;
use super::{ConfigError, DeclaredQueue, DeclaredTopic, Options, queues, topics};
use crate::domain::address::is_account;

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
    let options = toml::from_str::<Options>(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let message = expectation(error.message());
        match table.get_ref().iter().find(|(_, value)| value.span().contains(&at)) {
            Some((key, _)) => source.fault(at, format!("{}: {message}", key.get_ref())),
            None => source.fault(at, message),
        }
    })?;
    let declared = |section| {
        let found = table.get_ref().get_key_value(section);
        found.map_or(Ok(Vec::new()), |entry| Entry::new(source, entry).entries())
    };
    let queues = queues::parse(source, &declared(QUEUES)?)?;
    let topics = topics::parse(&declared(TOPICS)?)?;
    Ok(File { options, queues, topics })
}

/// Returns serde's sentence about a value of another type in plain words, and others unchanged.
fn expectation(message: &str) -> String {
    let parts = message
        .strip_prefix("invalid type: ")
        .or_else(|| message.strip_prefix("invalid value: "))
        .and_then(|rest| rest.rsplit_once(", expected "));
    let Some((found, expected)) = parts else { return message.to_owned() };
    let expected = match expected {
        "u32" | "u64" | "usize" => "a number",
        "a boolean" => "true or false",
        other => other,
    };
    format!("expected {expected}, found the {found}")
}

/// A key of the file and its value.
pub(super) struct Entry<'t, 'i> {
    pub key: String,
    source: Source<'t>,
    /// The byte at which the key stands.
    at: usize,
    value: &'t Spanned<DeValue<'i>>,
}

impl<'t, 'i> Entry<'t, 'i> {
    fn new(
        source: Source<'t>,
        (key, value): (&'t Spanned<Cow<'i, str>>, &'t Spanned<DeValue<'i>>),
    ) -> Self {
        Self { key: key.get_ref().to_string(), source, at: key.span().start, value }
    }

    /// Returns the byte at which the key stands.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Returns the line of the key, which declares something.
    pub fn origin(&self) -> Origin {
        Origin { line: Some(self.source.line(self.at)), ..Origin::default() }
    }

    /// Returns a fault of the key.
    pub fn fault(&self, message: impl Into<String>) -> Fault {
        self.source.fault(self.at, message)
    }

    /// Returns a fault of the value.
    pub fn fault_of_value(&self, message: impl Into<String>) -> Fault {
        self.source.fault(self.value.span().start, message)
    }

    fn must_be(&self, what: &str) -> Fault {
        self.fault_of_value(format!("`{}` must be {what}", self.key))
    }

    /// Returns the entries of a table.
    pub fn entries(&self) -> Result<Vec<Self>, Fault> {
        let table = self.value.get_ref().as_table().ok_or_else(|| self.must_be("a table"))?;
        Ok(table.iter().map(|entry| Self::new(self.source, entry)).collect())
    }

    /// Returns the entries of a queue or topic, which is declared in the table `section`.
    pub fn entries_of_resource(&self, section: &str) -> Result<Vec<Self>, Fault> {
        let key = format!("{section}.{}", self.key);
        let entries =
            Self { key, source: self.source, at: self.at, value: self.value }.entries()?;
        let is_dotted = |entry: &&Self| entry.key == "fifo" && entry.value.get_ref().is_table();
        match entries.iter().find(is_dotted) {
            None => Ok(entries),
            Some(entry) => Err(entry.fault(format!(
                "write [{section}.\"{}.fifo\"] in quotes, because the name contains a dot",
                self.key
            ))),
        }
    }

    /// Returns the elements of a list under the key of the list.
    pub fn elements(&self) -> Option<impl Iterator<Item = Self>> {
        let elements = self.value.get_ref().as_array()?.iter();
        let element =
            |value| Self { key: self.key.clone(), source: self.source, at: self.at, value };
        Some(elements.map(element))
    }

    /// Returns a number, a truth value or text, as the text that the API takes.
    pub fn text(&self) -> Result<String, Fault> {
        match self.value.get_ref() {
            DeValue::String(text) => Ok(text.to_string()),
            DeValue::Boolean(truth) => Ok(truth.to_string()),
            DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().to_owned()),
            _ => Err(self.must_be("text, a whole number, true or false")),
        }
    }

    /// Returns the same, and of a table or list its JSON: a policy may be written as TOML.
    pub fn text_or_json(&self) -> Result<String, Fault> {
        if !matches!(self.value.get_ref(), DeValue::Table(_) | DeValue::Array(_)) {
            return self.text();
        }
        let value = serde_json::Value::deserialize(ValueDeserializer::from(self.value.clone()));
        value.map(|value| value.to_string()).map_err(|error| self.fault_of_value(error.message()))
    }

    /// Returns text.
    pub fn string(&self) -> Result<String, Fault> {
        self.value.get_ref().as_str().map(str::to_owned).ok_or_else(|| self.must_be("text"))
    }

    /// Returns an account: text of 12 digits.
    pub fn account(&self) -> Result<String, Fault> {
        let account = self.value.get_ref().as_str().filter(|account| is_account(account));
        account.map(str::to_owned).ok_or_else(|| self.must_be("text of 12 digits"))
    }
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
        assert_eq!(
            fault("\n\nlisten = 5"),
            (3, "listen: expected a text or a list of texts".to_owned())
        );
        assert_eq!(
            fault("shutdown_grace = '8'"),
            (1, "shutdown_grace: expected a number, found the string \"8\"".to_owned())
        );
        assert_eq!(
            fault("region = 'r'\nephemeral = 'yes'"),
            (2, "ephemeral: expected true or false, found the string \"yes\"".to_owned())
        );
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
