//! Bodies of AWS JSON.

use serde_json::Value;
use squab::api::sqs;
use squab::wire::json::decode;
use std::fmt::Debug;

/// A body becomes the input of an operation or is refused, and the same body written anew means
/// the same.
pub fn target(body: &[u8]) {
    let anew = serde_json::from_slice::<Value>(body).ok().map(|value| value.to_string());
    let anew = anew.as_deref().map(str::as_bytes);
    means_the_same::<sqs::send_message::BatchInput>(body, anew);
    means_the_same::<sqs::send_message::Message>(body, anew);
    means_the_same::<sqs::create_queue::Input>(body, anew);
    means_the_same::<sqs::set_queue_attributes::Input>(body, anew);
    means_the_same::<sqs::receive_message::Input>(body, anew);
    means_the_same::<sqs::delete_message::BatchInput>(body, anew);
    means_the_same::<sqs::add_permission::Input>(body, anew);
}

fn means_the_same<T: serde::de::DeserializeOwned + Debug>(body: &[u8], anew: Option<&[u8]>) {
    let Ok(input) = decode::<T>(body) else { return };
    // Members that nobody knows may hold numbers that no reader of numbers takes.
    let Some(anew) = anew else { return };
    assert_eq!(format!("{:?}", decode::<T>(anew).unwrap()), format!("{input:?}"));
}
