//! The access keys of this server, and the two forms of file that hold them.
//!
//! Squab's own format is TOML with a `[[credential]]` table for each key. The other is the shared
//! credentials file of the AWS tools, with `[profile]` sections. The content determines the format.
//! Secrets have no text form: neither `Debug` nor an error contains them.

use parking_lot::RwLock;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use data_encoding::BASE32_NOPAD;
use serde::de::{Error as _, IntoDeserializer, value};
use serde::{Deserialize, Deserializer};
use subtle::ConstantTimeEq;

use super::account::{Accounts, account_of, encode};
use super::principal::Principal;
use super::signing_keys::SigningKeys;
use crate::domain::address::is_account;

/// Length of an access key ID in bytes; the upper bound is IAM's.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AccessKey.html>
pub const ACCESS_KEY_ID_LENGTH: RangeInclusive<usize> = 1..=128;
/// The temporary keys that are stored for each configured key, and for all other callers together.
/// At the limit, those that expire first are evicted.
pub const ISSUED_KEYS: usize = 1_000;

/// A text that is never logged or shown: a secret access key or a session token.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text, for signing, and for the response that contains a new key.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns whether it equals `other`, in time that does not depend on where they differ.
    pub(super) fn equals(&self, other: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(other).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    /// Reads a string. Other values are rejected without repeating them, which serde's own error
    /// would do.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => Ok(Self(text)),
            _ => Err(D::Error::custom("secrets must be strings in quotation marks")),
        }
    }
}

/// The permissions of a key. Each role includes the previous ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read operations and inspection in its account. It cannot receive messages.
    View,
    /// Everything within its account.
    #[default]
    Operate,
    /// Also operations on the whole server and on other accounts.
    Admin,
}

/// An access key and what it stands for.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The public half, which a request names.
    pub access_key_id: String,
    /// The secret half, which signs.
    pub secret_access_key: Secret,
    /// When set, requests must carry the same `X-Amz-Security-Token`.
    pub session_token: Option<Secret>,
    /// The account of the caller, 12 digits.
    pub account: String,
    /// The principal in the account.
    pub principal: Principal,
    /// The role.
    pub role: Role,
    /// When a temporary key expires, in Unix milliseconds; `None` for configured keys.
    pub expires_at_ms: Option<i64>,
    /// The id of the configured key that issued this temporary one, directly or through others; empty if that key
    /// is not configured. A configured key has its own id here.
    issuer: String,
    /// Whether a wrong signature of this key has been logged.
    pub(super) reported: Arc<AtomicBool>,
}

impl Credential {
    /// Returns a key for the account that its ID names (see [`account_of`]).
    pub fn new(
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<String>,
    ) -> Result<Self, CredentialsError> {
        let access_key_id = access_key_id.into();
        let secret_access_key = Secret::new(secret_access_key);
        // A slash would end the ID inside a credential scope, a comma or a space the parameter.
        let printable = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'/' | b',');
        if !ACCESS_KEY_ID_LENGTH.contains(&access_key_id.len())
            || !access_key_id.bytes().all(printable)
        {
            return invalid(
                "an access key id must have 1 to 128 printable ASCII characters, none of them a slash, \
                 a comma or a space",
            );
        }
        if secret_access_key.0.is_empty() {
            return invalid(format!("the secret of access key {access_key_id} is empty"));
        }
        Ok(Self {
            account: account_of(&access_key_id),
            issuer: access_key_id.clone(),
            access_key_id,
            secret_access_key,
            session_token: None,
            principal: Principal::Account,
            role: Role::default(),
            expires_at_ms: None,
            reported: Arc::default(),
        })
    }

    /// Returns whether both are the same key in every respect, so that giving it twice is harmless.
    fn is_same(&self, other: &Self) -> bool {
        let secrets = |it: &Self| {
            let token = it.session_token.as_ref().map(|token| token.0.clone());
            (it.secret_access_key.0.clone(), token)
        };
        secrets(self) == secrets(other)
            && self.account == other.account
            && self.principal == other.principal
            && self.role == other.role
    }
}

/// Returns whether IAM would accept the name of a user: up to 64 of `A-Za-z0-9+=,.@_-`.
fn is_user(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte))
}

/// Why configured credentials are invalid, as a sentence without secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CredentialsError(String);

fn invalid<T>(reason: impl Into<String>) -> Result<T, CredentialsError> {
    Err(CredentialsError(reason.into()))
}

