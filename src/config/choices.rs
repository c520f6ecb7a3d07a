//! Settings that are one of a few words.

use std::fmt;

use clap::ValueEnum;
use serde::Deserialize;

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    /// A power cut: the state is synced to the disk before the answer
    #[default]
    Full,
    /// A crash of the program, but not of the machine
    Process,
}

/// Which requests must carry a valid signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthMode {
    /// None: signatures are read for their account and region only
    Off,
    /// Those signed with a configured key; other keys pass
    KnownKeys,
    /// All
    Strict,
}

/// A server that Squab stands in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compat {
    /// LocalStack: port 4566, its variables of the environment, its hooks
    Localstack,
    /// ElasticMQ: port 9324, /opt/elasticmq.conf, the line that it starts with
    Elasticmq,
    /// goaws: port 4100, /conf/goaws.yaml
    Goaws,
    /// moto's server: port 5000, account 123456789012
    Moto,
}

/// How queue URLs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndpointStrategy {
    /// http://sqs.REGION.HOST/ACCOUNT/NAME
    Standard,
    /// http://REGION.queue.HOST/ACCOUNT/NAME
    Domain,
    /// http://HOST/queue/REGION/ACCOUNT/NAME
    Path,
    /// With the host of the request: http://HOST/ACCOUNT/NAME
    #[default]
    Dynamic,
    /// http://HOST/ACCOUNT/NAME
    Off,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

macro_rules! display_as_value {
    ($($type:ty),*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.to_possible_value().as_ref().map_or("", |value| value.get_name()))
            }
        }
    )*};
}
display_as_value!(Durability, AuthMode, LogFormat, Compat, EndpointStrategy);
