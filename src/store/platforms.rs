//! Platform applications and their endpoints.

use super::{Error, Txn};
use crate::domain::platform::{
    ApplicationAddress, ApplicationAttributes, EndpointAddress, EndpointAttributes,
};
use uuid::Uuid;

/// A platform application that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformApplication {
    /// Never used again.
    pub id: i64,
    /// Account, region, platform and name.
    pub address: ApplicationAddress,
    /// Attributes.
    pub attributes: ApplicationAttributes,
}

/// An endpoint that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformEndpoint {
    /// Grows with every endpoint.
    pub id: i64,
    /// Id of its application.
    pub application: i64,
    /// Names the endpoint in its ARN.
    pub uuid: Uuid,
    /// Attributes, the token among them.
    pub attributes: EndpointAttributes,
}

impl PlatformEndpoint {
    /// Its address as one of an application.
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
    /// The application of this name.
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

    /// Applications of an account and region in the order of platforms and names, those after one.
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

    /// Removes an application's row; its endpoints go in pages.
    pub fn delete_platform_application_row(&mut self, id: i64) -> Result<(), Error> {
        self.run("DELETE FROM platform_applications WHERE id = ?1", params![id])?;
        self.run("INSERT INTO discarded_applications (id) VALUES (?1)", params![id])
    }

    /// A deleted application that may still have endpoints.
    pub fn discarded_application(&mut self) -> Result<Option<i64>, Error> {
        self.one("SELECT id FROM discarded_applications ORDER BY id LIMIT 1", &[])
    }

    /// Forgets a deleted application that has nothing left.
    pub fn forget_discarded_application(&mut self, id: i64) -> Result<(), Error> {
        self.run("DELETE FROM discarded_applications WHERE id = ?1", params![id])
    }

    /// Removes up to `limit` endpoints of an application. Returns how many.
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

    /// The endpoint of this UUID, perhaps of an application that is no longer there.
    pub fn platform_endpoint(&mut self, uuid: &Uuid) -> Result<Option<PlatformEndpoint>, Error> {
        self.one(select_endpoint!("WHERE uuid = ?1"), params![uuid])
    }

    /// The endpoint of an application that has this token.
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

    /// Endpoints of an application in the order in which they were made, those after an id.
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
