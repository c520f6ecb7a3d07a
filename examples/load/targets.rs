//! What Squab promises of its speed and size, measured in one go.

use crate::{Options, Result};

pub async fn check(_options: &Options) -> Result<()> {
    Err("to come".into())
}
