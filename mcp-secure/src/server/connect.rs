//! Where callers connect what they have elsewhere: on the pages of the server.

use std::sync::Arc;

use super::{persons::Persons, run::Bound};
use crate::{
    Error, Result,
    connect::{Access, Desk},
    layer::connect::Connecting,
    state::{Sealer, Store},
};

/// What remembers who connects, and what seals it.
pub(crate) struct Kept<'a> {
    pub(crate) sealer: &'a Sealer,
    pub(crate) store: &'a Arc<dyn Store>,
}

/// What callers connect at this server, once it has its address.
///
/// # Errors
///
/// When somebody else than the caller could finish what a caller began, and nobody would notice.
pub(crate) fn open(
    all: Vec<Access>,
    server: &'static str,
    bound: &Bound,
    persons: &mut Persons,
    kept: &Kept<'_>,
) -> Result<Option<Connecting>> {
    let (false, Some(entrance)) = (all.is_empty(), persons.entrance()) else {
        return Ok(None);
    };
    if let (Bound::Http(_), Some(by_device)) = (bound, all.iter().find(|one| one.is_by_device())) {
        return Err(Error::new(format!(
            "the grant `{}` connects by a device code, and on a network it is not known who types \
             it",
            by_device.capability()
        ))
        .help("leave `.device()` away, or serve stdio"));
    }
    let all: Arc<[Access]> = all.into();
    let desk = Arc::new(Desk::new(
        Arc::clone(entrance),
        server,
        Arc::clone(&all),
        Arc::clone(kept.store),
        kept.sealer.clone(),
    ));
    persons.add(Arc::clone(&desk) as _);
    Ok(Some(Connecting { all, desk }))
}
