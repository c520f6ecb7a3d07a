//! The access keys, and the two formats of credentials files.
//!
//! Squab's own format is TOML with one `[[credential]]` table per key; the other is the shared credentials
//! file of the AWS tools, with `[profile]` sections. The content determines the format. Secrets have no text
//! form: neither `Debug` nor an error shows them.

use parking_lot::RwLock;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};
use subtle::ConstantTimeEq;

use super::account::{Accounts, BASE32, account_of, encode};
use super::principal::Principal;
use super::signing_keys::SigningKeys;
use crate::domain::address::is_account;

/// Length of an access key ID in bytes; the upper bound is IAM's.
pub const ACCESS_KEY_ID_LENGTH: RangeInclusive<usize> = 1..=128;

/// A text that is never shown: a secret access key or a session token.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text, for cryptography, and for the one response that contains a new key.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns whether it equals this text, in constant time.
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
    /// Reads a string. The error for any other value does not quote it, as serde's own error would.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => Ok(Self(text)),
            _ => Err(serde::de::Error::custom("secrets must be strings in quotation marks")),
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

impl Role {
    /// Returns the role of this name.
    fn named(name: &str) -> Option<Self> {
        match name {
            "view" => Some(Self::View),
            "operate" => Some(Self::Operate),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }
}

/// One key with its identity and permissions.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The public half, which a request names.
    pub access_key_id: String,
    /// The secret half, which signs.
    pub secret_access_key: Secret,
    /// If set, requests must have the same `X-Amz-Security-Token`.
    pub session_token: Option<Secret>,
    /// The account of the caller, 12 digits.
    pub account: String,
    /// The principal in the account.
    pub principal: Principal,
    /// The role.
    pub role: Role,
    /// When a temporary key expires, in Unix milliseconds; configured keys never do.
    pub expires_at_ms: Option<i64>,
}

impl Credential {
    /// Returns a key for the account that its ID names (see [`account_of`]).
    pub fn new(
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<String>,
    ) -> Result<Self, CredentialsError> {
        let access_key_id = access_key_id.into();
        let secret_access_key = Secret::new(secret_access_key);
        // A slash would end the ID in a credential scope, a comma or a space the parameter
        let printable = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'/' | b',');
        if !ACCESS_KEY_ID_LENGTH.contains(&access_key_id.len())
            || !access_key_id.bytes().all(printable)
        {
            return Err(CredentialsError::AccessKeyId);
        }
        if secret_access_key.0.is_empty() {
            return Err(CredentialsError::EmptySecret { access_key_id });
        }
        let account = account_of(&access_key_id);
        Ok(Self {
            access_key_id,
            secret_access_key,
            session_token: None,
            account,
            principal: Principal::Account,
            role: Role::default(),
            expires_at_ms: None,
        })
    }

    /// Adds the optional members of a file. An empty session token counts as none.
    fn complete(
        mut self,
        account: Option<String>,
        session_token: Option<Secret>,
        user: Option<String>,
        role: Role,
        accounts: &Accounts,
    ) -> Result<Self, CredentialsError> {
        self.account = account.unwrap_or_else(|| accounts.of(&self.access_key_id));
        if !is_account(&self.account) {
            return Err(CredentialsError::Account { access_key_id: self.access_key_id });
        }
        if user.as_ref().is_some_and(|user| !is_user(user)) {
            return Err(CredentialsError::User { access_key_id: self.access_key_id });
        }
        self.session_token = session_token.filter(|token| !token.0.is_empty());
        self.principal = user.map_or(Principal::Account, Principal::User);
        self.role = role;
        Ok(self)
    }

    /// Returns whether both keys are identical, so that a repetition is harmless.
    fn is_same(&self, other: &Self) -> bool {
        let token = |credential: &Self| credential.session_token.clone().map(|token| token.0);
        self.secret_access_key.equals(other.secret_access_key.0.as_bytes())
            && token(self) == token(other)
            && self.account == other.account
            && self.principal == other.principal
            && self.role == other.role
    }
}

