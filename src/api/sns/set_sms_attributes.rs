//! SetSMSAttributes.
//!
//! AWS: API_SetSMSAttributes. An empty value removes a setting.

use super::shapes::{Empty, check_attributes};
use crate::api::prelude::*;
use crate::engine::sms;

/// The input of SetSMSAttributes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    pub attributes: Option<IndexMap<String, String>>,
}

/// Changes SMS settings of the caller's account.
pub async fn set_sms_attributes(cx: &Context, input: Input) -> Result<Empty, Refusal> {
    let attributes = input.attributes.unwrap_or_default();
    check_attributes(&attributes)?;
    cx.run(move |tx, caller| sms::set_attributes(tx, caller.place(), &attributes)).await?;
    Ok(Empty {})
}
