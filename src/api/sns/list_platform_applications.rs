//! ListPlatformApplications.
//!
//! AWS: API_ListPlatformApplications. A hundred a page, in the order of platforms and names.

use super::shapes::{bad_next_token, page, read_next_token};
use crate::api::prelude::*;
use crate::domain::limits::SNS_PAGE;

/// The input of ListPlatformApplications.
#[apply(input)]
pub struct Input {
    pub next_token: Option<String>,
}

/// The output of ListPlatformApplications.
#[apply(output)]
pub struct Output {
    pub platform_applications: Vec<PlatformApplication>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// An element of the list.
#[apply(output)]
pub struct PlatformApplication {
    pub platform_application_arn: String,
    pub attributes: IndexMap<String, String>,
}

/// Lists the applications of the caller's account and region.
pub async fn list_platform_applications(cx: &Context, input: Input) -> Result<Output, Refusal> {
    let after = read_next_token(input.next_token.as_deref())?;
    let after = match &after {
        None => ("", ""),
        Some(after) => after.split_once('/').ok_or_else(bad_next_token)?,
    };
    let after = (after.0.to_owned(), after.1.to_owned());
    let applications = cx
        .run(move |tx, caller| {
            let after = (after.0.as_str(), after.1.as_str());
            Ok(tx.platform_applications_after(
                &caller.account,
                &caller.region,
                after,
                SNS_PAGE + 1,
            )?)
        })
        .await?;
    let (applications, next_token) = page(applications, SNS_PAGE, |last| {
        format!("{}/{}", last.address.platform, last.address.name)
    });
    Ok(Output {
        next_token,
        platform_applications: applications
            .iter()
            .map(|application| PlatformApplication {
                platform_application_arn: application.address.arn(),
                attributes: application.attributes.shown(),
            })
            .collect(),
    })
}