/// Returns whether IAM accepts it as the name of a user: up to 64 characters of `A-Za-z0-9+=,.@_-`.
fn is_user(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte))
}

/// An error in configured credentials. It never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the sentences say it")]
pub enum CredentialsError {
    #[error("line {line}: {reason}")]
    Malformed { line: usize, reason: String },
    #[error(
        "no credentials found: expected [[credential]] tables with access_key_id and \
         secret_access_key, or [profile] sections with aws_access_key_id and aws_secret_access_key"
    )]
    Nothing,
    #[error("profile {profile} (line {line}) has {present} but no {missing}")]
    HalfProfile { profile: String, line: usize, present: &'static str, missing: &'static str },
    #[error("access key {access_key_id} is given twice with different values")]
    Twice { access_key_id: String },
    #[error(
        "an access key id must have 1 to 128 printable ASCII characters, none of them a slash, \
         a comma or a space"
    )]
    AccessKeyId,
    #[error("the secret of access key {access_key_id} is empty")]
    EmptySecret { access_key_id: String },
    #[error("the account of access key {access_key_id} must be 12 digits")]
    Account { access_key_id: String },
    #[error(
        "the user of access key {access_key_id} must have 1 to 64 letters, digits or characters \
         of +=,.@_-"
    )]
    User { access_key_id: String },
}

/// All keys by access key ID: the configured ones, and the issued temporary ones. The latter are in memory
/// only, so a restart ends them.
#[derive(Debug, Default)]
pub struct Credentials {
    configured: HashMap<String, Arc<Known>>,
    issued: RwLock<Issued>,
    pub(super) signing_keys: SigningKeys,
}

#[derive(Debug)]
struct Known {
    credential: Arc<Credential>,
    /// The configured key from which a temporary key was issued, directly or indirectly; empty if that key is
    /// not configured, and for configured keys.
    issuer: String,
    reported: AtomicBool,
}

impl Known {
    fn new(credential: Credential, issuer: String) -> Arc<Self> {
        Arc::new(Self {
            credential: Arc::new(credential),
            issuer,
            reported: AtomicBool::new(false),
        })
    }
}

/// Temporary keys. Expired ones stay until they are evicted, so that their holders get the right error.
#[derive(Debug, Default)]
struct Issued {
    by_id: HashMap<String, Arc<Known>>,
    /// By issuing key: when they expire, in Unix milliseconds, and their IDs.
    by_issuer: HashMap<String, BTreeSet<(i64, String)>>,
}

impl Issued {
    /// Adds a key. Evicts the keys of the same issuer that expire first.
    fn insert(&mut self, key: Arc<Known>) {
        let Credential { access_key_id, expires_at_ms, .. } = &*key.credential;
        let by_end = self.by_issuer.entry(key.issuer.clone()).or_default();
        while by_end.len() >= ISSUED_KEYS
            && let Some((_, first)) = by_end.pop_first()
        {
            self.by_id.remove(&first);
        }
        by_end.insert((expires_at_ms.unwrap_or(i64::MAX), access_key_id.clone()));
        self.by_id.insert(access_key_id.clone(), key);
    }
}

/// Temporary keys per configured key, and of all others together; those that expire first are evicted.
pub const ISSUED_KEYS: usize = 1_000;

impl Credentials {
    /// Reads a credentials file of either format. A file without any key is an error, because it was
    /// configured for its keys.
    pub fn parse(text: &str) -> Result<Self, CredentialsError> {
        Self::parse_in(text, &Accounts::default())
    }

    /// Does the same as [`Self::parse`], with the accounts of keys whose account is not in the file.
    pub fn parse_in(text: &str, accounts: &Accounts) -> Result<Self, CredentialsError> {
        let parse = if is_toml(text) { parse_toml } else { parse_profiles };
        let found = parse(text, accounts)?;
        let mut credentials = Self::default();
        for credential in found {
            if credentials.get(&credential.access_key_id).is_some_and(|it| !it.is_same(&credential))
            {
                return Err(CredentialsError::Twice { access_key_id: credential.access_key_id });
            }
            credentials.insert(credential);
        }
        if credentials.is_empty() { Err(CredentialsError::Nothing) } else { Ok(credentials) }
    }

