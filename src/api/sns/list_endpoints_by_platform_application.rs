//! ListEndpointsByPlatformApplication.
//!
//! AWS: API_ListEndpointsByPlatformApplication. A hundred a page, the oldest first.

use super::shapes::{page, read_number_token, required};
use crate::api::prelude::*;
use crate::domain::limits::SNS_PAGE;
use crate::engine::platform;

/// The input of ListEndpointsByPlatformApplication.
#[apply(input)]
pub struct Input {
    pub platform_application_arn: Option<String>,
    pub next_token: Option<String>,
}

/// The output of ListEndpointsByPlatformApplication.
#[apply(output)]
pub struct Output {
    pub endpoints: Vec<Endpoint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// An element of the list.
#[apply(output)]
pub struct Endpoint {
    pub endpoint_arn: String,
    pub attributes: IndexMap<String, String>,
}

/// Lists the endpoints of an application.
pub async fn list_endpoints_by_platform_application(
    cx: &Context,
    input: Input,
) -> Result<Output, Refusal> {
    let arn = required(input.platform_application_arn, "platformApplicationArn")?;
    let address = cx.application(&arn)?;
    let after = read_number_token(input.next_token.as_deref())?;
    let (application, endpoints) = cx
        .run(move |tx, _| {
            let application = platform::find_application(tx, &address)?;
            let endpoints = tx.platform_endpoints_after(application.id, after, SNS_PAGE + 1)?;
            Ok((application.address, endpoints))
        })
        .await?;
    let (endpoints, next_token) = page(endpoints, SNS_PAGE, |last| last.id);
    Ok(Output {
        next_token,
        endpoints: endpoints
            .iter()
            .map(|endpoint| Endpoint {
                endpoint_arn: endpoint.address(&application).arn(),
                attributes: endpoint.attributes.shown(),
            })
            .collect(),
    })
}