/// The access keys of this server by ID: configured ones, and temporary ones that it has issued.
/// The latter are stored in memory only, so they do not survive a restart.
#[derive(Debug, Default)]
pub struct Credentials {
    configured: HashMap<String, Arc<Credential>>,
    issued: RwLock<TemporaryKeys>,
    pub(super) signing_keys: SigningKeys,
}

/// Temporary keys. Expired ones stay until they are evicted, so that their holders learn why they
/// are rejected.
#[derive(Debug, Default)]
struct TemporaryKeys {
    by_id: HashMap<String, Arc<Credential>>,
    /// By issuer: expiry in Unix milliseconds, and ID.
    by_issuer: HashMap<String, BTreeSet<(i64, String)>>,
}

impl TemporaryKeys {
    /// Adds a key. At the limit, those of the same issuer that expire first are evicted.
    fn insert(&mut self, key: Arc<Credential>) {
        let by_end = self.by_issuer.entry(key.issuer.clone()).or_default();
        while by_end.len() >= ISSUED_KEYS
            && let Some((_, first)) = by_end.pop_first()
        {
            self.by_id.remove(&first);
        }
        by_end.insert((key.expires_at_ms.unwrap_or(i64::MAX), key.access_key_id.clone()));
        self.by_id.insert(key.access_key_id.clone(), key);
    }
}

impl Credentials {
    /// Reads a credentials file of either format. A file without any key is an error, because the
    /// setting that names it promises keys.
    pub fn parse(text: &str) -> Result<Self, CredentialsError> {
        Self::parse_in(text, &Accounts::default())
    }

    /// Like [`Self::parse`], with the account rules for keys without an explicit account.
    pub fn parse_in(text: &str, accounts: &Accounts) -> Result<Self, CredentialsError> {
        let entries = if is_toml(text) { parse_toml(text)? } else { parse_profiles(text)? };
        let mut credentials = Self::default();
        for entry in entries {
            let credential = entry.credential(accounts)?;
            let id = &credential.access_key_id;
            if credentials.get(id).is_some_and(|it| !it.is_same(&credential)) {
                return invalid(format!("access key {id} is given twice with different values"));
            }
            credentials.insert(credential);
        }
        if credentials.is_empty() {
            return invalid(
                "no credentials found: expected [[credential]] tables with access_key_id and \
                 secret_access_key, or [profile] sections with aws_access_key_id and aws_secret_access_key",
            );
        }
        Ok(credentials)
    }

    /// Adds a key, replacing one with the same ID.
    pub fn insert(&mut self, credential: Credential) {
        self.signing_keys.clear();
        self.configured.insert(credential.access_key_id.clone(), Arc::new(credential));
    }

    /// Issues a random temporary key for a principal of an account, with the role of its caller. It
    /// expires at `expires_at_ms`, in Unix milliseconds. `caller` is the access key ID of the
    /// request, if it has one. Each configured key can have [`ISSUED_KEYS`] temporary keys,
    /// including those issued by its temporary keys.
    ///
    /// # Errors
    ///
    /// Fails if the operating system has no randomness.
    pub fn issue(
        &self,
        caller: Option<&str>,
        account: &str,
        principal: Principal,
        role: Role,
        expires_at_ms: i64,
    ) -> Result<Arc<Credential>, getrandom::Error> {
        let issuer = caller.and_then(|id| self.get(id)).map(|caller| caller.issuer.clone());
        let end_of_id = &BASE32_NOPAD.encode(&random::<5>()?)[..7];
        let key = Arc::new(Credential {
            access_key_id: format!("ASIA{}{end_of_id}", encode(account)),
            secret_access_key: Secret(STANDARD.encode(random::<30>()?)),
            session_token: Some(Secret(STANDARD.encode(random::<192>()?))),
            account: account.to_owned(),
            principal,
            role,
            expires_at_ms: Some(expires_at_ms),
            issuer: issuer.unwrap_or_default(),
            reported: Arc::default(),
        });
        self.issued.write().insert(Arc::clone(&key));
        Ok(key)
    }

    /// Returns the key with this id.
    pub fn get(&self, access_key_id: &str) -> Option<Arc<Credential>> {
        let issued = || self.issued.read().by_id.get(access_key_id).cloned();
        self.configured.get(access_key_id).cloned().or_else(issued)
    }

    /// Returns whether a configured key belongs to this account.
    pub fn has_account(&self, account: &str) -> bool {
        self.configured.values().any(|credential| credential.account == account)
    }

    /// Returns the number of configured keys.
    pub fn len(&self) -> usize {
        self.configured.len()
    }

