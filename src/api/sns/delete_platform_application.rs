//! DeletePlatformApplication.
//!
//! AWS: API_DeletePlatformApplication. An application that is not there is no error.

use super::shapes::required;
use crate::api::prelude::*;
use crate::engine::platform;

/// The input of DeletePlatformApplication.
#[apply(input)]
pub struct Input {
    pub platform_application_arn: Option<String>,
}

/// Deletes an application with its endpoints.
pub async fn delete_platform_application(cx: &Context, input: Input) -> Result<(), Refusal> {
    let arn = required(input.platform_application_arn, "platformApplicationArn")?;
    let address = cx.application(&arn)?;
    cx.run(move |tx, _| platform::delete_application(tx, &address)).await
}
