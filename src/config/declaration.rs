//! What declared queues, topics and subscriptions have in common.

use indexmap::IndexMap;

use super::file::{Entry, Fault};
use super::suggestion::did_you_mean;

/// The attributes of a declared queue, topic or subscription.
pub(super) struct Attributes {
    /// What they belong to, for errors: ``queue `orders` ``.
    pub of: String,
    /// The names that are suggested for a misspelt one; other keys than attributes among them.
    pub suggestions: Vec<&'static str>,
    /// Returns whether there is an attribute of this name.
    pub is_known: fn(&str) -> bool,
    pub given: IndexMap<String, String>,
}

impl Attributes {
    /// Reads the table `attributes`, or an attribute as a plain key.
    pub fn read(&mut self, entry: &Entry<'_, '_>) -> Result<(), Fault> {
        match entry.key.as_str() {
            "attributes" => entry.entries()?.iter().try_for_each(|entry| self.insert(entry)),
            _ => self.insert(entry),
        }
    }

    fn insert(&mut self, entry: &Entry<'_, '_>) -> Result<(), Fault> {
        let name = &entry.key;
        if !(self.is_known)(name) {
            let hint = did_you_mean(name, self.suggestions.iter().copied());
            return Err(entry.fault(format!("unknown key `{name}` of {}{hint}", self.of)));
        }
        if self.given.insert(name.clone(), entry.text_or_json()?).is_some() {
            return Err(entry.fault(format!("`{name}` is given twice")));
        }
        Ok(())
    }
}

/// The keys that queues and topics share.
pub(super) const SHARED_KEYS: [&str; 4] = ["attributes", "tags", "account", "region"];

/// A declared queue or topic.
pub(super) struct Resource {
    /// 12 digits.
    pub account: Option<String>,
    pub region: Option<String>,
    pub tags: IndexMap<String, String>,
    pub attributes: Attributes,
}

impl Resource {
    /// Returns a resource that has nothing but these attributes.
    pub fn new(attributes: Attributes) -> Self {
        Self { account: None, region: None, tags: IndexMap::new(), attributes }
    }

    /// Reads one of the keys that queues and topics share, or an attribute.
    pub fn read(&mut self, entry: &Entry<'_, '_>) -> Result<(), Fault> {
        match entry.key.as_str() {
            "tags" => {
                for tag in entry.entries()? {
                    self.tags.insert(tag.key.clone(), tag.text()?);
                }
            }
            "account" => self.account = Some(entry.account()?),
            "region" => self.region = Some(entry.string()?),
            _ => self.attributes.read(entry)?,
        }
        Ok(())
    }

    /// Returns the attributes. The create operations want it said that a queue or topic is a FIFO one; in
    /// the file its name says it.
    pub fn attributes(self, name: &str, fifo: &str) -> IndexMap<String, String> {
        let mut attributes = self.attributes.given;
        if name.strip_suffix(".fifo").is_some() {
            attributes.entry(fifo.to_owned()).or_insert_with(|| "true".to_owned());
        }
        attributes
    }
}