    /// Adds a key, and replaces the one with the same ID.
    pub fn insert(&mut self, credential: Credential) {
        self.signing_keys.clear();
        let known = Known::new(credential, String::new());
        self.configured.insert(known.credential.access_key_id.clone(), known);
    }

    /// Issues a random temporary key for a principal of an account, with the role of its caller. It expires
    /// at a time in Unix milliseconds. `caller` is the access key ID of the request, if there is one. Each
    /// configured key can have [`ISSUED_KEYS`], including those that its temporary keys issue.
    ///
    /// # Errors
    ///
    /// If the operating system has no randomness.
    pub fn issue(
        &self,
        caller: Option<&str>,
        account: &str,
        principal: Principal,
        role: Role,
        expires_at_ms: i64,
    ) -> Result<Arc<Credential>, getrandom::Error> {
        let credential = Credential {
            access_key_id: format!("ASIA{}{}", encode(account), random_base32(7)?),
            secret_access_key: Secret(random_base64(30)?),
            session_token: Some(Secret(random_base64(192)?)),
            account: account.to_owned(),
            principal,
            role,
            expires_at_ms: Some(expires_at_ms),
        };
        let key = Known::new(credential, self.issuer(caller));
        let issued = Arc::clone(&key.credential);
        self.issued.write().insert(key);
        Ok(issued)
    }

    /// Returns the configured key that is, or has issued, a caller's key.
    fn issuer(&self, caller: Option<&str>) -> String {
        let Some(id) = caller else { return String::new() };
        if self.configured.contains_key(id) {
            return id.to_owned();
        }
        self.known(id).map(|known| known.issuer.clone()).unwrap_or_default()
    }

    /// Returns the key with this ID.
    pub fn get(&self, access_key_id: &str) -> Option<Arc<Credential>> {
        self.known(access_key_id).map(|it| Arc::clone(&it.credential))
    }

    fn known(&self, access_key_id: &str) -> Option<Arc<Known>> {
        if let Some(known) = self.configured.get(access_key_id) {
            return Some(Arc::clone(known));
        }
        let issued = self.issued.read();
        issued.by_id.get(access_key_id).map(Arc::clone)
    }

    /// Returns whether a configured key belongs to this account.
    pub fn has_account(&self, account: &str) -> bool {
        self.configured.values().any(|known| known.credential.account == account)
    }

    /// Returns the number of configured keys.
    pub fn len(&self) -> usize {
        self.configured.len()
    }

    /// Returns whether no key is configured.
    pub fn is_empty(&self) -> bool {
        self.configured.is_empty()
    }

    /// Returns whether a wrong signature of this key has already been reported.
    pub(super) fn is_reported(&self, access_key_id: &str) -> bool {
        self.known(access_key_id).is_some_and(|it| it.reported.load(Ordering::Relaxed))
    }

    /// Records that a wrong signature of this key is reported. Returns `true` to the first caller.
    pub(super) fn report(&self, access_key_id: &str) -> bool {
        self.known(access_key_id).is_some_and(|it| !it.reported.swap(true, Ordering::Relaxed))
    }
}

/// Returns random base32 digits.
fn random_base32(digits: usize) -> Result<String, getrandom::Error> {
    let mut bytes = vec![0; digits];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| char::from(BASE32[usize::from(byte % 32)])).collect())
}

/// Returns random bytes in Base64.
fn random_base64(count: usize) -> Result<String, getrandom::Error> {
    let mut bytes = vec![0; count];
    getrandom::fill(&mut bytes)?;
    Ok(STANDARD.encode(bytes))
}

