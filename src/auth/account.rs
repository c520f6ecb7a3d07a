//! The account of an access key ID for which no account is configured.

use data_encoding::BASE32_NOPAD;

use crate::domain::address::is_account;

/// The account of callers whose access key ID names none.
pub const DEFAULT_ACCOUNT: &str = "000000000000";

/// The first bit of the base32 text in an access key ID, before the 40 bits of the account.
const MARK: u64 = 1 << 40;

/// Returns the 12-digit account of an access key ID, [`DEFAULT_ACCOUNT`] if it names none.
pub fn account_of(access_key_id: &str) -> String {
    account_named(access_key_id).unwrap_or_else(|| DEFAULT_ACCOUNT.to_owned())
}

/// Returns the 12-digit account that an access key ID names.
///
/// An ID of 12 digits is itself the account. IDs that begin with `LKIA` or `LSIA` carry it as AWS's own IDs do: in
/// the base32 text after the prefix, the first bit is set and the next 40 bits are the account. No other ID names
/// one, not even AWS's `AKIA` and `ASIA` IDs, so that real keys used by mistake do not scatter queues over accounts.
pub fn account_named(access_key_id: &str) -> Option<String> {
    named(access_key_id, &["LKIA", "LSIA"])
}

/// Like [`account_named`], but also reads the accounts in AWS's own `AKIA` and `ASIA` IDs.
pub fn account_named_with_parity(access_key_id: &str) -> Option<String> {
    named(access_key_id, &["LKIA", "LSIA", "AKIA", "ASIA"])
}

fn named(access_key_id: &str, prefixes: &[&str]) -> Option<String> {
    if is_account(access_key_id) {
        return Some(access_key_id.to_owned());
    }
    decode(prefixes.iter().find_map(|prefix| access_key_id.strip_prefix(prefix))?)
}

/// The accounts of callers whose access key is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accounts {
    /// The account of access key IDs that name none, 12 digits.
    pub default: String,
    /// Whether the accounts in AWS's own `AKIA` and `ASIA` IDs are read.
    pub parity: bool,
}

impl Default for Accounts {
    fn default() -> Self {
        Self { default: DEFAULT_ACCOUNT.to_owned(), parity: false }
    }
}

impl Accounts {
    /// Returns the 12-digit account of an access key ID.
    pub fn of(&self, access_key_id: &str) -> String {
        let named = if self.parity { account_named_with_parity } else { account_named };
        named(access_key_id).unwrap_or_else(|| self.default.clone())
    }
}

/// Returns the nine characters after the prefix of an access key ID of this account: those that [`account_of`]
/// decodes. Their last four bits are zero.
pub(super) fn encode(account: &str) -> String {
    let bits = (MARK | account.parse::<u64>().unwrap_or_default()) << 7;
    let mut text = BASE32_NOPAD.encode(&bits.to_be_bytes()[2..]);
    text.truncate(9);
    text
}

/// Returns the account in the base32 half of an access key ID: 16 characters, of which the first 9 matter.
fn decode(encoded: &str) -> Option<String> {
    let nine = encoded.get(..9).filter(|_| encoded.len() >= 16)?;
    // With a tenth digit these are six bytes: the mark, the account, and seven bits of something else.
    let bytes = BASE32_NOPAD.decode(format!("{nine}A").as_bytes()).ok()?;
    let marked = bytes.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte)) >> 7;
    let account = marked ^ MARK;
    (account <= 999_999_999_999).then(|| format!("{account:012}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_digits_are_the_account_and_all_else_is_the_default() {
        assert_eq!(account_of("123456789012"), "123456789012");
        for id in
            ["test", "", "12345678901", "1234567890123", "12345678901x", "AKIAIOSFODNN7EXAMPLE"]
        {
            assert_eq!(account_of(id), DEFAULT_ACCOUNT, "{id}");
        }
    }

    #[test]
    fn encoded_accounts_are_decoded() {
        // A published pair of AWS: ASIAY34FZKBOKMUTVV7A belongs to 609629065308
        assert_eq!(account_of("LSIAY34FZKBOKMUTVV7A"), "609629065308");
        assert_eq!(account_of("LKIAY34FZKBOKMUTVV7A"), "609629065308");
        assert_eq!(account_of("LKIAQAAAAAAAGMKEM7X5"), "000000000000");
        assert_eq!(account_of("ASIAY34FZKBOKMUTVV7A"), DEFAULT_ACCOUNT);
        for id in ["ASIAY34FZKBOKMUTVV7A", "LKIAY34FZKBOKMUTVV7A"] {
            assert_eq!(account_named_with_parity(id).as_deref(), Some("609629065308"));
        }
        assert_eq!(account_named_with_parity("AKIA"), None);
    }

    #[test]
    fn accounts_are_decoded_as_they_are_encoded() {
        for account in ["000000000000", "609629065308", "999999999999"] {
            let id = format!("LSIA{}AAAAAAA", encode(account));
            assert_eq!(account_of(&id), account);
        }
    }

    #[test]
    fn what_cannot_be_decoded_is_in_the_default_account() {
        // Too short, outside the alphabet, without the mark, more than 12 digits, not ASCII
        for id in [
            "LKIAY34F",
            "LKIAY34FZKBOKMUTVV1A".replace('Y', "1").as_str(),
            "LKIAA34FZKBOKMUTVV7A",
            "LKIA7777777777777777",
            "LKIAéééééééééééé",
        ] {
            assert_eq!(account_of(id), DEFAULT_ACCOUNT, "{id}");
        }
    }
}
