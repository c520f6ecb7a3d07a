//! GetEndpointAttributes.
//!
//! AWS: API_GetEndpointAttributes.

use super::shapes::Attributes;
use super::shapes::required;
use crate::api::prelude::*;
use crate::engine::platform;

/// The input of GetEndpointAttributes.
#[apply(input)]
pub struct Input {
    pub endpoint_arn: Option<String>,
}

/// Returns the attributes of an endpoint.
pub async fn get_endpoint_attributes(cx: &Context, input: Input) -> Result<Attributes, Refusal> {
    let arn = required(input.endpoint_arn, "endpointArn")?;
    let endpoint = cx.endpoint("EndpointArn", &arn)?;
    let endpoint = endpoint.ok_or_else(|| Refusal::not_found("Endpoint"))?;
    let endpoint = cx.run(move |tx, _| platform::find_endpoint(tx, &endpoint)).await?;
    Ok(Attributes { attributes: endpoint.attributes.shown() })
}
