//! The command line of the AWS CLI: options for every command, then service, operation, and
//! parameters made from the members of its input.

use std::collections::HashMap;

use serde_json::Value;

use super::model::{self, Kind, Member, Operation};
use super::output::Format;
use super::{Failure, Input, shorthand};

/// The least similarity of a suggested name.
const SIMILAR: f64 = 0.8;

/// Options of every command that take a value. Those that no code below reads have no effect here.
const WITH_VALUE: [&str; 15] = [
    "--endpoint-url",
    "--region",
    "--output",
    "--query",
    "--profile",
    "--cli-input-json",
    "--cli-binary-format",
    "--max-items",
    "--starting-token",
    "--page-size",
    "--ca-bundle",
    "--color",
    "--cli-read-timeout",
    "--cli-connect-timeout",
    "--cli-error-format",
];
/// Options of every command that take no value.
const WITHOUT_VALUE: [&str; 7] = [
    "--no-paginate",
    "--no-verify-ssl",
    "--no-sign-request",
    "--no-cli-pager",
    "--debug",
    "--no-cli-auto-prompt",
    "--cli-auto-prompt",
];
/// Options with which the AWS CLI does something other than a call; they are rejected here.
const INSTEAD_OF_A_CALL: [&str; 2] = ["--generate-cli-skeleton", "--cli-input-yaml"];
/// The value of `--cli-binary-format` for bytes that are not in base64.
const RAW: &str = "raw-in-base64-out";

/// A request for something other than a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Version,
    Help,
    /// `configure` and what follows it.
    Configure,
}

/// Returns the words and options before the first parameter, where such a request must be.
/// Everything later is a value.
pub(super) fn wish(arguments: &[String]) -> Option<Wish> {
    let mut words = 0;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let (option, has_value) = match argument.split_once('=') {
            Some((option, _)) => (option, true),
            None => (argument.as_str(), false),
        };
        match option {
            "--version" => return Some(Wish::Version),
            "help" | "--help" => return Some(Wish::Help),
            "configure" if words == 0 => return Some(Wish::Configure),
            _ if !option.starts_with("--") => words += 1,
            _ => match global(option, None) {
                Some(name) if WITH_VALUE.contains(&name) && !has_value => drop(rest.next()),
                Some(_) => {}
                None => return None,
            },
        }
    }
    None
}

/// Returns the option of every command that an argument means: by its name, or by an unambiguous
/// prefix that is not a parameter of the operation.
fn global(option: &str, operation: Option<&Operation>) -> Option<&'static str> {
    let all = || WITH_VALUE.iter().chain(&WITHOUT_VALUE).chain(&INSTEAD_OF_A_CALL).copied();
    if let Some(exact) = all().find(|known| *known == option) {
        return Some(exact);
    }
    if operation.is_some_and(|operation| operation.member(&option[2..]).is_some()) {
        return None;
    }
    only(all().filter(|known| known.starts_with(option) && option.len() > "--".len()))
}

/// Returns the only item, if there is exactly one.
fn only<T>(mut found: impl Iterator<Item = T>) -> Option<T> {
    found.next().filter(|_| found.next().is_none())
}

/// A parsed call.
#[derive(Debug)]
pub(super) struct CommandLine {
    pub operation: Operation,
    pub input: Input,
    pub endpoint_url: Option<String>,
    pub region: Option<String>,
    /// The name of the profile in the files of the AWS CLI.
    pub profile: Option<String>,
    /// The region, if it is given.
    pub output: Option<Format>,
    pub query: Option<String>,
    pub paginate: bool,
    /// The number of items to return from a list.
    pub max_items: Option<usize>,
    /// The token at which a list begins.
    pub starting_token: Option<String>,
    /// The number of items that one call requests.
    pub page_size: Option<usize>,
    /// A file with the certificate authorities that an https endpoint is verified against.
    pub ca_bundle: Option<String>,
    /// Whether the certificate of the endpoint is verified.
    pub verify: bool,
    /// Whether the call is signed.
    pub sign: bool,
}

