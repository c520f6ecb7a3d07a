//! Mobile push: the names and attributes of platform applications and their endpoints.
//!
//! Messages for devices never leave this machine, so credentials are neither verified nor stored: any are
//! accepted, and a digest shows whether two are the same. Tokens are not validated, while AWS requires
//! hexadecimal digits for Apple's platforms.
//!
//! Sources: <https://docs.aws.amazon.com/sns/latest/api/API_CreatePlatformApplication.html>,
//! <https://docs.aws.amazon.com/sns/latest/api/API_SetPlatformApplicationAttributes.html>,
//! <https://docs.aws.amazon.com/sns/latest/api/API_CreatePlatformEndpoint.html>,
//! <https://docs.aws.amazon.com/sns/latest/api/API_SetEndpointAttributes.html>

use super::Refusal;
use super::address::{is_account, partition};
use super::arn::Arn;
use super::digest::sha256_hex;
use super::limits::{CUSTOM_USER_DATA_BYTES, PLATFORM_APPLICATION_NAME_LENGTH};
use super::topic_attributes::parse_bool;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The push services of SNS. The API reference lists the first four; AWS still supports the others.
const PLATFORMS: [&str; 11] = [
    "ADM",
    "APNS",
    "APNS_SANDBOX",
    GCM,
    "APNS_VOIP",
    "APNS_VOIP_SANDBOX",
    "MACOS",
    "MACOS_SANDBOX",
    BAIDU,
    "MPNS",
    "WNS",
];
const GCM: &str = "GCM";
const BAIDU: &str = "BAIDU";

/// The address of a platform application, which may not exist.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ApplicationAddress {
    /// The twelve digits of the owner's account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The push service, such as `GCM`.
    pub platform: String,
    /// The name of the application.
    pub name: String,
}

impl ApplicationAddress {
    /// `arn:<partition>:sns:<region>:<account>:app/<platform>/<name>`
    pub fn arn(&self) -> String {
        self.arn_of("app", "")
    }

    fn arn_of(&self, what: &str, rest: &str) -> String {
        let Self { account, region, platform, name } = self;
        let partition = partition(region);
        format!("arn:{partition}:sns:{region}:{account}:{what}/{platform}/{name}{rest}")
    }

    /// The application that a parameter of this name gives as an ARN, for a caller in this region.
    ///
    /// Refused with InvalidParameter when it is no such ARN, or one of another region.
    pub fn from_arn(parameter: &str, arn: &str, region: &str) -> Result<Self, Refusal> {
        let (account, [platform, name]) = parts(parameter, arn, region, "app")?;
        Ok(Self { account, region: region.to_owned(), platform, name })
    }
}

/// The address of an endpoint, which may not exist.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EndpointAddress {
    /// Its application.
    pub application: ApplicationAddress,
    /// The unique part of the ARN.
    pub id: Uuid,
}

impl EndpointAddress {
    /// `arn:<partition>:sns:<region>:<account>:endpoint/<platform>/<application>/<uuid>`
    pub fn arn(&self) -> String {
        self.application.arn_of("endpoint", &format!("/{}", self.id))
    }

    /// The endpoint that a parameter of this name gives as an ARN, for a caller in this region.
    /// `None`: well-formed, but of no endpoint.
    ///
    /// Refused with InvalidParameter when it is no such ARN, or one of another region.
    pub fn from_arn(parameter: &str, arn: &str, region: &str) -> Result<Option<Self>, Refusal> {
        let (account, [platform, name, id]) = parts(parameter, arn, region, "endpoint")?;
        let application = ApplicationAddress { account, region: region.to_owned(), platform, name };
        Ok(Uuid::try_parse(&id).ok().map(|id| Self { application, id }))
    }

    /// The endpoint of an ARN in whichever region, if it can be one.
    pub fn read(arn: &str) -> Option<Self> {
        Self::from_arn("EndpointArn", arn, Arn::parse(arn)?.region).ok()?
    }
}

/// Returns whether the resource of an ARN is an endpoint.
pub fn is_endpoint_arn(arn: &str) -> bool {
    Arn::parse(arn).is_some_and(|arn| arn.resource.starts_with("endpoint/"))
}

