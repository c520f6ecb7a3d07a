//! Principals: the identities within an account that make calls, with their ARNs and unique IDs.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>

use sha2::{Digest, Sha256};

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The principal of a call within its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// An unsigned request has no principal.
    Anonymous,
    /// The account itself, as its root user.
    Account,
    /// The user with this name.
    User(String),
    /// An assumed role.
    Role {
        /// Its name, without a path.
        name: String,
        /// RoleSessionName
        session: String,
    },
}

impl Principal {
    /// Returns the ARN of this principal in an account; anonymous callers have none.
    pub fn arn(&self, account: &str) -> Option<String> {
        match self {
            Self::Anonymous => None,
            Self::Account => Some(format!("arn:aws:iam::{account}:root")),
            Self::User(name) => Some(format!("arn:aws:iam::{account}:user/{name}")),
            Self::Role { name, session } => {
                Some(format!("arn:aws:sts::{account}:assumed-role/{name}/{session}"))
            }
        }
    }

    /// Returns the unique ID (`aws:userid`) of this principal in an account: that of the account
    /// itself, or one that depends only on the account and the name.
    pub fn id(&self, account: &str) -> String {
        match self {
            Self::Anonymous | Self::Account => account.to_owned(),
            Self::User(name) => unique_id("AIDA", account, name),
            Self::Role { name, session } => {
                format!("{}:{session}", unique_id("AROA", account, name))
            }
        }
    }
}

/// Returns an id of IAM's form: 21 letters and digits, of which the first four show the kind.
fn unique_id(kind: &str, account: &str, name: &str) -> String {
    let digest = Sha256::digest(format!("{kind}/{account}/{name}"));
    let digits = digest.iter().take(17).map(|byte| char::from(BASE32[usize::from(byte % 32)]));
    kind.chars().chain(digits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_an_arn_and_an_id() {
        let user = Principal::User("alice".to_owned());
        let role = |session: &str| Principal::Role {
            name: "admin".to_owned(),
            session: session.to_owned(),
        };
        let account = "123456789012";
        assert_eq!(Principal::Anonymous.arn(account), None);
        for (principal, arn) in [
            (&Principal::Account, "arn:aws:iam::123456789012:root"),
            (&user, "arn:aws:iam::123456789012:user/alice"),
            (&role("s"), "arn:aws:sts::123456789012:assumed-role/admin/s"),
        ] {
            assert_eq!(principal.arn(account).as_deref(), Some(arn));
        }
        assert_eq!(Principal::Account.id(account), account);
        let id = user.id(account);
        assert!(id.len() == 21 && id.starts_with("AIDA"), "{id}");
        assert_ne!(id, user.id("000000000000"));
        let (one, other) = (role("one").id(account), role("other").id(account));
        assert_eq!(one.strip_suffix("one"), other.strip_suffix("other"));
        assert!(one.starts_with("AROA") && one.len() == 21 + ":one".len(), "{one}");
    }
}
