//! SetSMSAttributes.
//!
//! AWS: API_SetSMSAttributes. An empty value removes a setting.

use super::shapes::{Empty, check_attributes};
use crate::api::Context;
use crate::domain::Refusal;
use crate::engine::sms;
use indexmap::IndexMap;
use serde::Deserialize;

/// The input of SetSMSAttributes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Input {
    pub attributes: Option<IndexMap<String, String>>,
}

/// Changes SMS settings of the caller's account.
pub async fn set_sms_attributes(cx: &Context, input: Input) -> Result<Empty, Refusal> {
    let attributes = input.attributes.unwrap_or_default();
    check_attributes(&attributes)?;
    let place = (cx.account.clone(), cx.region.clone());
    cx.runtime.run(move |tx| sms::set_attributes(tx, (&place.0, &place.1), &attributes)).await?;
    Ok(Empty {})
}
