//! The command line of the AWS CLI: options for every command, then service, operation, and
//! parameters made from the members of its input.

use std::collections::HashMap;

use serde_json::Value;

use super::model::{self, Kind, Operation};
use super::output::Format;
use super::{Failure, Input, shorthand};
use crate::config::did_you_mean;

/// Options with a value.
const WITH_VALUE: [&str; 9] = [
    "--endpoint-url",
    "--region",
    "--output",
    "--query",
    "--cli-input-json",
    "--max-items",
    "--starting-token",
    "--page-size",
    "--ca-bundle",
];
/// Options with a value that change nothing here.
const IGNORED_WITH_VALUE: [&str; 6] = [
    "--profile",
    "--color",
    "--cli-read-timeout",
    "--cli-connect-timeout",
    "--cli-binary-format",
    "--cli-error-format",
];
/// Options without one that change nothing here.
const IGNORED: [&str; 4] =
    ["--no-cli-pager", "--debug", "--no-cli-auto-prompt", "--cli-auto-prompt"];
/// Options that would have the AWS CLI do something else than call, which must not call here.
const INSTEAD_OF_A_CALL: [&str; 2] = ["--generate-cli-skeleton", "--cli-input-yaml"];

/// A call, understood.
#[derive(Debug)]
pub(super) struct CommandLine {
    pub operation: Operation,
    pub input: Input,
    pub endpoint_url: Option<String>,
    pub region: Option<String>,
    pub output: Format,
    pub query: Option<String>,
    pub paginate: bool,
    /// Items of a list that are wanted.
    pub max_items: Option<usize>,
    /// Where a list is to begin.
    pub starting_token: Option<String>,
    /// Items of a list for which one call asks.
    pub page_size: Option<usize>,
    /// A file with the authorities that an https endpoint must convince.
    pub ca_bundle: Option<String>,
    /// Whether it must convince anybody.
    pub verify: bool,
    /// Whether the call is signed.
    pub sign: bool,
}

impl CommandLine {
    pub fn parse(
        arguments: &[String],
        variables: &HashMap<String, String>,
    ) -> Result<Self, Failure> {
        let mut words = Vec::new();
        let mut parameters: Vec<(String, Vec<String>)> = Vec::new();
        let mut global: HashMap<&str, String> = HashMap::new();
        let (mut paginate, mut verify, mut sign) = (true, true, true);
        let mut rest = arguments.iter().peekable();
        while let Some(argument) = rest.next() {
            if !argument.starts_with("--") {
                match parameters.last_mut() {
                    Some((_, values)) if words.len() == 2 => values.push(argument.clone()),
                    _ => words.push(argument.clone()),
                }
                continue;
            }
            let (option, inline) = match argument.split_once('=') {
                Some((option, value)) => (option, Some(value.to_owned())),
                None => (argument.as_str(), None),
            };
            if INSTEAD_OF_A_CALL.contains(&option) {
                return Err(Failure::unusable(format_args!("argument {option} is not known here")));
            }
            let known =
                WITH_VALUE.iter().chain(&IGNORED_WITH_VALUE).find(|known| **known == option);
            if let Some(known) = known {
                let value = inline.or_else(|| rest.next().cloned()).ok_or_else(|| {
                    Failure::unusable(format_args!("argument {known}: expected one argument"))
                })?;
                global.insert(known, value);
            } else if option == "--no-paginate" {
                paginate = false;
            } else if option == "--no-verify-ssl" {
                verify = false;
            } else if option == "--no-sign-request" {
                sign = false;
            } else if !IGNORED.contains(&option) {
                let mut values: Vec<String> = inline.into_iter().collect();
                // A value may begin with a hyphen, but not with two.
                while let Some(value) = rest.next_if(|next| !next.starts_with("--")) {
                    values.push(value.clone());
                }
                parameters.push((option[2..].to_owned(), values));
            }
        }
        let operation = operation(&words)?;
        let mut input = match global.remove("--cli-input-json") {
            None => Input::new(),
            Some(text) => match serde_json::from_str(&shorthand::content(&text)?) {
                Ok(Value::Object(input)) => input,
                _ => return Err(Failure::unusable("--cli-input-json: no JSON object")),
            },
        };
        for (parameter, values) in parameters {
            let Some(member) = operation.member(&parameter) else {
                let known: Vec<_> =
                    operation.members.iter().map(|member| operation.parameter(member)).collect();
                let hint = did_you_mean(&parameter, known.iter().map(String::as_str));
                return Err(Failure::unusable(format_args!(
                    "Unknown options: --{parameter}{hint}"
                )));
            };
            let value = value(&parameter, &member.kind, values)?;
            input.insert(member.name.to_owned(), value);
        }
        let missing: Vec<_> = operation
            .members
            .iter()
            .filter(|member| member.required && !input.contains_key(member.name))
            .map(|member| format!("--{}", operation.parameter(member)))
            .collect();
        if !missing.is_empty() {
            let missing = missing.join(", ");
            return Err(Failure::unusable(format_args!(
                "the following arguments are required: {missing}"
            )));
        }
        let mut number = |option: &str| {
            let Some(text) = global.remove(option) else { return Ok(None) };
            text.parse().map(Some).map_err(|_| {
                let reason = format!("invalid literal for int(): '{text}'");
                Failure::unusable(format_args!("argument {option}: {reason}"))
            })
        };
        let (max_items, page_size) = (number("--max-items")?, number("--page-size")?);
        let output = global.remove("--output");
        let output = output.as_ref().or_else(|| variables.get("AWS_DEFAULT_OUTPUT"));
        Ok(Self {
            output: Format::named(output.map_or("json", String::as_str))?,
            operation,
            input,
            endpoint_url: global.remove("--endpoint-url"),
            region: global.remove("--region"),
            query: global.remove("--query"),
            paginate,
            max_items,
            page_size,
            starting_token: global.remove("--starting-token"),
            ca_bundle: global
                .remove("--ca-bundle")
                .or_else(|| variables.get("AWS_CA_BUNDLE").cloned()),
            verify,
            sign,
        })
    }
}

