//! SetPlatformApplicationAttributes.
//!
//! AWS: API_SetPlatformApplicationAttributes.

use super::shapes::{check_attributes, required};
use crate::api::prelude::*;
use crate::engine::platform;

/// The input of SetPlatformApplicationAttributes. It has no text form: there are credentials in it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Input {
    pub platform_application_arn: Option<String>,
    pub attributes: Option<IndexMap<String, String>>,
}

/// Changes attributes of an application. The form of the ARN is looked at before the attributes.
pub async fn set_platform_application_attributes(
    cx: &Context,
    input: Input,
) -> Result<(), Refusal> {
    let arn = required(input.platform_application_arn, "platformApplicationArn")?;
    let address = cx.application(&arn)?;
    let attributes = input.attributes.unwrap_or_default();
    check_attributes(&attributes)?;
    cx.run(move |tx, _| platform::set_application_attributes(tx, &address, &attributes)).await
}
