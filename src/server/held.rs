//! Answers that hold their room until their clients have taken them.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use hyper::Response;

use super::listener::HoldsRoom;
use crate::runtime::answers::{FREE, Room};

/// An answer with this body, which from now on is what `room` is held for, if it is a large one.
pub(super) fn response(room: Arc<Room>, response: Response<Vec<u8>>) -> Response<Body> {
    let (mut parts, bytes) = response.into_parts();
    room.hold(bytes.len());
    if bytes.len() <= FREE {
        return Response::from_parts(parts, Body::from(bytes));
    }
    parts.extensions.insert(HoldsRoom(Arc::clone(&room)));
    Response::from_parts(parts, Body::from(Bytes::from_owner(Held { bytes, _room: room })))
}

/// Bytes and the room that they take: both end when the last of them has been written.
struct Held {
    bytes: Vec<u8>,
    _room: Arc<Room>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