/// Returns whether the first line with content is in Squab's own format.
fn is_toml(text: &str) -> bool {
    significant_lines(text)
        .next()
        .is_some_and(|(_, line)| line.starts_with("[[") || line.starts_with("credential"))
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

fn parse_toml(text: &str, accounts: &Accounts) -> Result<Vec<Credential>, CredentialsError> {
    let file: File = toml::from_str(text).map_err(|error| {
        // Only the reason, because the whole error quotes the line, which may contain a secret
        let offset = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = text.as_bytes()[..offset].split(|byte| *byte == b'\n').count();
        CredentialsError::Malformed { line, reason: error.message().to_owned() }
    })?;
    let complete = |entry: Entry| {
        Credential::new(entry.access_key_id, entry.secret_access_key.0)?.complete(
            entry.account,
            entry.session_token,
            entry.user,
            entry.role,
            accounts,
        )
    };
    file.credential.into_iter().map(complete).collect()
}

#[derive(Default)]
struct Profile {
    name: String,
    line: usize,
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    session_token: Option<String>,
    account: Option<String>,
    role: Role,
}

impl Profile {
    /// Returns its key, or `None` if it has no key, such as a profile that only names a role.
    fn credential(self, accounts: &Accounts) -> Result<Option<Credential>, CredentialsError> {
        const ID: &str = "aws_access_key_id";
        const SECRET: &str = "aws_secret_access_key";
        let (profile, line) = (self.name, self.line);
        match (self.access_key_id, self.secret_access_key) {
            (Some(id), Some(secret)) => Credential::new(id, secret)?
                .complete(self.account, self.session_token.map(Secret), None, self.role, accounts)
                .map(Some),
            (None, None) => Ok(None),
            (Some(_), None) => {
                Err(CredentialsError::HalfProfile { profile, line, present: ID, missing: SECRET })
            }
            (None, Some(_)) => {
                Err(CredentialsError::HalfProfile { profile, line, present: SECRET, missing: ID })
            }
        }
    }
}

/// Reads a shared credentials file. Other settings (`region`, `role_arn`, nested settings) are ignored, as
/// the AWS tools do.
/// Source: <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>
fn parse_profiles(text: &str, accounts: &Accounts) -> Result<Vec<Credential>, CredentialsError> {
    let malformed =
        |line, reason: &str| CredentialsError::Malformed { line, reason: reason.into() };
    let mut profiles: Vec<Profile> = Vec::new();
    for (line, content) in significant_lines(text) {
        if let Some(section) = content.strip_prefix('[') {
            let (name, _) = section
                .split_once(']')
                .ok_or_else(|| malformed(line, "a section must end with a closing bracket"))?;
            profiles.push(Profile { name: name.trim().to_owned(), line, ..Profile::default() });
            continue;
        }
        let (key, value) = content
            .split_once('=')
            .ok_or_else(|| malformed(line, "neither a [profile] section nor key = value"))?;
        let profile = profiles
            .last_mut()
            .ok_or_else(|| malformed(line, "a key must follow a [profile] section"))?;
        let value = value.trim().to_owned();
        match key.trim().to_ascii_lowercase().as_str() {
            "aws_access_key_id" => profile.access_key_id = Some(value),
            "aws_secret_access_key" => profile.secret_access_key = Some(value),
            "aws_session_token" => profile.session_token = Some(value),
            "aws_account_id" => profile.account = Some(value),
            "squab_role" => {
                profile.role = Role::named(&value)
                    .ok_or_else(|| malformed(line, "squab_role is view, operate or admin"))?;
            }
            _ => {}
        }
    }
    let keys = profiles.into_iter().map(|profile| profile.credential(accounts));
    keys.filter_map(Result::transpose).collect()
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
                "profile p (line 1) has aws_access_key_id but no aws_secret_access_key",
            ),
            (
                "[p]\naws_secret_access_key = hush".to_owned(),
                "profile p (line 1) has aws_secret_access_key but no aws_access_key_id",
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

    #[test]
    fn a_wrong_signature_is_reported_once_for_each_key() {
        let credentials = Credentials::parse(TOML).unwrap();
        assert!(credentials.report("AKIDEXAMPLE") && !credentials.report("AKIDEXAMPLE"));
        assert!(credentials.is_reported("AKIDEXAMPLE") && !credentials.is_reported("ASIDEXAMPLE"));
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
