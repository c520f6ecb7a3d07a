//! Platform applications and their endpoints.

use super::{Error, Txn};
use crate::domain::platform::{
    ApplicationAddress, ApplicationAttributes, EndpointAddress, EndpointAttributes,
};
use uuid::Uuid;

/// A platform application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformApplication {
    /// ID, never reused.
    pub id: i64,
    /// Account, region, platform and name.
    pub address: ApplicationAddress,
    /// Attributes.
    pub attributes: ApplicationAttributes,
}

/// An endpoint of a platform application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformEndpoint {
    /// Grows with every endpoint.
    pub id: i64,
    /// Id of its application.
    pub application: i64,
    /// The last part of its ARN.
    pub uuid: Uuid,
    /// Attributes, including the token.
    pub attributes: EndpointAttributes,
}

impl PlatformEndpoint {
    /// Returns its address, as an endpoint of this application.
    pub fn address(&self, application: &ApplicationAddress) -> EndpointAddress {
        EndpointAddress { application: application.clone(), id: self.uuid }
    }
}

row! {
    ($ select_application) PlatformApplication in "platform_applications" {
        id, address: "account" "region" "platform" "name"
    }
    changing { attributes }
}

row! {
    ($ select_endpoint) PlatformEndpoint in "platform_endpoints" { id, application, uuid }
    changing { attributes: "token" "attributes" }
}

impl Txn<'_> {
    /// Returns the application of this name.
    pub fn platform_application(
        &mut self,
        address: &ApplicationAddress,
    ) -> Result<Option<PlatformApplication>, Error> {
        let ApplicationAddress { account, region, platform, name } = address;
        self.one(
            select_application!(
                "WHERE account = ?1 AND region = ?2 AND platform = ?3 AND name = ?4"
            ),
            params![account, region, platform, name],
        )
    }

    /// Returns the applications of an account and region after one, ordered by platform and name.
    pub fn platform_applications_after(
        &mut self,
        account: &str,
        region: &str,
        (platform, name): (&str, &str),
        limit: i64,
    ) -> Result<Vec<PlatformApplication>, Error> {
        self.all(
            select_application!(
                "WHERE account = ?1 AND region = ?2 AND (platform, name) > (?3, ?4) \
                 ORDER BY platform, name LIMIT ?5"
            ),
            params![account, region, platform, name, limit],
        )
    }

    /// Adds an application.
    pub fn insert_platform_application(
        &mut self,
        application: &PlatformApplication,
    ) -> Result<(), Error> {
        self.insert(application)
    }

    /// Writes the attributes of an application.
    pub fn update_platform_application(
        &mut self,
        application: &PlatformApplication,
    ) -> Result<(), Error> {
        self.update(application).map(drop)
    }

    /// Removes the row of an application; its endpoints are removed in pages.
    pub fn delete_platform_application_row(&mut self, id: i64) -> Result<(), Error> {
        self.run("DELETE FROM platform_applications WHERE id = ?1", params![id])?;
        self.run("INSERT INTO discarded_applications (id) VALUES (?1)", params![id])
    }

    /// Returns a deleted application that may still have endpoints.
    pub fn discarded_application(&mut self) -> Result<Option<i64>, Error> {
        self.one("SELECT id FROM discarded_applications ORDER BY id LIMIT 1", &[])
    }

    /// Forgets a deleted application without endpoints.
    pub fn forget_discarded_application(&mut self, id: i64) -> Result<(), Error> {
        self.run("DELETE FROM discarded_applications WHERE id = ?1", params![id])
    }

    /// Removes up to `limit` endpoints of an application. Returns their number.
    pub fn delete_endpoints_of_application(
        &mut self,
        application: i64,
        limit: i64,
    ) -> Result<usize, Error> {
        self.execute(
            "DELETE FROM platform_endpoints WHERE id IN (SELECT id FROM platform_endpoints \
             WHERE application = ?1 ORDER BY id LIMIT ?2)",
            params![application, limit],
        )
    }

    /// Returns the endpoint of this UUID, whose application may no longer exist.
    pub fn platform_endpoint(&mut self, uuid: &Uuid) -> Result<Option<PlatformEndpoint>, Error> {
        self.one(select_endpoint!("WHERE uuid = ?1"), params![uuid])
    }

    /// Returns the endpoint of an application with this token.
    pub fn platform_endpoint_of_token(
        &mut self,
        application: i64,
        token: &str,
    ) -> Result<Option<PlatformEndpoint>, Error> {
        self.one(
            select_endpoint!("WHERE application = ?1 AND token = ?2"),
            params![application, token],
        )
    }

    /// Returns the endpoints of an application after an ID, in the order of their creation.
    pub fn platform_endpoints_after(
        &mut self,
        application: i64,
        after: i64,
        limit: i64,
    ) -> Result<Vec<PlatformEndpoint>, Error> {
        self.all(
            select_endpoint!("WHERE application = ?1 AND id > ?2 ORDER BY id LIMIT ?3"),
            params![application, after, limit],
        )
    }

    /// Adds an endpoint.
    pub fn insert_platform_endpoint(&mut self, endpoint: &PlatformEndpoint) -> Result<(), Error> {
        self.insert(endpoint)
    }

    /// Writes the attributes of an endpoint.
    pub fn update_platform_endpoint(&mut self, endpoint: &PlatformEndpoint) -> Result<(), Error> {
        self.update(endpoint).map(drop)
    }

    /// Removes an endpoint.
    pub fn delete_platform_endpoint(&mut self, id: i64) -> Result<(), Error> {
        self.run("DELETE FROM platform_endpoints WHERE id = ?1", params![id])
    }
}