/// The account of an ARN, and what its resource has between slashes after the kind.
fn parts<const N: usize>(
    parameter: &str,
    arn: &str,
    region: &str,
    kind: &str,
) -> Result<(String, [String; N]), Refusal> {
    let arn = Arn::of_parameter(parameter, arn)?;
    if arn.service != "sns" || arn.region != region || !is_account(arn.account) {
        return Err(Refusal::invalid_parameter(parameter));
    }
    let mut segments = arn.resource.split('/');
    let is_kind = segments.next() == Some(kind);
    let segments: Vec<_> = segments.map(str::to_owned).collect();
    match <[String; N]>::try_from(segments) {
        Ok(segments) if is_kind => Ok((arn.account.to_owned(), segments)),
        _ => Err(Refusal::invalid_parameter_because(
            parameter,
            "Wrong number of slashes in relative portion of the ARN.",
        )),
    }
}

/// Checks the name given to CreatePlatformApplication.
pub fn check_application_name(name: &str) -> Result<(), Refusal> {
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let reason = if name.is_empty() {
        "cannot be empty"
    } else if name.chars().count() > PLATFORM_APPLICATION_NAME_LENGTH {
        "must be at most 256 characters long"
    } else if !name.bytes().all(is_usual) {
        "must contain only characters 'a'-'z', 'A'-'Z', '0'-'9', '_', '-', and '.'"
    } else {
        return Ok(());
    };
    Err(Refusal::invalid_parameter_because(name, reason))
}

/// Checks the platform given to CreatePlatformApplication.
pub fn check_platform(platform: &str) -> Result<(), Refusal> {
    if PLATFORMS.contains(&platform) {
        return Ok(());
    }
    Err(Refusal::invalid_parameter_because("Platform", format_args!("{platform} is not supported")))
}

fn is_apple(platform: &str) -> bool {
    platform.starts_with("APNS") || platform.starts_with("MACOS")
}

fn in_attributes(reason: impl std::fmt::Display) -> Refusal {
    Refusal::invalid_parameter_because("Attributes", reason)
}

fn invalid_name(name: &str) -> Refusal {
    in_attributes(format_args!("Invalid attribute name: {name}"))
}

fn invalid_value(name: &str, reason: &str) -> Refusal {
    in_attributes(format_args!("Invalid value for attribute: {name}: {reason}"))
}

fn check_bool(name: &str, value: &str) -> Result<bool, Refusal> {
    parse_bool(value).ok_or_else(|| invalid_value(name, "must be either true or false"))
}

const CREDENTIAL: &str = "PlatformCredential";
const PRINCIPAL: &str = "PlatformPrincipal";
const AUTHENTICATION_METHOD: &str = "AuthenticationMethod";
const ENABLED: &str = "Enabled";
const CUSTOM_USER_DATA: &str = "CustomUserData";
const TOKEN: &str = "Token";

/// The attributes of a platform application.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationAttributes {
    /// The attributes that are returned, by AWS's names; none is empty.
    shown: IndexMap<String, String>,
    /// SHA-256 of PlatformCredential and of PlatformPrincipal. The texts themselves are not stored.
    secrets: IndexMap<String, String>,
}

impl ApplicationAttributes {
    /// Reads the attributes given to CreatePlatformApplication.
    ///
    /// Rejects unknown names, bad values and incomplete credentials with InvalidParameter.
    pub fn create(platform: &str, given: &IndexMap<String, String>) -> Result<Self, Refusal> {
        let has = |name: &str| given.get(name).is_some_and(|value| !value.is_empty());
        match (has(PRINCIPAL), has(CREDENTIAL)) {
            (true, false) => Err(in_attributes(
                "PlatformPrincipal attribute provided without PlatformCredential",
            )),
            (false, true) if platform != GCM => Err(in_attributes(
                "PlatformCredential attribute provided without PlatformPrincipal",
            )),
            (false, false) => Err(invalid_value(CREDENTIAL, "cannot be empty")),
            _ => {
                let mut attributes = Self::default();
                attributes.set(platform, given)?;
                Ok(attributes)
            }
        }
    }

    /// Changes the attributes given to SetPlatformApplicationAttributes. An empty value removes an
    /// attribute.
    ///
    /// Rejects with InvalidParameter, without changing any attribute.
    pub fn set(&mut self, platform: &str, given: &IndexMap<String, String>) -> Result<(), Refusal> {
        let mut changed = self.clone();
        for (name, value) in given {
            changed.set_one(name, value)?;
        }
        let credential = given.get(CREDENTIAL).filter(|credential| !credential.is_empty());
        if platform == GCM
            && let Some(credential) = credential
        {
            // The credential of FCM's current API is a key file; that of the old API is a single word.
            let is_file = credential.trim_start().starts_with('{');
            let method = if is_file { "Token" } else { "Key" };
            changed.shown.insert(AUTHENTICATION_METHOD.to_owned(), method.to_owned());
        }
        *self = changed;
        Ok(())
    }

