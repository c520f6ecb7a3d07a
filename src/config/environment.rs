//! The environment: a variable for each flag, and the one key that may be given there.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use clap::{Args, FromArgMatches};

use super::ConfigError;
use super::flags::Sources;
use super::settings::AccessKey;
use super::suggestion::did_you_mean;

/// What every variable of Squab's in the environment begins with.
pub(super) const ENVIRONMENT_PREFIX: &str = "SQUAB_";
/// The variable with the id of the one key that the environment may give.
const ACCESS_KEY_ID: &str = "SQUAB_ACCESS_KEY_ID";
/// The variable with the secret of the one key that the environment may give.
const SECRET_ACCESS_KEY: &str = "SQUAB_SECRET_ACCESS_KEY";
/// What the environment says.
pub(super) struct Environment {
    pub sources: Sources,
    pub access_key: Option<AccessKey>,
    pub warnings: Vec<String>,
}

impl Environment {
    /// A variable with an empty value counts as unset: templates of containers leave such behind.
    pub fn read(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let mut given: BTreeMap<String, OsString> = variables
            .into_iter()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, value)| name.starts_with(ENVIRONMENT_PREFIX) && !value.is_empty())
            .collect();
        let access_key = access_key(given.remove(ACCESS_KEY_ID), given.remove(SECRET_ACCESS_KEY))?;

        let command = Sources::augment_args(clap::Command::new("squab").no_binary_name(true));
        let mut sources = Sources::default();
        let mut known = vec![ACCESS_KEY_ID.to_owned(), SECRET_ACCESS_KEY.to_owned()];
        for argument in command.get_arguments() {
            let Some(flag) = argument.get_long() else { continue };
            let variable = format!("{ENVIRONMENT_PREFIX}{}", shouted(flag));
            if let Some(value) = given.remove(&variable) {
                let one = parse_variable(&command, flag, &value).map_err(|error| {
                    ConfigError::Environment { variable: variable.clone(), message: said(&error) }
                })?;
                sources.config = one.config.or(sources.config);
                sources.options = one.options.over(sources.options);
            }
            known.push(variable);
        }
        let warnings = given
            .into_keys()
            .filter(|name| !is_kubernetes_service_link(name))
            .map(|name| {
                let hint = did_you_mean(&name, known.iter().map(String::as_str));
                format!(
                    "the environment variable {name} is not a setting of Squab and is ignored{hint}"
                )
            })
            .collect();
        Ok(Self { sources, access_key, warnings })
    }
}

/// `max-body-bytes` as `MAX_BODY_BYTES`.
pub(super) fn shouted(flag: &str) -> String {
    flag.to_ascii_uppercase().replace('-', "_")
}

/// Reads a variable exactly as its flag would be read.
fn parse_variable(
    command: &clap::Command,
    flag: &str,
    value: &OsStr,
) -> Result<Sources, clap::Error> {
    let mut argument = OsString::from(format!("--{flag}="));
    argument.push(value);
    Sources::from_arg_matches(&command.clone().try_get_matches_from([argument])?)
}

/// clap's sentence without what only fits a terminal.
fn said(error: &clap::Error) -> String {
    let text = error.to_string();
    let sentence = text.trim_start_matches("error: ");
    sentence.split("\n\nFor more information").next().unwrap_or(sentence).trim_end().to_owned()
}

/// Returns whether Kubernetes sets this variable in each pod beside a Service named `squab`. It is no mistake.
fn is_kubernetes_service_link(name: &str) -> bool {
    let rest = name.strip_prefix(ENVIRONMENT_PREFIX).unwrap_or_default();
    rest == "PORT" || rest.starts_with("PORT_") || rest.starts_with("SERVICE_")
}

fn access_key(
    id: Option<OsString>,
    secret: Option<OsString>,
) -> Result<Option<AccessKey>, ConfigError> {
    let text = |variable: &str, value: OsString| {
        value.into_string().map_err(|_| ConfigError::Environment {
            variable: variable.to_owned(),
            message: "not UTF-8".to_owned(),
        })
    };
    let missing = |variable: &str, other: &str| ConfigError::Environment {
        variable: variable.to_owned(),
        message: format!("not set, but {other} is: set both"),
    };
    match (id, secret) {
        (None, None) => Ok(None),
        (Some(id), Some(secret)) => Ok(Some(AccessKey {
            id: text(ACCESS_KEY_ID, id)?,
            secret: text(SECRET_ACCESS_KEY, secret)?,
        })),
        (Some(_), None) => Err(missing(SECRET_ACCESS_KEY, ACCESS_KEY_ID)),
        (None, Some(_)) => Err(missing(ACCESS_KEY_ID, SECRET_ACCESS_KEY)),
    }
}
