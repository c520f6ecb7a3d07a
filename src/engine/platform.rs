//! Mobile push: platform applications and their endpoints.

use super::PAGE;
use super::capture::{Captured, keep};
use crate::domain::namespace::Namespace;
use crate::domain::platform::{
    ApplicationAddress, ApplicationAttributes, EndpointAddress, EndpointAttributes,
};
use crate::domain::sns_endpoint::Protocol;
use crate::domain::sns_message::Published;
use crate::domain::{Kind, Refusal};
use crate::store::{Effect, PlatformApplication, PlatformEndpoint, Txn};
use indexmap::IndexMap;
use uuid::Uuid;

/// Returns the application at an address. Rejects with NotFound if there is none.
pub fn find_application(
    tx: &mut Txn<'_>,
    address: &ApplicationAddress,
) -> Result<PlatformApplication, Refusal> {
    tx.platform_application(address)?.ok_or_else(|| Refusal::not_found("PlatformApplication"))
}

/// Creates an application. Succeeds if it already exists with attributes that do not contradict the
/// given ones.
pub fn create_application(
    tx: &mut Txn<'_>,
    address: &ApplicationAddress,
    attributes: &ApplicationAttributes,
) -> Result<(), Refusal> {
    if let Some(existing) = tx.platform_application(address)? {
        if existing.attributes.differ_from_given(attributes) {
            return Err(Refusal::invalid_parameter_because(
                "Attributes",
                "An application with the same name but different properties already exists",
            ));
        }
        return Ok(());
    }
    let application = PlatformApplication {
        id: tx.next_sequence()?,
        address: address.clone(),
        attributes: attributes.clone(),
    };
    Ok(tx.insert_platform_application(&application)?)
}

/// Changes attributes of an application.
pub fn set_application_attributes(
    tx: &mut Txn<'_>,
    address: &ApplicationAddress,
    given: &IndexMap<String, String>,
) -> Result<(), Refusal> {
    let mut application = find_application(tx, address)?;
    application.attributes.set(&address.platform, given)?;
    Ok(tx.update_platform_application(&application)?)
}

/// Deletes an application, if it exists. Its endpoints can no longer be found; they are removed in
/// pages.
pub fn delete_application(tx: &mut Txn<'_>, address: &ApplicationAddress) -> Result<(), Refusal> {
    let Some(application) = tx.platform_application(address)? else { return Ok(()) };
    tx.delete_platform_application_row(application.id)?;
    tx.effect(Effect::Work);
    Ok(())
}

/// Removes a page of endpoints of a deleted application. Returns whether there are more.
pub fn empty_discarded(tx: &mut Txn<'_>) -> Result<bool, Refusal> {
    let Some(application) = tx.discarded_application()? else { return Ok(false) };
    if tx.delete_endpoints_of_application(application, PAGE * 5)? == 0 {
        tx.forget_discarded_application(application)?;
    }
    Ok(true)
}

/// Creates an endpoint for a device and returns its address. Returns the existing endpoint if its
/// attributes do not contradict the given ones.
pub fn create_endpoint(
    tx: &mut Txn<'_>,
    address: &ApplicationAddress,
    attributes: &EndpointAttributes,
) -> Result<EndpointAddress, Refusal> {
    let application = find_application(tx, address)?;
    if let Some(existing) = tx.platform_endpoint_of_token(application.id, &attributes.token)? {
        let existing_address = existing.address(address);
        if existing.attributes.differ_from_given(attributes) {
            return Err(token_is_taken(&existing_address));
        }
        return Ok(existing_address);
    }
    let endpoint = PlatformEndpoint {
        id: tx.next_sequence()?,
        application: application.id,
        uuid: tx.fresh_id(),
        attributes: attributes.clone(),
    };
    tx.insert_platform_endpoint(&endpoint)?;
    Ok(endpoint.address(address))
}

/// Clients extract the ARN from this message.
fn token_is_taken(by: &EndpointAddress) -> Refusal {
    Refusal::invalid_parameter_because(
        "Token",
        format_args!(
            "Endpoint {} already exists with the same Token, but different attributes.",
            by.arn()
        ),
    )
}

/// Returns the endpoint at an address. Rejects with NotFound if there is none.
pub fn find_endpoint(
    tx: &mut Txn<'_>,
    address: &EndpointAddress,
) -> Result<PlatformEndpoint, Refusal> {
    let found = existing(tx, address)?;
    found.map(|(_, endpoint)| endpoint).ok_or_else(|| Refusal::not_found("Endpoint"))
}

