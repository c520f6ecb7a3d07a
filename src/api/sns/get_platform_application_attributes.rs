//! GetPlatformApplicationAttributes.
//!
//! AWS: API_GetPlatformApplicationAttributes. Credentials are never shown.

use super::shapes::Attributes;
use super::shapes::required;
use crate::api::prelude::*;
use crate::engine::platform;

/// The input of GetPlatformApplicationAttributes.
#[apply(input)]
pub struct Input {
    pub platform_application_arn: Option<String>,
}

/// Returns the attributes of an application.
pub async fn get_platform_application_attributes(
    cx: &Context,
    input: Input,
) -> Result<Attributes, Refusal> {
    let arn = required(input.platform_application_arn, "platformApplicationArn")?;
    let address = cx.application(&arn)?;
    let application = cx.run(move |tx, _| platform::find_application(tx, &address)).await?;
    Ok(Attributes { attributes: application.attributes.shown() })
}
