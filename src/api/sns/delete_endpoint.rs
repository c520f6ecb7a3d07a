//! DeleteEndpoint.
//!
//! AWS: API_DeleteEndpoint. An endpoint that is not there is no error.

use super::shapes::required;
use crate::api::prelude::*;
use crate::engine::platform;

/// The input of DeleteEndpoint.
#[apply(input)]
pub struct Input {
    pub endpoint_arn: Option<String>,
}

/// Deletes an endpoint.
pub async fn delete_endpoint(cx: &Context, input: Input) -> Result<(), Refusal> {
    let arn = required(input.endpoint_arn, "endpointArn")?;
    let Some(endpoint) = cx.endpoint("EndpointArn", &arn)? else { return Ok(()) };
    cx.run(move |tx, _| platform::delete_endpoint(tx, &endpoint)).await
}
