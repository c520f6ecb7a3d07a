//! The queues that the file declares, to exist when the server is ready.
//!
//! ```toml
//! [queues.orders]
//! VisibilityTimeout = 60
//! tags = { team = "shop" }
//! dead_letter_queue = "orders-dlq"
//! max_receive_count = 5
//!
//! [queues.orders-dlq]
//! ```
//!
//! Only the shape is decided here. Names, attributes and their values are AWS's rules, applied when
//! the queues are created.

use indexmap::IndexMap;

use super::declaration::{Attributes, Resource, SHARED_KEYS};
use super::file::{Entry, Fault, Origin, Source};
use crate::domain::limits::MAX_RECEIVE_COUNT;
use crate::domain::queue_attributes::AttributeName;

/// A queue that is to exist at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredQueue {
    /// The name, with `.fifo` for a FIFO queue.
    pub name: String,
    /// Where it is declared.
    pub origin: Origin,
    /// 12 digits; the default account when `None`.
    pub account: Option<String>,
    /// The region of the settings when `None`.
    pub region: Option<String>,
    /// Attributes as CreateQueue takes them. `FifoQueue` is there whenever the name ends in
    /// `.fifo`; `RedrivePolicy` is not, when `dead_letter_queue` stands for it.
    pub attributes: IndexMap<String, String>,
    /// Tags as CreateQueue takes them.
    pub tags: IndexMap<String, String>,
    /// The name of the dead-letter queue, in the same account and region, and maxReceiveCount. It
    /// may be a queue that is not declared but exists already.
    pub dead_letter_queue: Option<(String, u32)>,
    /// The name of a queue that gets a copy of each message; empty to end it, left as it is when
    /// `None`.
    pub copy_to: Option<String>,
    /// The name of a queue that gets each message instead, likewise.
    pub move_to: Option<String>,
}

/// The keys of a queue that topics have not.
const KEYS: [&str; 4] = ["dead_letter_queue", "max_receive_count", "copy_to", "move_to"];

/// Reads `[queues.…]`, each queue after the dead-letter queue that it names.
pub(super) fn parse(
    source: Source<'_>,
    entries: &[Entry<'_, '_>],
) -> Result<Vec<DeclaredQueue>, Fault> {
    let declared = entries
        .iter()
        .map(|entry| Ok((entry.key.clone(), (entry.at(), parse_queue(entry)?))))
        .collect::<Result<_, Fault>>()?;
    dead_letter_queues_first(source, declared)
}

impl DeclaredQueue {
    /// A queue of which only the name is known.
    pub(super) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            origin: Origin::default(),
            account: None,
            region: None,
            attributes: IndexMap::new(),
            tags: IndexMap::new(),
            dead_letter_queue: None,
            copy_to: None,
            move_to: None,
        }
    }
}

fn parse_queue(declared: &Entry<'_, '_>) -> Result<DeclaredQueue, Fault> {
    let name = &declared.key;
    let settable = AttributeName::settable();
    let mut resource = Resource::new(Attributes {
        of: format!("queue `{name}`"),
        suggestions: settable.chain(SHARED_KEYS).chain(KEYS).collect(),
        is_known: |name| AttributeName::settable().any(|known| known == name),
        given: IndexMap::new(),
    });
    let mut queue = DeclaredQueue::named(name);
    let mut dead_letter_queue = None;
    let mut max_receive_count = None;
    for entry in declared.entries_of_resource("queues")? {
        match entry.key.as_str() {
            "dead_letter_queue" => dead_letter_queue = Some((entry.string()?, entry)),
            "max_receive_count" => max_receive_count = Some((entry.text()?, entry)),
            "copy_to" => queue.copy_to = Some(entry.string()?),
            "move_to" => queue.move_to = Some(entry.string()?),
            _ => resource.read(&entry)?,
        }
    }
    queue.origin = declared.origin();
    queue.account = resource.account.take();
    queue.region = resource.region.take();
    queue.tags = std::mem::take(&mut resource.tags);
    queue.attributes = resource.attributes(name, "FifoQueue");
    queue.dead_letter_queue = redrive(&queue, dead_letter_queue, max_receive_count)?;
    Ok(queue)
}

