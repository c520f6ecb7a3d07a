//! Settings that are one of a few words.

use clap::ValueEnum;
use serde::Deserialize;
use strum::Display;

/// A server that Squab stands in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize, Display)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize, Display)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize, Display)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}