fn operation(words: &[String]) -> Result<Operation, Failure> {
    let [service, command] = words else {
        let reason = match words.first() {
            None => "the following arguments are required: command".to_owned(),
            Some(_) if words.len() == 1 => {
                "the following arguments are required: operation".to_owned()
            }
            Some(_) => format!("Unknown options: {}", words[2..].join(", ")),
        };
        return Err(Failure::unusable(reason));
    };
    if !model::SERVICES.contains(&service.as_str()) {
        return Err(Failure::unusable(format_args!(
            "argument command: {service} is not served here; there are sqs, sns and sts"
        )));
    }
    model::find(service, command).ok_or_else(|| {
        let known: Vec<_> = model::operations()
            .filter(|operation| operation.service == service)
            .map(|operation| operation.command())
            .collect();
        let hint = did_you_mean(command, known.iter().map(String::as_str));
        Failure::unusable(format_args!(
            "argument operation: {command} is no operation of {service}{hint}"
        ))
    })
}

fn value(parameter: &str, kind: &Kind, values: Vec<String>) -> Result<Value, Failure> {
    let refuse = |reason: String| {
        Failure::unusable(format_args!("Error parsing parameter '--{parameter}': {reason}"))
    };
    let one = |mut values: Vec<String>| match (values.pop(), values.is_empty()) {
        (Some(value), true) => Ok(value),
        _ => Err(Failure::unusable(format_args!("argument --{parameter}: expected one argument"))),
    };
    match kind {
        Kind::Text | Kind::Number | Kind::Truth | Kind::Blob => {
            let text = shorthand::content(&one(values)?)?;
            shorthand::scalar(kind, &text).map_err(refuse)
        }
        Kind::List(_) | Kind::Map(_) | Kind::Structure(_) => {
            if values.is_empty() {
                return Err(Failure::unusable(format_args!(
                    "argument --{parameter}: expected at least one argument"
                )));
            }
            let values = values.iter().map(|value| shorthand::content(value));
            shorthand::parse(kind, &values.collect::<Result<Vec<_>, _>>()?).map_err(refuse)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(arguments: &str) -> Result<CommandLine, String> {
        let arguments: Vec<_> = arguments.split(' ').map(str::to_owned).collect();
        CommandLine::parse(&arguments, &HashMap::new()).map_err(|failure| failure.message)
    }

    #[test]
    fn options_stand_before_and_after_the_operation() {
        let command = parse(
            "--endpoint-url http://x:1 --no-cli-pager sqs send-message --queue-url q \
             --delay-seconds 5 --message-body=a=b --region eu-west-1 --output text --query X \
             --profile p --cli-error-format json --no-sign-request --no-verify-ssl",
        )
        .unwrap();
        assert_eq!(command.operation.name, "SendMessage");
        let input = json!({"QueueUrl": "q", "DelaySeconds": 5, "MessageBody": "a=b"});
        assert_eq!(Value::Object(command.input), input);
        assert_eq!(command.endpoint_url.as_deref(), Some("http://x:1"));
        assert_eq!(command.region.as_deref(), Some("eu-west-1"));
        assert_eq!((command.output, command.query.as_deref()), (Format::Text, Some("X")));
        assert!(!command.sign && !command.verify);
    }

    #[test]
    fn lists_take_several_values() {
        let command =
            parse("sqs get-queue-attributes --attribute-names QueueArn Policy --queue-url q")
                .unwrap();
        assert_eq!(command.input["AttributeNames"], json!(["QueueArn", "Policy"]));
        let command = parse("sns tag-resource --resource-arn a --tags Key=k,Value=v Key=l,Value=w");
        let tags = json!([{"Key": "k", "Value": "v"}, {"Key": "l", "Value": "w"}]);
        assert_eq!(command.unwrap().input["Tags"], tags);
    }

    #[test]
    fn what_is_meant_is_told() {
        for (arguments, said) in [
            ("sqs", "the following arguments are required: operation"),
            ("s3 ls", "s3 is not served here; there are sqs, sns and sts"),
            ("sqs create-que", "did you mean `create-queue`?"),
            ("sqs create-queue", "the following arguments are required: --queue-name"),
            ("sqs delete-queue --queue-ur q", "Unknown options: --queue-ur; did you mean"),
            ("sqs receive-message --queue-url q --wait-time-seconds x", "'--wait-time-seconds'"),
            ("sqs list-queues --output xml", "xml"),
            ("sqs list-queues --max-items many", "'many'"),
            ("sqs list-queues --generate-cli-skeleton", "not known here"),
        ] {
            let told = parse(arguments).unwrap_err();
            assert!(told.contains(said), "{told}");
        }
    }
}