    fn set_one(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        let value = match name {
            CREDENTIAL | PRINCIPAL if value.is_empty() => {
                return Err(invalid_value(name, "cannot be empty"));
            }
            CREDENTIAL | PRINCIPAL => {
                self.secrets.insert(name.to_owned(), sha256_hex(value.as_bytes()));
                return Ok(());
            }
            ENABLED => check_bool(name, value)?.to_string(),
            "SuccessFeedbackSampleRate" => {
                let fits = value.is_empty() || value.parse::<u8>().is_ok_and(|rate| rate <= 100);
                if !fits {
                    return Err(invalid_value(name, "must be an integer between 0 and 100"));
                }
                value.to_owned()
            }
            "EventEndpointCreated"
            | "EventEndpointDeleted"
            | "EventEndpointUpdated"
            | "EventDeliveryFailure"
            | "SuccessFeedbackRoleArn"
            | "FailureFeedbackRoleArn"
            | "ApplePlatformTeamID"
            | "ApplePlatformBundleID"
            | AUTHENTICATION_METHOD => value.to_owned(),
            _ => return Err(invalid_name(name)),
        };
        if value.is_empty() {
            self.shown.shift_remove(name);
        } else {
            self.shown.insert(name.to_owned(), value);
        }
        Ok(())
    }

    /// Returns whether the application delivers messages.
    pub fn is_enabled(&self) -> bool {
        self.shown.get(ENABLED).is_none_or(|enabled| enabled == "true")
    }

    /// Returns whether `other`, from another CreatePlatformApplication with the same name, contradicts these
    /// attributes. It may omit some.
    pub fn differ_from_given(&self, other: &Self) -> bool {
        let shown = self.shown();
        other.shown.iter().any(|(name, value)| shown.get(name) != Some(value))
            || other.secrets.iter().any(|(name, digest)| self.secrets.get(name) != Some(digest))
    }

    /// Returns the attributes for GetPlatformApplicationAttributes.
    pub fn shown(&self) -> IndexMap<String, String> {
        let mut shown = IndexMap::from([(ENABLED.to_owned(), "true".to_owned())]);
        shown.extend(self.shown.clone());
        shown
    }
}

/// The attributes of an endpoint, including its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointAttributes {
    /// The identifier of the device at the push service.
    pub token: String,
    /// The other attributes, by AWS's names; none is empty.
    pub others: IndexMap<String, String>,
}

impl EndpointAttributes {
    /// Reads the attributes given to CreatePlatformEndpoint.
    ///
    /// Rejects with InvalidParameter.
    pub fn create(
        platform: &str,
        token: &str,
        custom_user_data: Option<&str>,
        given: &IndexMap<String, String>,
    ) -> Result<Self, Refusal> {
        let mut attributes = Self { token: String::new(), others: IndexMap::new() };
        attributes.set_token(platform, token)?;
        let custom_user_data = custom_user_data.unwrap_or_default();
        if custom_user_data.len() > CUSTOM_USER_DATA_BYTES {
            return Err(Refusal::invalid_parameter_because(CUSTOM_USER_DATA, TOO_MUCH_DATA));
        }
        attributes.put(CUSTOM_USER_DATA, custom_user_data);
        attributes.set(platform, given)?;
        Ok(attributes)
    }

    /// Changes the attributes given to SetEndpointAttributes.
    ///
    /// Rejects with InvalidParameter, without changing any attribute.
    pub fn set(&mut self, platform: &str, given: &IndexMap<String, String>) -> Result<(), Refusal> {
        let mut changed = self.clone();
        for (name, value) in given {
            match name.as_str() {
                TOKEN => changed.set_token(platform, value)?,
                ENABLED => changed.put(name, &check_bool(name, value)?.to_string()),
                CUSTOM_USER_DATA if value.len() > CUSTOM_USER_DATA_BYTES => {
                    return Err(invalid_value(name, TOO_MUCH_DATA));
                }
                CUSTOM_USER_DATA => changed.put(name, value),
                "ChannelId" | "UserId" if platform == BAIDU => changed.put(name, value),
                _ => return Err(invalid_name(name)),
            }
        }
        *self = changed;
        Ok(())
    }

    /// Returns a token as it is stored: Apple's tokens are case-insensitive and stored in lower case.
    fn set_token(&mut self, platform: &str, token: &str) -> Result<(), Refusal> {
        if token.is_empty() {
            return Err(Refusal::invalid_parameter_because(TOKEN, "cannot be empty"));
        }
        self.token = if is_apple(platform) { token.to_ascii_lowercase() } else { token.to_owned() };
        Ok(())
    }