/// Returns the dead-letter queue and maxReceiveCount.
fn redrive(
    queue: &DeclaredQueue,
    dead_letter_queue: Option<(String, Entry<'_, '_>)>,
    max_receive_count: Option<(String, Entry<'_, '_>)>,
) -> Result<Option<(String, u32)>, Fault> {
    match (dead_letter_queue, max_receive_count) {
        (None, None) => Ok(None),
        (Some((_, entry)), None) => {
            Err(entry.fault("`dead_letter_queue` needs a `max_receive_count` beside it"))
        }
        (None, Some((_, entry))) => {
            Err(entry.fault("`max_receive_count` needs a `dead_letter_queue` beside it"))
        }
        (Some((_, entry)), Some(_)) if queue.attributes.contains_key("RedrivePolicy") => {
            Err(entry.fault("`dead_letter_queue` and `RedrivePolicy` say the same: give one"))
        }
        (Some((name, _)), Some((count, entry))) => {
            let count = count.parse().ok();
            if let Some(count) =
                count.filter(|count| MAX_RECEIVE_COUNT.contains(&i64::from(*count)))
            {
                return Ok(Some((name, count)));
            }
            let (low, high) = (MAX_RECEIVE_COUNT.start(), MAX_RECEIVE_COUNT.end());
            Err(entry.fault(format!("`max_receive_count` must be {low} to {high}")))
        }
    }
}

