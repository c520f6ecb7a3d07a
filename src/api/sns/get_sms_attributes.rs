//! GetSMSAttributes.
//!
//! AWS: API_GetSMSAttributes. Shown is what was set, and the spend limit that every account begins
//! with. Nothing is spent, so no limit is ever reached.

use crate::api::prelude::*;

/// US dollars a month, until SetSMSAttributes says otherwise.
const SPEND_LIMIT: &str = "1";

/// The input of GetSMSAttributes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    pub attributes: Option<Vec<String>>,
}

/// The output of GetSMSAttributes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    pub attributes: IndexMap<String, String>,
}

/// Returns the SMS settings of the caller's account: the requested ones, or all.
pub async fn get_sms_attributes(cx: &Context, input: Input) -> Result<Output, Refusal> {
    let mut attributes = cx.run(move |tx, caller| Ok(tx.sms_attributes(caller.place())?)).await?;
    attributes.entry("MonthlySpendLimit".to_owned()).or_insert_with(|| SPEND_LIMIT.to_owned());
    let asked_for = input.attributes.unwrap_or_default();
    if !asked_for.is_empty() {
        attributes.retain(|name, _| asked_for.contains(name));
    }
    Ok(Output { attributes })
}