    fn put(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            self.others.shift_remove(name);
        } else {
            self.others.insert(name.to_owned(), value.to_owned());
        }
    }

    /// Returns whether the endpoint receives messages.
    pub fn is_enabled(&self) -> bool {
        self.others.get(ENABLED).is_none_or(|enabled| enabled == "true")
    }

    /// Returns whether `other`, from another CreatePlatformEndpoint with the same token, contradicts these
    /// attributes. It may omit `Enabled`, so that an app can register again after a push service has
    /// disabled its endpoint. Missing user data differs from existing user data.
    pub fn differ_from_given(&self, other: &Self) -> bool {
        let shown = self.shown();
        other.others.iter().any(|(name, value)| shown.get(name) != Some(value))
            || other.others.get(CUSTOM_USER_DATA) != self.others.get(CUSTOM_USER_DATA)
    }

    /// Returns the attributes for GetEndpointAttributes.
    pub fn shown(&self) -> IndexMap<String, String> {
        let mut shown = IndexMap::from([
            (ENABLED.to_owned(), "true".to_owned()),
            (TOKEN.to_owned(), self.token.clone()),
        ]);
        shown.extend(self.others.clone());
        shown
    }
}

const TOO_MUCH_DATA: &str = "must be at most 2048 bytes long in UTF-8 encoding";

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> IndexMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn application() -> ApplicationAddress {
        ApplicationAddress {
            account: "123456789012".into(),
            region: "eu-west-1".into(),
            platform: GCM.into(),
            name: "my.app".into(),
        }
    }

    #[test]
    fn arns_are_read_as_they_are_written() {
        let app = application();
        assert_eq!(app.arn(), "arn:aws:sns:eu-west-1:123456789012:app/GCM/my.app");
        assert_eq!(ApplicationAddress::from_arn("P", &app.arn(), "eu-west-1"), Ok(app.clone()));
        let endpoint = EndpointAddress { application: app, id: Uuid::from_u128(7) };
        let arn = endpoint.arn();
        assert_eq!(
            arn,
            "arn:aws:sns:eu-west-1:123456789012:endpoint/GCM/my.app/\
             00000000-0000-0000-0000-000000000007"
        );
        assert_eq!(EndpointAddress::read(&arn).as_ref(), Some(&endpoint));
        assert_eq!(EndpointAddress::from_arn("E", &arn, "eu-west-1"), Ok(Some(endpoint)));
        assert_eq!(EndpointAddress::from_arn("E", &arn[..arn.len() - 1], "eu-west-1"), Ok(None));
    }

    #[test]
    fn refusals_say_what_is_wrong_with_an_arn() {
        for (arn, message) in [
            ("invalid-arn", "A Reason: An ARN must have at least 6 elements, not 1"),
            ("arn:aws:sns:us-east-1:123456789012:app/GCM/a", "A"),
            ("arn:aws:sqs:eu-west-1:123456789012:app/GCM/a", "A"),
            (
                "arn:aws:sns:eu-west-1:123456789012:app/GCM",
                "A Reason: Wrong number of slashes in relative portion of the ARN.",
            ),
            (
                "arn:aws:sns:eu-west-1:123456789012:endpoint/GCM/a",
                "A Reason: Wrong number of slashes in relative portion of the ARN.",
            ),
        ] {
            let refusal = ApplicationAddress::from_arn("A", arn, "eu-west-1").unwrap_err();
            assert_eq!(refusal.message, format!("Invalid parameter: {message}"), "{arn}");
        }
    }

    #[test]
    fn credentials_come_in_pairs_but_for_gcm_and_are_not_kept() {
        let refused = |platform: &str, pairs: &[(&str, &str)]| {
            let refusal = ApplicationAttributes::create(platform, &given(pairs)).unwrap_err();
            refusal.message.replace("Invalid parameter: Attributes Reason: ", "")
        };
        assert_eq!(
            refused("ADM", &[(CREDENTIAL, "hush")]),
            "PlatformCredential attribute provided without PlatformPrincipal"
        );
        assert_eq!(
            refused("GCM", &[(PRINCIPAL, "hush")]),
            "PlatformPrincipal attribute provided without PlatformCredential"
        );
        assert_eq!(
            refused("GCM", &[(ENABLED, "true")]),
            "Invalid value for attribute: PlatformCredential: cannot be empty"
        );
        let secret = given(&[(CREDENTIAL, "hush"), (ENABLED, "True")]);
        let attributes = ApplicationAttributes::create("GCM", &secret).unwrap();
        assert!(attributes.is_enabled());
        let stored = serde_json::to_string(&attributes).unwrap();
        assert!(!format!("{attributes:?}{:?}{stored}", attributes.shown()).contains("hush"));
        assert_eq!(
            attributes.shown(),
            given(&[("Enabled", "true"), ("AuthenticationMethod", "Key")])
        );
        assert!(!attributes.differ_from_given(
            &ApplicationAttributes::create("GCM", &given(&[(CREDENTIAL, "hush")])).unwrap()
        ));
        assert!(attributes.differ_from_given(
            &ApplicationAttributes::create("GCM", &given(&[(CREDENTIAL, "other")])).unwrap()
        ));
    }

    #[test]
    fn a_refused_change_of_an_application_changes_nothing() {
        let secret = given(&[(CREDENTIAL, "c"), (PRINCIPAL, "p")]);
        let mut attributes = ApplicationAttributes::create("ADM", &secret).unwrap();
        let before = attributes.clone();
        for (name, value) in
            [("SuccessFeedbackSampleRate", "101"), (ENABLED, "yes"), ("Token", "t")]
        {
            let change = given(&[("EventEndpointCreated", "arn"), (name, value)]);
            assert!(attributes.set("ADM", &change).is_err(), "{name}");
            assert_eq!(attributes, before);
        }
        attributes.set("ADM", &given(&[("SuccessFeedbackSampleRate", "50")])).unwrap();
        attributes.set("ADM", &given(&[(ENABLED, "false")])).unwrap();
        assert_eq!(
            attributes.shown(),
            given(&[("Enabled", "false"), ("SuccessFeedbackSampleRate", "50")])
        );
        assert!(!attributes.is_enabled());
    }

    #[test]
    fn a_repeated_registration_may_be_silent_about_being_enabled_but_not_about_user_data() {
        let create = |data: Option<&str>, pairs: &[(&str, &str)]| {
            EndpointAttributes::create("GCM", "token", data, &given(pairs)).unwrap()
        };
        let disabled = create(None, &[(ENABLED, "false")]);
        assert!(!disabled.differ_from_given(&create(None, &[])));
        assert!(disabled.differ_from_given(&create(None, &[(ENABLED, "true")])));
        assert!(!create(None, &[]).differ_from_given(&create(None, &[(ENABLED, "TRUE")])));
        let with_data = create(Some("me"), &[]);
        assert!(with_data.differ_from_given(&create(None, &[])));
        assert!(!with_data.differ_from_given(&create(None, &[(CUSTOM_USER_DATA, "me")])));
    }

    #[test]
    fn user_data_has_a_limit_in_bytes_and_tokens_of_apple_one_case() {
        let fits = "é".repeat(1024);
        let mut endpoint =
            EndpointAttributes::create("APNS", "ABC", Some(&fits), &given(&[])).unwrap();
        assert_eq!(endpoint.token, "abc");
        let refusal = endpoint.set("APNS", &given(&[(CUSTOM_USER_DATA, &(fits + "x"))]));
        assert_eq!(
            refusal.unwrap_err().message,
            "Invalid parameter: Attributes Reason: Invalid value for attribute: CustomUserData: \
             must be at most 2048 bytes long in UTF-8 encoding"
        );
        endpoint.set("APNS", &given(&[(TOKEN, "DEF"), (CUSTOM_USER_DATA, "")])).unwrap();
        assert_eq!(endpoint.shown(), given(&[("Enabled", "true"), ("Token", "def")]));
        assert!(endpoint.set("APNS", &given(&[("UserId", "u")])).is_err());
        assert!(endpoint.set("BAIDU", &given(&[("UserId", "u")])).is_ok());
    }

    #[test]
    fn names_of_applications_are_checked() {
        for (name, reason) in [
            ("", "cannot be empty"),
            (&*"a".repeat(257), "must be at most 256 characters long"),
            ("@name", "must contain only characters 'a'-'z', 'A'-'Z', '0'-'9', '_', '-', and '.'"),
        ] {
            let refusal = check_application_name(name).unwrap_err();
            assert_eq!(refusal.message, format!("Invalid parameter: {name} Reason: {reason}"));
        }
        assert!(check_application_name(&"a".repeat(256)).is_ok());
        assert!(check_application_name("A-z_0.9").is_ok());
        assert!(check_platform("FCM").is_err() && check_platform("GCM").is_ok());
    }
}