impl CommandLine {
    pub fn parse(
        arguments: &[String],
        variables: &HashMap<String, String>,
    ) -> Result<Self, Failure> {
        let mut words: Vec<String> = Vec::new();
        let mut parameters: Vec<(String, Vec<String>)> = Vec::new();
        let mut global_options: HashMap<&str, String> = HashMap::new();
        let mut named = None;
        let mut rest = arguments.iter().peekable();
        while let Some(argument) = rest.next() {
            if !argument.starts_with("--") {
                match parameters.last_mut() {
                    Some((_, values)) if words.len() == 2 => values.push(argument.clone()),
                    _ => words.push(argument.clone()),
                }
                if let [service, command] = &words[..] {
                    named = model::find(service, command);
                }
                continue;
            }
            let (option, inline) = match argument.split_once('=') {
                Some((option, value)) => (option, Some(value.to_owned())),
                None => (argument.as_str(), None),
            };
            match global(option, named.as_ref()) {
                Some(other) if INSTEAD_OF_A_CALL.contains(&other) => {
                    return Err(Failure::unusable(format_args!(
                        "argument {other} is not known here"
                    )));
                }
                Some(known) if WITH_VALUE.contains(&known) => {
                    let value = inline.or_else(|| rest.next().cloned()).ok_or_else(|| {
                        Failure::unusable(format_args!("argument {known}: expected one argument"))
                    })?;
                    global_options.insert(known, value);
                }
                Some(known) => drop(global_options.insert(known, String::new())),
                None => {
                    let mut values: Vec<String> = inline.into_iter().collect();
                    // A value may begin with a hyphen, but not with two.
                    while let Some(value) = rest.next_if(|next| !next.starts_with("--")) {
                        values.push(value.clone());
                    }
                    parameters.push((option[2..].to_owned(), values));
                }
            }
        }
        let operation = operation(&words)?;
        let mut input = match global_options.remove("--cli-input-json") {
            None => Input::new(),
            Some(text) => from_json(&operation, &shorthand::content(&text)?)?,
        };
        for (parameter, values) in parameters {
            let (member, is_denied) = member(&operation, &parameter)?;
            let value = value(&parameter, &member.kind, values)?;
            let value = if is_denied { Value::Bool(false) } else { value };
            input.insert(member.name.to_owned(), value);
        }
        let format = global_options.remove("--cli-binary-format");
        if format.as_deref() == Some(RAW) {
            for member in &operation.members {
                if let Some(value) = input.get_mut(member.name) {
                    shorthand::encode_bytes(&member.kind, value);
                }
            }
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
            let Some(text) = global_options.remove(option) else { return Ok(None) };
            text.parse().map(Some).map_err(|_| {
                let reason = format!("invalid literal for int(): '{text}'");
                Failure::unusable(format_args!("argument {option}: {reason}"))
            })
        };
        let (max_items, page_size) = (number("--max-items")?, number("--page-size")?);
        let output = global_options.remove("--output");
        let output = output.as_ref().or_else(|| variables.get("AWS_DEFAULT_OUTPUT"));
        let ca_bundle = global_options.remove("--ca-bundle");
        let is_given = |option: &str| global_options.contains_key(option);
        Ok(Self {
            output: output.map(|name| Format::named(name)).transpose()?,
            operation,
            input,
            paginate: !is_given("--no-paginate"),
            verify: !is_given("--no-verify-ssl"),
            sign: !is_given("--no-sign-request"),
            max_items,
            page_size,
            ca_bundle: ca_bundle.or_else(|| variables.get("AWS_CA_BUNDLE").cloned()),
            endpoint_url: global_options.remove("--endpoint-url"),
            region: global_options.remove("--region"),
            profile: global_options.remove("--profile"),
            query: global_options.remove("--query"),
            starting_token: global_options.remove("--starting-token"),
        })
    }
}

/// Returns the input from `--cli-input-json`.
fn from_json(operation: &Operation, text: &str) -> Result<Input, Failure> {
    let json: Value = serde_json::from_str(text).map_err(|error| {
        let reason = format!("Invalid JSON: {error}\nJSON received: {text}");
        Failure::unusable(format_args!("Error parsing parameter 'cli-input-json': {reason}"))
    })?;
    let input = Kind::Structure(operation.members.clone());
    match shorthand::coerce(&input, json) {
        Ok(Value::Object(input)) => Ok(input),
        Ok(_) => Err(Failure::unusable("--cli-input-json: no JSON object")),
        Err(reason) => {
            Err(Failure::unusable(format_args!("Parameter validation failed:\n{reason}")))
        }
    }
}

/// Returns the member that a parameter means, by its name or an unambiguous prefix, and whether a
/// `no-` prefix makes it false.
fn member<'o>(operation: &'o Operation, parameter: &str) -> Result<(&'o Member, bool), Failure> {
    if let Some(member) = operation.member(parameter) {
        return Ok((member, false));
    }
    let denied = parameter.strip_prefix("no-").and_then(|name| operation.member(name));
    if let Some(member) = denied.filter(|member| member.kind == Kind::Truth) {
        return Ok((member, true));
    }
    let named = |member: &&Member| operation.parameter(member).starts_with(parameter);
    if let Some(member) = only(operation.members.iter().filter(named)) {
        return Ok((member, false));
    }
    let known: Vec<_> =
        operation.members.iter().map(|member| operation.parameter(member)).collect();
    let hint = did_you_mean(parameter, known.iter().map(String::as_str));
    Err(Failure::unusable(format_args!("Unknown options: --{parameter}{hint}")))
}