    /// Returns whether no key is configured.
    pub fn is_empty(&self) -> bool {
        self.configured.is_empty()
    }
}

/// Returns random bytes from the operating system.
fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], getrandom::Error> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// Returns whether the first significant line belongs to Squab's own format.
fn is_toml(text: &str) -> bool {
    let first = significant_lines(text).next();
    first.is_some_and(|(_, line)| line.starts_with("[[") || line.starts_with("credential"))
}

/// Returns the lines that are neither blank nor comments, trimmed, with their numbers from 1.
fn significant_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    (1..)
        .zip(text.lines().map(str::trim))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with(['#', ';']))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    credential: Vec<Entry>,
}

/// A key as a file states it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    access_key_id: String,
    secret_access_key: Secret,
    account: Option<String>,
    session_token: Option<Secret>,
    user: Option<String>,
    #[serde(default)]
    role: Role,
}

impl Entry {
    /// Empty session tokens count as none.
    fn credential(self, accounts: &Accounts) -> Result<Credential, CredentialsError> {
        let key = Credential::new(self.access_key_id, self.secret_access_key.0)?;
        let id = &key.access_key_id;
        let account = self.account.unwrap_or_else(|| accounts.of(id));
        if !is_account(&account) {
            return invalid(format!("the account of access key {id} must be 12 digits"));
        }
        if self.user.as_ref().is_some_and(|user| !is_user(user)) {
            return invalid(format!(
                "the user of access key {id} must have 1 to 64 letters, digits or characters of +=,.@_-"
            ));
        }
        let session_token = self.session_token.filter(|token| !token.0.is_empty());
        let principal = self.user.map_or(Principal::Account, Principal::User);
        Ok(Credential { account, session_token, principal, role: self.role, ..key })
    }
}

fn parse_toml(text: &str) -> Result<Vec<Entry>, CredentialsError> {
    match toml::from_str::<File>(text) {
        Ok(file) => Ok(file.credential),
        // Only the reason: the whole error quotes the line, which may contain a secret.
        Err(error) => {
            let offset = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text.as_bytes()[..offset].split(|byte| *byte == b'\n').count();
            invalid(format!("line {line}: {}", error.message()))
        }
    }
}

/// A section of a shared credentials file.
struct Profile<'t> {
    name: &'t str,
    line: usize,
    /// Values and their lines, by key in small letters.
    settings: HashMap<String, (usize, &'t str)>,
}

impl Profile<'_> {
    /// Returns its key; `None` if it has no key at all, like a profile that only names a role.
    fn entry(&self) -> Result<Option<Entry>, CredentialsError> {
        const ID: &str = "aws_access_key_id";
        const SECRET: &str = "aws_secret_access_key";
        let get = |key| self.settings.get(key).map(|(_, value)| (*value).to_owned());
        let role = match self.settings.get("squab_role") {
            None => Role::default(),
            Some((line, name)) => {
                let role: Result<_, value::Error> = Role::deserialize(name.into_deserializer());
                let reason = format!("line {line}: squab_role is view, operate or admin");
                role.map_err(|_| CredentialsError(reason))?
            }
        };
        let (access_key_id, secret_access_key) = match (get(ID), get(SECRET)) {
            (Some(id), Some(secret)) => (id, Secret(secret)),
            (None, None) => return Ok(None),
            (id, _) => {
                let (present, missing) = if id.is_some() { (ID, SECRET) } else { (SECRET, ID) };
                let Self { name, line, .. } = self;
                return invalid(format!(
                    "line {line}: profile {name} has {present} but no {missing}"
                ));
            }
        };
        let session_token = get("aws_session_token").map(Secret);
        let (account, user) = (get("aws_account_id"), None);
        Ok(Some(Entry { access_key_id, secret_access_key, account, session_token, user, role }))
    }
}

