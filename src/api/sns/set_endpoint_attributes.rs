//! SetEndpointAttributes.
//!
//! AWS: API_SetEndpointAttributes.

use super::shapes::{check_attributes, required};
use crate::api::prelude::*;
use crate::engine::platform;

/// The input of SetEndpointAttributes.
#[apply(input)]
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
    cx.run(move |tx, _| platform::set_endpoint_attributes(tx, &endpoint, &attributes)).await
}
