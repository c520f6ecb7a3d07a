//! SetEndpointAttributes.
//!
//! AWS: API_SetEndpointAttributes.

use super::shapes::{check_attributes, required};
use crate::api::Context;
use crate::domain::Refusal;
use crate::engine::platform;
use indexmap::IndexMap;
use serde::Deserialize;

/// The input of SetEndpointAttributes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Input {
    pub endpoint_arn: Option<String>,
    pub attributes: Option<IndexMap<String, String>>,
}

/// Changes attributes of an endpoint.
pub async fn set_endpoint_attributes(cx: &Context, input: Input) -> Result<(), Refusal> {
    let arn = required(input.endpoint_arn, "endpointArn")?;
    let endpoint = cx.endpoint("EndpointArn", &arn)?;
    let attributes = input.attributes.unwrap_or_default();
    check_attributes(&attributes)?;
    let endpoint = endpoint.ok_or_else(|| Refusal::not_found("Endpoint"))?;
    cx.runtime.run(move |tx| platform::set_endpoint_attributes(tx, &endpoint, &attributes)).await
}
