//! GetDataProtectionPolicy.
//!
//! AWS: API_GetDataProtectionPolicy.

use super::shapes::required;
use crate::api::prelude::*;
use crate::engine::topics;

/// The input of GetDataProtectionPolicy.
#[apply(input)]
pub struct Input {
    pub resource_arn: Option<String>,
}

/// The output of GetDataProtectionPolicy.
#[apply(output)]
pub struct Output {
    pub data_protection_policy: String,
}

/// Returns the data protection policy of a topic, which is empty if it has none.
pub async fn get_data_protection_policy(cx: &Context, input: Input) -> Result<Output, Refusal> {
    let address = cx.topic("ResourceArn", &required(input.resource_arn, "resourceArn")?)?;
    let topic = cx.run(move |tx, caller| topics::find(tx, &caller.access, &address)).await?;
    let policy = topic.attributes.data_protection_policy().unwrap_or_default();
    Ok(Output { data_protection_policy: policy.to_owned() })
}