/// Parses a shared credentials file. Keys that do not concern credentials (`region`, `role_arn`,
/// nested settings) are ignored, as by the AWS tools.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>
fn parse_profiles(text: &str) -> Result<Vec<Entry>, CredentialsError> {
    let mut profiles: Vec<Profile<'_>> = Vec::new();
    for (line, content) in significant_lines(text) {
        if let Some(section) = content.strip_prefix('[') {
            let Some((name, _)) = section.split_once(']') else {
                return invalid(format!("line {line}: a section must end with a closing bracket"));
            };
            profiles.push(Profile { name: name.trim(), line, settings: HashMap::new() });
            continue;
        }
        let Some((key, value)) = content.split_once('=') else {
            return invalid(format!("line {line}: neither a [profile] section nor key = value"));
        };
        let Some(profile) = profiles.last_mut() else {
            return invalid(format!("line {line}: a key must follow a [profile] section"));
        };
        profile.settings.insert(key.trim().to_ascii_lowercase(), (line, value.trim()));
    }
    profiles.iter().filter_map(|profile| profile.entry().transpose()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOML: &str = r#"
        # two people
        [[credential]]
        access_key_id = "AKIDEXAMPLE"
        secret_access_key = "hush-hush"

        [[credential]]
        access_key_id = "ASIDEXAMPLE"
        secret_access_key = "hush-hush"
        account = "123456789012"
        session_token = "hush-token"
        user = "alice"
        role = "admin"
    "#;

    const PROFILES: &str = "\
        ; made by aws configure\n\
        [default]\n\
        aws_access_key_id = 111122223333\n\
        aws_secret_access_key=hush=hush\n\
        region = eu-west-1\n\
        s3 =\n\
          max_concurrent_requests = 20\n\
        \n\
        [temporary]\n\
        AWS_ACCESS_KEY_ID = ASIDEXAMPLE\n\
        AWS_SECRET_ACCESS_KEY = hush-hush\n\
        aws_session_token = hush-token\n\
        aws_account_id = 123456789012\n\
        squab_role = view\n\
        [role]\n\
        role_arn = arn:aws:iam::123456789012:role/x\n";

    fn error(text: &str) -> String {
        Credentials::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn toml_is_read() {
        let credentials = Credentials::parse(TOML).unwrap();
        let plain = credentials.get("AKIDEXAMPLE").unwrap();
        assert_eq!(plain.secret_access_key.expose(), "hush-hush");
        assert_eq!(plain.account, "000000000000");
        assert_eq!((&plain.principal, plain.role), (&Principal::Account, Role::Operate));
        assert!(plain.session_token.is_none() && plain.expires_at_ms.is_none());
        let full = credentials.get("ASIDEXAMPLE").unwrap();
        assert_eq!(full.account, "123456789012");
        assert_eq!(full.principal, Principal::User("alice".to_owned()));
        assert_eq!(full.role, Role::Admin);
        assert!(full.session_token.as_ref().unwrap().equals(b"hush-token"));
        assert!(credentials.get("other").is_none());
    }

    #[test]
    fn profiles_are_read() {
        let credentials = Credentials::parse(PROFILES).unwrap();
        assert_eq!(credentials.len(), 2);
        let plain = credentials.get("111122223333").unwrap();
        assert_eq!(plain.secret_access_key.expose(), "hush=hush");
        assert_eq!(plain.account, "111122223333");
        assert!(plain.session_token.is_none());
        let temporary = credentials.get("ASIDEXAMPLE").unwrap();
        assert_eq!((temporary.account.as_str(), temporary.role), ("123456789012", Role::View));
        assert_eq!(plain.role, Role::Operate);
        assert!(temporary.session_token.as_ref().unwrap().equals(b"hush-token"));
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let entry = |more: &str| {
            format!("[[credential]]\naccess_key_id = \"A\"\nsecret_access_key = \"hush\"\n{more}")
        };
        for (text, expected) in [
            (String::new(), "no credentials found"),
            ("# nothing\n".to_owned(), "no credentials found"),
            ("[credential]\naccess_key_id = \"A\"".to_owned(), "no credentials found"),
            ("credential = []".to_owned(), "no credentials found"),
            (entry("secret = \"hush\""), "line 4: unknown field `secret`"),
            (entry("account = 123456789012"), "line 4: invalid type"),
            (entry("session_token = [\"hush\"]"), "line 4: secrets must be strings"),
            (entry("account = \"12\""), "the account of access key A must be 12 digits"),
            (entry("role = \"root\""), "line 4: unknown variant `root`, expected one of `view`"),
            (entry("user = \"a b\""), "the user of access key A must have"),
            (
                "[[credential]]\naccess_key_id = \"A\"".to_owned(),
                "missing field `secret_access_key`",
            ),
            (entry("").replace("\"A\"", "\"A/B\""), "an access key id must have"),
            (entry("").replace("\"A\"", "\"\""), "an access key id must have"),
            (entry("").replace("hush", ""), "the secret of access key A is empty"),
            (entry("") + &entry("").replace("hush", "hushed"), "access key A is given twice"),
            (
                "[p]\naws_access_key_id = A".to_owned(),
                "line 1: profile p has aws_access_key_id but no aws_secret_access_key",
            ),
            (
                "[p]\naws_secret_access_key = hush".to_owned(),
                "line 1: profile p has aws_secret_access_key but no aws_access_key_id",
            ),
            ("[p\n".to_owned(), "line 1: a section must end"),
            ("aws_access_key_id = A".to_owned(), "line 1: a key must follow"),
            ("[p]\n\nhush".to_owned(), "line 3: neither"),
            ("[p]\nsquab_role = root".to_owned(), "line 2: squab_role is view, operate or admin"),
        ] {
            let error = error(&text);
            assert!(error.contains(expected), "{error}\n{text}");
            assert!(!error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn the_same_key_in_two_profiles_is_one_key() {
        let text = "[a]\naws_access_key_id=A\naws_secret_access_key=s\n".to_owned();
        assert!(Credentials::parse(&(text.clone() + &text.replace("[a]", "[b]"))).is_ok());
    }

    #[test]
    fn secrets_have_no_text_form() {
        let credentials = Credentials::parse(TOML).unwrap();
        let shown = format!("{credentials:?} {:#?}", credentials.get("ASIDEXAMPLE"));
        assert!(shown.contains("alice") && !shown.contains("hush"), "{shown}");
    }

    #[test]
    fn issued_keys_look_like_those_of_aws_and_are_found() {
        let credentials = Credentials::parse(TOML).unwrap();
        let key =
            credentials.issue(None, "123456789012", Principal::Account, Role::View, 1_000).unwrap();
        let id = &key.access_key_id;
        assert!(id.len() == 20 && id.starts_with("ASIA"), "{id}");
        assert_eq!(account_of(&id.replacen("ASIA", "LSIA", 1)), "123456789012");
        assert_eq!(key.secret_access_key.expose().len(), 40);
        let found = credentials.get(id).unwrap();
        assert!(
            found.is_same(&key) && found.role == Role::View && found.expires_at_ms == Some(1_000)
        );
        assert_eq!(credentials.len(), 2, "issued keys are not configured ones");
        let secret = key.secret_access_key.expose();
        assert!(!format!("{credentials:?}").contains(secret));
    }

    #[test]
    fn issued_keys_that_end_first_make_room() {
        let credentials = Credentials::default();
        let issue = |end| {
            credentials.issue(None, "000000000000", Principal::Account, Role::Operate, end).unwrap()
        };
        let (first, second) = (issue(2), issue(1));
        for end in 3..=ISSUED_KEYS as i64 {
            issue(end);
        }
        assert!(credentials.get(&second.access_key_id).is_some());
        let last = issue(1_000_000);
        assert!(credentials.get(&second.access_key_id).is_none());
        assert!(credentials.get(&first.access_key_id).is_some());
        assert!(credentials.get(&last.access_key_id).is_some());
        assert_eq!(credentials.issued.read().by_id.len(), ISSUED_KEYS);
    }

    #[test]
    fn no_key_ends_the_sessions_of_another() {
        let credentials = Credentials::parse(TOML).unwrap();
        let issue = |caller, end| {
            credentials
                .issue(caller, "000000000000", Principal::Account, Role::Operate, end)
                .unwrap()
        };
        // Each of these would be evicted first.
        let of_other = issue(Some("ASIDEXAMPLE"), 1);
        let of_unknown = issue(Some("unknown"), 1);
        let session = issue(Some("AKIDEXAMPLE"), i64::MAX);
        for end in 0..2 * ISSUED_KEYS as i64 {
            issue(Some("AKIDEXAMPLE"), 1_000 + end);
            // Keys issued by a session count as keys of its issuer.
            issue(Some(&session.access_key_id), 1_000 + end);
        }
        assert!(credentials.get(&of_other.access_key_id).is_some());
        assert!(credentials.get(&of_unknown.access_key_id).is_some());
        assert!(credentials.issued.read().by_id.len() <= 2 * ISSUED_KEYS + 2);
    }

    proptest! {
        #[test]
        fn damaged_files_neither_panic_nor_tell_secrets(
            toml in any::<bool>(),
            at in 0..400_usize,
            cut in 0..8_usize,
            put in "[\\[\\]\"'=\\\\\n#{}, é1a]{0,4}",
        ) {
            let mut text: Vec<char> = if toml { TOML } else { PROFILES }.chars().collect();
            let start = at.min(text.len());
            let end = (start + cut).min(text.len());
            text.splice(start..end, put.chars());
            if let Err(error) = Credentials::parse(&text.into_iter().collect::<String>()) {
                let shown = format!("{error} {error:?}");
                prop_assert!(!shown.contains("hush"), "{}", shown);
            }
        }
    }
}
