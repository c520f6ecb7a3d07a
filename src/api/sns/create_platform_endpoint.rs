//! CreatePlatformEndpoint.
//!
//! AWS: API_CreatePlatformEndpoint.

use super::shapes::require;
use crate::api::prelude::*;
use crate::domain::platform::EndpointAttributes;
use crate::engine::platform;

/// The input of CreatePlatformEndpoint.
#[apply(input)]
pub struct Input {
    pub platform_application_arn: Option<String>,
    pub token: Option<String>,
    pub custom_user_data: Option<String>,
    pub attributes: Option<IndexMap<String, String>>,
}

/// The output of CreatePlatformEndpoint.
#[apply(output)]
pub struct Output {
    pub endpoint_arn: String,
}

/// Makes an endpoint for a device, or finds the one that is there.
pub async fn create_platform_endpoint(cx: &Context, input: Input) -> Result<Output, Refusal> {
    require([
        ("platformApplicationArn", input.platform_application_arn.is_some()),
        ("token", input.token.is_some()),
    ])?;
    let address = cx.application(&input.platform_application_arn.unwrap_or_default())?;
    let attributes = EndpointAttributes::create(
        &address.platform,
        &input.token.unwrap_or_default(),
        input.custom_user_data.as_deref(),
        &input.attributes.unwrap_or_default(),
    )?;
    let endpoint =
        cx.run(move |tx, _| platform::create_endpoint(tx, &address, &attributes)).await?;
    Ok(Output { endpoint_arn: endpoint.arn() })
}