/// Returns whether there is an endpoint at an address.
pub fn exists(tx: &mut Txn<'_>, address: &EndpointAddress) -> Result<bool, Refusal> {
    Ok(existing(tx, address)?.is_some())
}

fn existing(
    tx: &mut Txn<'_>,
    address: &EndpointAddress,
) -> Result<Option<(PlatformApplication, PlatformEndpoint)>, Refusal> {
    let Some(application) = tx.platform_application(&address.application)? else {
        return Ok(None);
    };
    let endpoint = tx.platform_endpoint(&address.id)?;
    let endpoint = endpoint.filter(|endpoint| endpoint.application == application.id);
    Ok(endpoint.map(|endpoint| (application, endpoint)))
}

/// Changes attributes of an endpoint.
pub fn set_endpoint_attributes(
    tx: &mut Txn<'_>,
    address: &EndpointAddress,
    given: &IndexMap<String, String>,
) -> Result<(), Refusal> {
    let mut endpoint = find_endpoint(tx, address)?;
    endpoint.attributes.set(&address.application.platform, given)?;
    let token = &endpoint.attributes.token;
    if let Some(other) = tx.platform_endpoint_of_token(endpoint.application, token)?
        && other.id != endpoint.id
    {
        return Err(token_is_taken(&other.address(&address.application)));
    }
    Ok(tx.update_platform_endpoint(&endpoint)?)
}

/// Deletes an endpoint, if it exists. Its subscriptions stay, as on AWS.
pub fn delete_endpoint(tx: &mut Txn<'_>, address: &EndpointAddress) -> Result<(), Refusal> {
    match existing(tx, address)? {
        None => Ok(()),
        Some((_, endpoint)) => Ok(tx.delete_platform_endpoint(endpoint.id)?),
    }
}

const NO_ENDPOINT: &str = "No endpoint found for the target arn specified";
const ENDPOINT_DISABLED: &str = "Endpoint is disabled";
const APPLICATION_DISABLED: &str = "Platform application is disabled";

/// Returns the error for a target that is not an endpoint.
pub fn no_endpoint() -> Refusal {
    Refusal::invalid_parameter_because("TargetArn", NO_ENDPOINT)
}

/// Returns why an endpoint gets no messages, if so.
fn obstacle(tx: &mut Txn<'_>, address: &EndpointAddress) -> Result<Option<&'static str>, Refusal> {
    Ok(match existing(tx, address)? {
        None => Some(NO_ENDPOINT),
        Some((application, _)) if !application.attributes.is_enabled() => {
            Some(APPLICATION_DISABLED)
        }
        Some((_, endpoint)) if !endpoint.attributes.is_enabled() => Some(ENDPOINT_DISABLED),
        Some(_) => None,
    })
}

/// Returns why a message would not reach an endpoint, or `None` if it would.
pub fn why_not(tx: &mut Txn<'_>, endpoint_arn: &str) -> Result<Option<String>, Refusal> {
    let obstacle = match EndpointAddress::read(endpoint_arn) {
        Some(address) => obstacle(tx, &address)?,
        None => Some(NO_ENDPOINT),
    };
    Ok(obstacle.map(|reason| format!("{reason}.")))
}

/// Publishes a message to an endpoint: captures it for inspection.
///
/// Rejects with InvalidParameter, EndpointDisabled or PlatformApplicationDisabled.
pub fn publish(
    tx: &mut Txn<'_>,
    address: &EndpointAddress,
    message: &Published,
) -> Result<Uuid, Refusal> {
    match obstacle(tx, address)? {
        None => {}
        Some(ENDPOINT_DISABLED) => {
            return Err(Refusal::new(Kind::EndpointDisabled, ENDPOINT_DISABLED));
        }
        Some(APPLICATION_DISABLED) => {
            return Err(Refusal::new(Kind::PlatformApplicationDisabled, APPLICATION_DISABLED));
        }
        Some(_) => return Err(no_endpoint()),
    }
    let ApplicationAddress { account, region, platform, .. } = &address.application;
    let namespace = Namespace::new(account, region);
    let (message_id, arn) = (tx.fresh_id(), address.arn());
    let text = message.text_for(platform)?;
    let captured = Captured::direct(message_id, &arn, &text, message);
    keep(tx, namespace, Protocol::Application, &captured)?;
    Ok(message_id)
}