/// Orders the queues so that each dead-letter queue comes before the queues that name it.
///
/// A circle is refused: it has no such order, and a message that no consumer can process would go
/// round in it for ever.
pub(super) fn dead_letter_queues_first(
    source: Source<'_>,
    mut declared: IndexMap<String, (usize, DeclaredQueue)>,
) -> Result<Vec<DeclaredQueue>, Fault> {
    let mut ordered = Vec::with_capacity(declared.len());
    while let Some((first, _)) = declared.first() {
        let mut chain = vec![first.clone()];
        while let Some(next) = chain
            .last()
            .and_then(|name| declared.get(name))
            .and_then(|(_, queue)| queue.dead_letter_queue.as_ref())
            .map(|(name, _)| name)
            .filter(|name| declared.contains_key(*name))
        {
            if chain.contains(next) {
                let at = declared.get(next).map_or(0, |(at, _)| *at);
                let circle = format!("{} → {next}", chain.join(" → "));
                let message = format!("dead-letter queues that go in a circle: {circle}");
                return Err(source.fault(at, message));
            }
            chain.push(next.clone());
        }
        for name in chain.iter().rev() {
            ordered.extend(declared.shift_remove(name).map(|(_, queue)| queue));
        }
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::super::tests::{fault, map};
    use super::*;

    fn queues(text: &str) -> Vec<DeclaredQueue> {
        file::parse(text).unwrap().queues
    }

    #[test]
    fn attributes_may_be_a_table_or_plain_keys_of_any_simple_kind() {
        let queues = queues(
            "[queues.orders]\n\
             attributes = { VisibilityTimeout = '60' }\n\
             DelaySeconds = 1_0\n\
             SqsManagedSseEnabled = false\n\
             RedriveAllowPolicy = { redrivePermission = 'denyAll' }\n\
             tags = { team = 'shop', tier = 2 }\n\
             account = '123456789012'\n\
             region = 'eu-west-1'\n\
             dead_letter_queue = 'elsewhere'\n\
             max_receive_count = 5\n\
             copy_to = 'audit'\n\
             move_to = ''\n",
        );
        let expected = DeclaredQueue {
            name: "orders".to_owned(),
            origin: Origin { line: Some(1), ..Origin::default() },
            account: Some("123456789012".to_owned()),
            region: Some("eu-west-1".to_owned()),
            attributes: map(&[
                ("VisibilityTimeout", "60"),
                ("DelaySeconds", "10"),
                ("SqsManagedSseEnabled", "false"),
                ("RedriveAllowPolicy", r#"{"redrivePermission":"denyAll"}"#),
            ]),
            tags: map(&[("team", "shop"), ("tier", "2")]),
            dead_letter_queue: Some(("elsewhere".to_owned(), 5)),
            copy_to: Some("audit".to_owned()),
            move_to: Some(String::new()),
        };
        assert_eq!(queues, [expected]);
    }

    #[test]
    fn a_name_ending_in_fifo_declares_a_fifo_queue() {
        let queues = queues("[queues.'a.fifo']\n[queues.b]\n");
        assert_eq!(queues[0].attributes, map(&[("FifoQueue", "true")]));
        assert_eq!(queues[1].attributes, map(&[]));
    }

    #[test]
    fn dead_letter_queues_come_first_in_whatever_order_they_are_written() {
        let text = |names: [&str; 4]| {
            names
                .map(|name| match name {
                    "last" => "[queues.last]\n".to_owned(),
                    "first" | "other" => format!(
                        "[queues.{name}]\ndead_letter_queue = 'middle'\nmax_receive_count = 1\n"
                    ),
                    _ => "[queues.middle]\ndead_letter_queue='last'\nmax_receive_count=1\n".into(),
                })
                .concat()
        };
        for names in [
            ["first", "middle", "other", "last"],
            ["last", "middle", "first", "other"],
            ["other", "last", "first", "middle"],
            ["middle", "first", "last", "other"],
        ] {
            let queues = queues(&text(names));
            assert_eq!(queues.len(), 4);
            let position =
                |wanted: &str| queues.iter().position(|queue| queue.name == wanted).unwrap();
            assert!(position("last") < position("middle"), "{names:?}");
            assert!(position("middle") < position("first"), "{names:?}");
            assert!(position("middle") < position("other"), "{names:?}");
        }
    }

    #[test]
    fn a_circle_of_dead_letter_queues_is_refused() {
        let text = "[queues.a]\ndead_letter_queue = 'b'\nmax_receive_count = 1\n\
                    [queues.b]\ndead_letter_queue = 'a'\nmax_receive_count = 1\n";
        let message = "dead-letter queues that go in a circle: a → b → a";
        assert_eq!(fault(text), (1, message.to_owned()));
        let own = "[queues.a]\ndead_letter_queue = 'a'\nmax_receive_count = 1\n";
        assert_eq!(fault(own).1, "dead-letter queues that go in a circle: a → a");
    }

    #[test]
    fn an_unknown_key_of_a_queue_is_told_with_its_line_and_what_was_meant() {
        let message = "unknown key `visibility_timeout` of queue `q`; \
                       did you mean `VisibilityTimeout`?";
        assert_eq!(fault("[queues.q]\nvisibility_timeout = 1\n"), (2, message.to_owned()));
        let message = "unknown key `dead_letter` of queue `q`; did you mean `dead_letter_queue`?";
        assert_eq!(fault("[queues.q]\n\ndead_letter = 1\n"), (3, message.to_owned()));
        let message = "unknown key `Colour` of queue `q`";
        assert_eq!(fault("[queues.q]\nattributes = { Colour = 1 }"), (2, message.to_owned()));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (text, message) in [
            (
                "[queues.orders.fifo]\nDelaySeconds = 1\n",
                "write [queues.\"orders.fifo\"] in quotes, because the name contains a dot",
            ),
            (
                "[queues.q]\nDelaySeconds = 1.5\n",
                "`DelaySeconds` must be text, a whole number, true or false",
            ),
            ("[queues.q]\naccount = 123456789012\n", "`account` must be text of 12 digits"),
            (
                "[queues.q]\nDelaySeconds = 1\nattributes = { DelaySeconds = 2 }\n",
                "`DelaySeconds` is given twice",
            ),
            (
                "[queues.q]\ndead_letter_queue = 'd'\n",
                "`dead_letter_queue` needs a `max_receive_count` beside it",
            ),
            (
                "[queues.q]\nmax_receive_count = 3\n",
                "`max_receive_count` needs a `dead_letter_queue` beside it",
            ),
            (
                "[queues.q]\ndead_letter_queue = 'd'\nmax_receive_count = 1001\n",
                "`max_receive_count` must be 1 to 1000",
            ),
            (
                "[queues.q]\ndead_letter_queue = 'd'\nmax_receive_count = 1\nRedrivePolicy = '{}'\n",
                "`dead_letter_queue` and `RedrivePolicy` say the same: give one",
            ),
        ] {
            assert_eq!(fault(text).1, message);
        }
    }
}
