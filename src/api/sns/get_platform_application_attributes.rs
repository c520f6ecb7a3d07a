//! GetPlatformApplicationAttributes.
//!
//! AWS: API_GetPlatformApplicationAttributes. Credentials are never shown.

use super::shapes::required;
use crate::api::prelude::*;
use crate::engine::platform;

/// The input of GetPlatformApplicationAttributes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Input {
    pub platform_application_arn: Option<String>,
}

/// The output of GetPlatformApplicationAttributes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Output {
    pub attributes: IndexMap<String, String>,
}

/// Tells the attributes of an application.
pub async fn get_platform_application_attributes(
    cx: &Context,
    input: Input,
) -> Result<Output, Refusal> {
    let arn = required(input.platform_application_arn, "platformApplicationArn")?;
    let address = cx.application(&arn)?;
    let application = cx.run(move |tx, _| platform::find_application(tx, &address)).await?;
    Ok(Output { attributes: application.attributes.shown() })
}