/// Returns `; did you mean …?` with the most similar name, or nothing if none is similar.
fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let likeness = |candidate: &&str| strsim::jaro_winkler(name, candidate);
    known
        .into_iter()
        .filter(|candidate| likeness(candidate) >= SIMILAR)
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
        .map(|candidate| format!("; did you mean `{candidate}`?"))
        .unwrap_or_default()
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
            "argument command: {service} is not supported; supported services: sqs, sns, sts"
        )));
    }
    model::find(service, command).ok_or_else(|| {
        let known: Vec<_> = model::operations()
            .filter(|operation| operation.service == service)
            .map(|operation| operation.command())
            .collect();
        let hint = did_you_mean(command, known.iter().map(String::as_str));
        Failure::unusable(format_args!(
            "argument operation: {command} is not an operation of {service}{hint}"
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
        // The option needs no value.
        Kind::Truth if values.is_empty() => Ok(true.into()),
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
             --prof p --cli-error-format json --no-sign-request --no-verify-ssl",
        )
        .unwrap();
        assert_eq!(command.operation.name, "SendMessage");
        let input = json!({"QueueUrl": "q", "DelaySeconds": 5, "MessageBody": "a=b"});
        assert_eq!(Value::Object(command.input), input);
        assert_eq!(command.endpoint_url.as_deref(), Some("http://x:1"));
        assert_eq!(command.region.as_deref(), Some("eu-west-1"));
        assert_eq!((command.output, command.query.as_deref()), (Some(Format::Text), Some("X")));
        assert_eq!(command.profile.as_deref(), Some("p"));
        assert!(!command.sign && !command.verify);
        // Scripts of the first version say so.
        let command = parse("--endpoint=http://x:1 sqs list-queues").unwrap();
        assert_eq!(command.endpoint_url.as_deref(), Some("http://x:1"));
    }

    #[test]
    fn parameters_may_be_cut_short_and_truth_needs_no_value() {
        let command = parse("sqs get-queue-attributes --attribute-name All --queue q").unwrap();
        let input = json!({"QueueUrl": "q", "AttributeNames": ["All"]});
        assert_eq!(Value::Object(command.input), input);
        let subscribe = "sns subscribe --topic-arn t --protocol sqs --notification-endpoint e";
        for (said, truth) in [
            ("--return-subscription-arn", true),
            ("--return-subscription-arn --region r", true),
            ("--no-return-subscription-arn", false),
            ("--return-subscription-arn false", false),
        ] {
            let command = parse(&format!("{subscribe} {said}")).unwrap();
            assert_eq!(command.input["ReturnSubscriptionArn"], truth, "{said}");
        }
        // Two begin so.
        assert!(parse("sqs receive-message --queue-url q --m All").is_err());
        assert!(parse("sqs list-queues --no-max-results").is_err());
    }

    #[test]
    fn wishes_stand_before_parameters() {
        let wish = |arguments: &str| {
            let arguments: Vec<_> = arguments.split(' ').map(str::to_owned).collect();
            super::wish(&arguments)
        };
        assert_eq!(wish("--version"), Some(Wish::Version));
        assert_eq!(wish("--region help sqs create-queue help"), Some(Wish::Help));
        assert_eq!(wish("--profile=p configure set region r"), Some(Wish::Configure));
        assert_eq!(wish("sqs send-message --queue-url q --message-body help"), None);
        assert_eq!(wish("sqs send-message --queue-url --version"), None);
    }

    #[test]
    fn bytes_are_base64_unless_they_are_said_to_be_raw() {
        let send = "sqs send-message --queue-url q --message-body b --message-attributes \
                    k={DataType=Binary,BinaryValue=aGk=}";
        let value = |command: CommandLine| {
            command.input["MessageAttributes"]["k"]["BinaryValue"].as_str().unwrap().to_owned()
        };
        assert_eq!(value(parse(send).unwrap()), "aGk=");
        let raw = format!("--cli-binary-format raw-in-base64-out {send}");
        assert_eq!(value(parse(&raw).unwrap()), "YUdrPQ==");
    }

    #[test]
    fn json_for_all_of_the_input_is_held_against_the_operation() {
        let of = |json: &str| {
            let arguments = ["sqs", "list-queues", "--cli-input-json", json].map(str::to_owned);
            CommandLine::parse(&arguments, &HashMap::new()).map_err(|failure| failure.message)
        };
        assert_eq!(of(r#"{"MaxResults": "5"}"#).unwrap().input["MaxResults"], 5);
        let error = of(r#"{"Nope": 1}"#).unwrap_err();
        assert!(error.contains("Unknown parameter: \"Nope\", must be one of:"), "{error}");
        assert!(of("nope").unwrap_err().contains("Invalid JSON"));
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
            ("s3 ls", "s3 is not supported; supported services: sqs, sns, sts"),
            ("sqs create-que", "did you mean `create-queue`?"),
            ("sqs create-queue", "the following arguments are required: --queue-name"),
            ("sqs delete-queue --queue-uri q", "Unknown options: --queue-uri; did you mean"),
            ("sqs receive-message --queue-url q --wait-time-seconds x", "'--wait-time-seconds'"),
            ("sqs list-queues --output xml", "xml"),
            ("sqs list-queues --max-items many", "'many'"),
            ("sqs list-queues --generate-cli-skeleton", "not known here"),
        ] {
            let error = parse(arguments).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
