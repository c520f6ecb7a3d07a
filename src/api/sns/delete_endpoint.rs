//! DeleteEndpoint.
//!
//! AWS: API_DeleteEndpoint. An endpoint that is not there is no error.

use super::shapes::required;
use crate::api::Context;
use crate::domain::Refusal;
use crate::engine::platform;
use serde::Deserialize;

/// The input of DeleteEndpoint.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Input {
    pub endpoint_arn: Option<String>,
}

/// Deletes an endpoint.
pub async fn delete_endpoint(cx: &Context, input: Input) -> Result<(), Refusal> {
    let arn = required(input.endpoint_arn, "endpointArn")?;
    let Some(endpoint) = cx.endpoint("EndpointArn", &arn)? else { return Ok(()) };
    cx.runtime.run(move |tx| platform::delete_endpoint(tx, &endpoint)).await
}
