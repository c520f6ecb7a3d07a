//! Platform applications and their endpoints.

use super::driver::Row;
use super::topics::{from_json, to_json};
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

fn read_application(row: &dyn Row) -> Result<PlatformApplication, Error> {
    Ok(PlatformApplication {
        id: row.i64(0)?,
        address: ApplicationAddress {
            account: row.string(1)?,
            region: row.string(2)?,
            platform: row.string(3)?,
            name: row.string(4)?,
        },
        attributes: from_json(row.text(5)?)?,
    })
}

fn read_endpoint(row: &dyn Row) -> Result<PlatformEndpoint, Error> {
    Ok(PlatformEndpoint {
        id: row.i64(0)?,
        application: row.i64(1)?,
        uuid: row.uuid(2)?,
        attributes: EndpointAttributes { token: row.string(3)?, others: from_json(row.text(4)?)? },
    })
}

impl Txn<'_> {
    /// Returns the application of this name.
    pub fn platform_application(
        &mut self,
        address: &ApplicationAddress,
    ) -> Result<Option<PlatformApplication>, Error> {
        self.one(
            "SELECT id, account, region, platform, name, attributes FROM platform_applications \
             WHERE account = ?1 AND region = ?2 AND platform = ?3 AND name = ?4",
            &[
                (&address.account).into(),
                (&address.region).into(),
                (&address.platform).into(),
                (&address.name).into(),
            ],
            read_application,
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
            "SELECT id, account, region, platform, name, attributes FROM platform_applications \
             WHERE account = ?1 AND region = ?2 AND (platform, name) > (?3, ?4) \
             ORDER BY platform, name LIMIT ?5",
            &[account.into(), region.into(), platform.into(), name.into(), limit.into()],
            read_application,
        )
    }

    /// Adds an application.
    pub fn insert_platform_application(
        &mut self,
        application: &PlatformApplication,
    ) -> Result<(), Error> {
        let attributes = to_json(&application.attributes)?;
        self.execute(
            "INSERT INTO platform_applications (id, account, region, platform, name, attributes) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            &[
                application.id.into(),
                (&application.address.account).into(),
                (&application.address.region).into(),
                (&application.address.platform).into(),
                (&application.address.name).into(),
                (&attributes).into(),
            ],
        )?;
        Ok(())
    }

    /// Writes the attributes of an application.
    pub fn update_platform_application(
        &mut self,
        application: &PlatformApplication,
    ) -> Result<(), Error> {
        let attributes = to_json(&application.attributes)?;
        self.execute(
            "UPDATE platform_applications SET attributes = ?2 WHERE id = ?1",
            &[application.id.into(), (&attributes).into()],
        )?;
        Ok(())
    }

    /// Removes the row of an application; its endpoints are removed in pages.
    pub fn delete_platform_application_row(&mut self, id: i64) -> Result<(), Error> {
        self.execute("DELETE FROM platform_applications WHERE id = ?1", &[id.into()])?;
        self.execute("INSERT INTO discarded_applications (id) VALUES (?1)", &[id.into()])?;
        Ok(())
    }

    /// Returns a deleted application that may still have endpoints.
    pub fn discarded_application(&mut self) -> Result<Option<i64>, Error> {
        self.one("SELECT id FROM discarded_applications ORDER BY id LIMIT 1", &[], |row| row.i64(0))
    }

    /// Forgets a deleted application without endpoints.
    pub fn forget_discarded_application(&mut self, id: i64) -> Result<(), Error> {
        self.execute("DELETE FROM discarded_applications WHERE id = ?1", &[id.into()])?;
        Ok(())
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
            &[application.into(), limit.into()],
        )
    }

    /// Returns the endpoint of this UUID, whose application may no longer exist.
    pub fn platform_endpoint(&mut self, uuid: &Uuid) -> Result<Option<PlatformEndpoint>, Error> {
        self.one(
            "SELECT id, application, uuid, token, attributes FROM platform_endpoints \
             WHERE uuid = ?1",
            &[uuid.into()],
            read_endpoint,
        )
    }

    /// Returns the endpoint of an application with this token.
    pub fn platform_endpoint_of_token(
        &mut self,
        application: i64,
        token: &str,
    ) -> Result<Option<PlatformEndpoint>, Error> {
        self.one(
            "SELECT id, application, uuid, token, attributes FROM platform_endpoints \
             WHERE application = ?1 AND token = ?2",
            &[application.into(), token.into()],
            read_endpoint,
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
            "SELECT id, application, uuid, token, attributes FROM platform_endpoints \
             WHERE application = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
            &[application.into(), after.into(), limit.into()],
            read_endpoint,
        )
    }

    /// Adds an endpoint.
    pub fn insert_platform_endpoint(&mut self, endpoint: &PlatformEndpoint) -> Result<(), Error> {
        let attributes = to_json(&endpoint.attributes.others)?;
        self.execute(
            "INSERT INTO platform_endpoints (id, application, uuid, token, attributes) \
             VALUES (?1, ?2, ?3, ?4, ?5)",
            &[
                endpoint.id.into(),
                endpoint.application.into(),
                (&endpoint.uuid).into(),
                (&endpoint.attributes.token).into(),
                (&attributes).into(),
            ],
        )?;
        Ok(())
    }

    /// Writes the attributes of an endpoint.
    pub fn update_platform_endpoint(&mut self, endpoint: &PlatformEndpoint) -> Result<(), Error> {
        let attributes = to_json(&endpoint.attributes.others)?;
        self.execute(
            "UPDATE platform_endpoints SET token = ?2, attributes = ?3 WHERE id = ?1",
            &[endpoint.id.into(), (&endpoint.attributes.token).into(), (&attributes).into()],
        )?;
        Ok(())
    }

    /// Removes an endpoint.
    pub fn delete_platform_endpoint(&mut self, id: i64) -> Result<(), Error> {
        self.execute("DELETE FROM platform_endpoints WHERE id = ?1", &[id.into()])?;
        Ok(())
    }
}
