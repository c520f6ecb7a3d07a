//! GetEndpointAttributes.
//!
//! AWS: API_GetEndpointAttributes.

use super::shapes::required;
use crate::api::prelude::*;
use crate::engine::platform;

/// The input of GetEndpointAttributes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Input {
    pub endpoint_arn: Option<String>,
}

/// The output of GetEndpointAttributes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    pub attributes: IndexMap<String, String>,
}

/// Tells the attributes of an endpoint.
pub async fn get_endpoint_attributes(cx: &Context, input: Input) -> Result<Output, Refusal> {
    let arn = required(input.endpoint_arn, "endpointArn")?;
    let endpoint = cx.endpoint("EndpointArn", &arn)?;
    let endpoint = endpoint.ok_or_else(|| Refusal::not_found("Endpoint"))?;
    let endpoint = cx.run(move |tx, _| platform::find_endpoint(tx, &endpoint)).await?;
    Ok(Output { attributes: endpoint.attributes.shown() })
}
