//! SMS: messages to phone numbers, opted-out numbers, settings, and the sandbox.
//!
//! Accounts are out of the sandbox, so they can send to any number. The sandbox's list of numbers is
//! stored nevertheless, for tools that manage it.
//!
//! Source: <https://docs.aws.amazon.com/sns/latest/dg/sns-sms-sandbox.html>

use super::capture::{Captured, keep};
use crate::domain::limits::{OPT_IN_AGAIN_MS, SANDBOX_NUMBERS, SMS_CHARACTERS};
use crate::domain::message_attributes::MessageAttributes;
use crate::domain::sms;
use crate::domain::sns_endpoint::Protocol;
use crate::domain::sns_message::{Published, check_size};
use crate::domain::{Kind, Refusal};
use crate::store::{OptOut, SandboxNumber, Txn};
use indexmap::IndexMap;
use uuid::Uuid;

/// An account and a region.
type Place<'p> = (&'p str, &'p str);

/// Publishes a message to a phone number in E.164 format: captures it for inspection.
///
/// Rejects with OptedOut.
pub fn publish(
    tx: &mut Txn<'_>,
    place: Place<'_>,
    phone_number: &str,
    message: &Published,
) -> Result<Uuid, Refusal> {
    let text = message.text_for(Protocol::Sms.name())?;
    check_size(text.chars().count(), SMS_CHARACTERS)?;
    if is_opted_out(tx, place, phone_number)? {
        return Err(sms::opted_out());
    }
    let message_id = tx.fresh_id();
    keep(tx, place, Protocol::Sms, &Captured::direct(message_id, phone_number, &text, message))?;
    Ok(message_id)
}

/// Returns why a message would not reach the phone number of a subscription, or `None` if it would.
pub fn why_not(
    tx: &mut Txn<'_>,
    place: Place<'_>,
    endpoint: &str,
) -> Result<Option<String>, Refusal> {
    let Some(phone_number) = sms::e164(endpoint) else { return Ok(None) };
    let opted_out = is_opted_out(tx, place, &phone_number)?;
    Ok(opted_out.then(|| format!("{}.", sms::OPTED_OUT)))
}

/// Returns whether a phone number in E.164 format is opted out.
pub fn is_opted_out(
    tx: &mut Txn<'_>,
    place: Place<'_>,
    phone_number: &str,
) -> Result<bool, Refusal> {
    Ok(tx.sms_opt_out(place, phone_number)?.is_some_and(|known| known.opted_out))
}

/// Opts a phone number in E.164 format out, as a reply of STOP does on AWS.
pub fn opt_out(tx: &mut Txn<'_>, place: Place<'_>, phone_number: &str) -> Result<(), Refusal> {
    let opted_in_at = tx.sms_opt_out(place, phone_number)?.and_then(|known| known.opted_in_at);
    let opt_out = OptOut { opted_out: true, opted_in_at };
    Ok(tx.set_sms_opt_out(place, phone_number, opt_out)?)
}

/// Opts a phone number in E.164 format in again. Succeeds if the number is not opted out.
///
/// Rejects with InvalidParameter within 30 days of the previous opt-in.
pub fn opt_in(tx: &mut Txn<'_>, place: Place<'_>, phone_number: &str) -> Result<(), Refusal> {
    let Some(known) = tx.sms_opt_out(place, phone_number)?.filter(|known| known.opted_out) else {
        return Ok(());
    };
    let now = tx.now();
    if known.opted_in_at.is_some_and(|at| now - at < OPT_IN_AGAIN_MS) {
        return Err(Refusal::invalid_parameter_because(
            "PhoneNumber",
            "a phone number can be opted in only once every 30 days",
        ));
    }
    let opt_out = OptOut { opted_out: false, opted_in_at: Some(now) };
    Ok(tx.set_sms_opt_out(place, phone_number, opt_out)?)
}

/// Changes SMS settings.
///
/// Rejects with InvalidParameter, without changing any setting.
pub fn set_attributes(
    tx: &mut Txn<'_>,
    place: Place<'_>,
    given: &IndexMap<String, String>,
) -> Result<(), Refusal> {
    for (name, value) in given {
        sms::check_attribute(name, value)?;
    }
    for (name, value) in given {
        tx.set_sms_attribute(place, name, value)?;
    }
    Ok(())
}

/// Adds a phone number to the sandbox and sends it a one-time password, or sends another password. A
/// verified number stays verified.
///
/// Rejects with OptedOut, or with UserError if there are too many numbers.
pub fn create_sandbox_number(
    tx: &mut Txn<'_>,
    place: Place<'_>,
    phone_number: &str,
) -> Result<(), Refusal> {
    if let Some(number) = sms::e164(phone_number)
        && is_opted_out(tx, place, &number)?
    {
        return Err(sms::opted_out());
    }
    let known = tx.sandbox_number(place, phone_number)?;
    let numbers = tx.sandbox_numbers_after(place, "", SANDBOX_NUMBERS)?;
    if known.is_none() && numbers.len() as i64 == SANDBOX_NUMBERS {
        return Err(Refusal::new(
            Kind::UserError,
            format!("The SMS sandbox already has {SANDBOX_NUMBERS} phone numbers."),
        ));
    }
    let one_time_password = format!("{:06}", tx.fresh_id().as_u128() % 1_000_000);
    let number = SandboxNumber {
        phone_number: phone_number.to_owned(),
        verified: known.is_some_and(|known| known.verified),
        one_time_password,
    };
    tx.set_sandbox_number(place, &number)?;
    let message_id = tx.fresh_id();
    let captured = Captured {
        message_id,
        topic_arn: None,
        subscription_arn: None,
        target: phone_number,
        subject: None,
        message: &format!("Your one-time password is {}.", number.one_time_password),
        structured: false,
        attributes: &MessageAttributes::new(),
    };
    keep(tx, place, Protocol::Sms, &captured)
}

/// Verifies a phone number of the sandbox by its one-time password.
///
/// Rejects with ResourceNotFound, or with VerificationFailed if the password is wrong.
pub fn verify_sandbox_number(
    tx: &mut Txn<'_>,
    place: Place<'_>,
    phone_number: &str,
    one_time_password: &str,
) -> Result<(), Refusal> {
    let mut number = find_sandbox_number(tx, place, phone_number)?;
    if number.one_time_password != one_time_password {
        return Err(Refusal::new(
            Kind::VerificationFailed,
            "The one-time password is not the one that was sent.",
        ));
    }
    number.verified = true;
    Ok(tx.set_sandbox_number(place, &number)?)
}

/// Removes a phone number from the sandbox, at once. AWS requires a day to pass for a verified one.
///
/// Rejects with ResourceNotFound.
pub fn delete_sandbox_number(
    tx: &mut Txn<'_>,
    place: Place<'_>,
    phone_number: &str,
) -> Result<(), Refusal> {
    find_sandbox_number(tx, place, phone_number)?;
    Ok(tx.delete_sandbox_number(place, phone_number)?)
}

fn find_sandbox_number(
    tx: &mut Txn<'_>,
    place: Place<'_>,
    phone_number: &str,
) -> Result<SandboxNumber, Refusal> {
    tx.sandbox_number(place, phone_number)?.ok_or_else(|| {
        Refusal::new(Kind::ResourceNotFound, "The phone number is not in the SMS sandbox.")
    })
}
