//! vendor-id.

use serde::Deserialize;

use super::request::{Rehearsal, Request, Row, Wire};
use super::ways::Way;
use crate::log::{self, Event, Level};
use crate::policy::Operation;
use crate::session::Session;
use crate::session::answers::response::Response;
use crate::session::answers::status::Status;

pub(super) const VENDOR_ID: Row = Row {
    operation: Operation::looks("vendor-id"),
    // Announced, it would say what the server is, in the same fields.
    wire: Wire::Unannounced("vendor-id"),
    rehearsal: Rehearsal::Nothing,
};

/// `vendor-id`: what the client is. It is logged, and means nothing more.
///
/// | field                | type   | meaning   |
/// |----------------------|--------|-----------|
/// | vendor-name          | string | any bytes |
/// | product-name         | string | any bytes |
/// | product-version      | string | any bytes |
/// | product-build-number | uint64 |           |
///
/// Source: draft-ietf-secsh-filexfer-extensions-00.
#[derive(Debug, Deserialize)]
pub(super) struct VendorId {
    #[serde(with = "serde_bytes")]
    vendor_name: Vec<u8>,
    #[serde(with = "serde_bytes")]
    product_name: Vec<u8>,
    #[serde(with = "serde_bytes")]
    product_version: Vec<u8>,
    product_build_number: u64,
}

impl Request<'_> for VendorId {
    const ROW: &'static Row = &VENDOR_ID;

    fn run(&mut self, session: &mut Session, _: u32, way: Way) -> Result<Response, Status> {
        let build = self.product_build_number.to_string();
        let fields = [
            &self.vendor_name[..],
            &self.product_name,
            &self.product_version,
            build.as_bytes(),
        ];
        let path = fields.join(&b' ');
        session.in_turn(way, move |_| {
            log::emit(Level::Verbose, || Event::Path {
                threshold: Level::Verbose,
                what: "vendor-id",
                path,
            });
            Ok(Response::Ok)
        })
    }
}
