//! CreatePlatformApplication.
//!
//! AWS: API_CreatePlatformApplication. Credentials are not verified: there is no push service to try them with.

use super::shapes::require;
use crate::api::prelude::*;
use crate::domain::platform::{
    ApplicationAddress, ApplicationAttributes, check_application_name, check_platform,
};
use crate::engine::platform;

/// The input of CreatePlatformApplication. It has no text form: there are credentials in it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Input {
    pub name: Option<String>,
    pub platform: Option<String>,
    pub attributes: Option<IndexMap<String, String>>,
}

/// The output of CreatePlatformApplication.
#[apply(output)]
pub struct Output {
    pub platform_application_arn: String,
}

/// Makes an application for a push service, or finds the one that is there.
pub async fn create_platform_application(cx: &Context, input: Input) -> Result<Output, Refusal> {
    let attributes = input.attributes.unwrap_or_default();
    require([
        ("name", input.name.is_some()),
        ("platform", input.platform.is_some()),
        ("attributes", !attributes.is_empty()),
    ])?;
    let name = input.name.unwrap_or_default();
    let platform = input.platform.unwrap_or_default();
    check_application_name(&name)?;
    check_platform(&platform)?;
    let attributes = ApplicationAttributes::create(&platform, &attributes)?;
    let (account, region) = (cx.caller.account.clone(), cx.caller.region.clone());
    let address = ApplicationAddress { account, region, platform, name };
    let platform_application_arn = address.arn();
    cx.run(move |tx, _| platform::create_application(tx, &address, &attributes)).await?;
    Ok(Output { platform_application_arn })
}
