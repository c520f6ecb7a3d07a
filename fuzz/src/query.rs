//! Parameters of AWS Query: a line with the query of a URL, and a body.

use super::halves;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use squab::api::{sns, sqs};
use squab::wire::form::{MAX_PARAMETERS, Params};
use squab::wire::query::decode;

/// What has been decoded says the same when it is encoded and decoded again, and becomes the input
/// of an operation or is refused.
pub fn target(input: &[u8]) {
    let (query, body) = halves(input);
    let Ok(params) = Params::parse(std::str::from_utf8(query).ok(), body) else { return };
    let pairs: Vec<(&str, &str)> = params.iter().collect();
    assert!(pairs.len() <= MAX_PARAMETERS);
    let escape = |text: &str| percent_encode(text.as_bytes(), NON_ALPHANUMERIC).to_string();
    let encoded: Vec<_> =
        pairs.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    let again = Params::parse(None, encoded.join("&").as_bytes()).unwrap();
    assert_eq!(again.iter().collect::<Vec<_>>(), pairs);
    for (name, _) in &pairs {
        let first = pairs.iter().find(|(other, _)| other == name).unwrap().1;
        assert_eq!(params.get(name), Some(first));
        if pairs.len() > 100 {
            break;
        }
    }

    let queue_names = &sqs::dialect::SQS;
    drop(decode::<sqs::send_message::BatchInput>(&params, queue_names, "SendMessageBatch"));
    drop(decode::<sqs::send_message::Message>(&params, queue_names, "SendMessage"));
    drop(decode::<sqs::create_queue::Input>(&params, queue_names, "CreateQueue"));
    drop(decode::<sqs::receive_message::Input>(&params, queue_names, "ReceiveMessage"));
    let topic_names = &sns::dialect::SNS;
    drop(decode::<sns::publish::BatchInput>(&params, topic_names, "PublishBatch"));
    drop(decode::<sns::subscribe::Input>(&params, topic_names, "Subscribe"));
    drop(decode::<sns::create_topic::Input>(&params, topic_names, "CreateTopic"));
}
