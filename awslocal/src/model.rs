//! The operations and the members of their inputs, read from `operations.txt`.

/// The supported services.
pub(super) const SERVICES: [&str; 3] = ["sqs", "sns", "sts"];

const TABLE: &str = include_str!("operations.txt");

/// An operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Operation {
    pub service: &'static str,
    pub name: &'static str,
    pub members: Vec<Member>,
}

impl Operation {
    /// Returns `create-queue` for `CreateQueue`.
    pub fn command(&self) -> String {
        kebab(self.name)
    }

    /// Returns the member of a parameter such as `queue-url`.
    pub fn member(&self, parameter: &str) -> Option<&Member> {
        self.members.iter().find(|member| self.parameter(member) == parameter)
    }

    /// Returns whether the input has a member of this name.
    pub fn has(&self, name: &str) -> bool {
        self.members.iter().any(|member| member.name == name)
    }

    /// Returns the parameter of a member. One has another name, because every command has
    /// `--endpoint-url`.
    pub fn parameter(&self, member: &Member) -> String {
        if self.name == "Subscribe" && member.name == "Endpoint" {
            return "notification-endpoint".to_owned();
        }
        kebab(member.name)
    }
}

/// A member of an input, or of a structure in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub name: &'static str,
    pub required: bool,
    pub kind: Kind,
}

/// The type of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Truth,
    Blob,
    List(Box<Kind>),
    Map(Box<Kind>),
    Structure(Vec<Member>),
}

/// Returns all operations.
pub(super) fn operations() -> impl Iterator<Item = Operation> {
    TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(read)
}

/// Returns the operation of a command.
pub(super) fn find(service: &str, command: &str) -> Option<Operation> {
    operations().find(|known| known.service == service && known.command() == command)
}

fn read(line: &'static str) -> Option<Operation> {
    let mut words = line.split(' ');
    let (service, name) = (words.next()?, words.next()?);
    let members =
        words.map(|word| member(word).map(|(member, _)| member)).collect::<Option<_>>()?;
    Some(Operation { service, name, members })
}

/// Parses a member at the start of a text. Returns it with the rest of the text.
fn member(text: &'static str) -> Option<(Member, &'static str)> {
    let (name, rest) = text.split_once(':')?;
    let (kind, rest) = kind(rest)?;
    let required = name.ends_with('!');
    Some((Member { name: name.trim_end_matches('!'), required, kind }, rest))
}

fn kind(text: &'static str) -> Option<(Kind, &'static str)> {
    let rest = text.get(1..)?;
    Some(match text.as_bytes().first()? {
        b's' => (Kind::Text, rest),
        b'i' => (Kind::Number, rest),
        b'f' => (Kind::Truth, rest),
        b'b' => (Kind::Blob, rest),
        b'[' => {
            let (of, rest) = kind(rest)?;
            (Kind::List(Box::new(of)), rest.strip_prefix(']')?)
        }
        b'{' => {
            let (of, rest) = kind(rest)?;
            (Kind::Map(Box::new(of)), rest.strip_prefix('}')?)
        }
        b'(' => {
            let mut members = Vec::new();
            let mut rest = rest;
            loop {
                let (one, after) = member(rest)?;
                members.push(one);
                match after.strip_prefix(',') {
                    Some(next) => rest = next,
                    None => break (Kind::Structure(members), after.strip_prefix(')')?),
                }
            }
        }
        _ => return None,
    })
}

/// Returns `queue-owner-aws-account-id` for `QueueOwnerAWSAccountId`.
fn kebab(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut kebab = String::with_capacity(name.len() + 8);
    for (index, letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|index| letters.get(index));
        let begins_word = letter.is_ascii_uppercase()
            && before.is_some_and(|before| {
                let is_last_of_many = letters.get(index + 1).is_some_and(char::is_ascii_lowercase);
                !before.is_ascii_uppercase() || is_last_of_many
            });
        if begins_word {
            kebab.push('-');
        }
        kebab.push(letter.to_ascii_lowercase());
    }
    kebab
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_spelled_as_the_aws_cli_spells_them() {
        for (name, parameter) in [
            ("QueueOwnerAWSAccountId", "queue-owner-aws-account-id"),
            ("AWSAccountIds", "aws-account-ids"),
            ("CreateSMSSandboxPhoneNumber", "create-sms-sandbox-phone-number"),
            ("phoneNumber", "phone-number"),
            ("tags", "tags"),
            ("GetSMSAttributes", "get-sms-attributes"),
        ] {
            assert_eq!(kebab(name), parameter);
        }
        let subscribe = find("sns", "subscribe").unwrap();
        assert_eq!(subscribe.member("notification-endpoint").unwrap().name, "Endpoint");
        assert!(subscribe.member("endpoint").is_none());
        let send = find("sqs", "send-message").unwrap();
        let Kind::Map(attribute) = &send.member("message-attributes").unwrap().kind else {
            unreachable!()
        };
        assert!(matches!(&**attribute, Kind::Structure(members) if members.len() == 5));
    }
}
