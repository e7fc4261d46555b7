//! Unpacks what comes in, and stops at what grows beyond reason.

use std::io::Write as _;

use flate2::write::{MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header};

use super::{NetError, NetLimits};

/// What is asked for, and nothing else is unpacked.
pub(super) const ACCEPTED: &str = "gzip, deflate";

/// Takes the body of a response as it comes in and gives what is in it.
pub(super) struct Unpacker {
    kind: Kind,
    taken: u64,
    given: u64,
    limits: NetLimits,
}

enum Kind {
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Deflate(Box<ZlibDecoder<Vec<u8>>>),
}

impl Unpacker {
    /// By what the headers say. One encoding at most: a second one multiplies the ratio.
    pub(super) fn new(headers: &HeaderMap, limits: &NetLimits) -> Result<Self, NetError> {
        let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
        let kind = match (encodings.next().map(|e| e.as_bytes()), encodings.next()) {
            (None | Some(b"" | b"identity"), None) => Kind::Plain,
            (Some(b"gzip" | b"x-gzip"), None) => {
                Kind::Gzip(Box::new(MultiGzDecoder::new(Vec::new())))
            }
            (Some(b"deflate"), None) => Kind::Deflate(Box::new(ZlibDecoder::new(Vec::new()))),
            _ => return Err(NetError::Encoding),
        };
        Ok(Self {
            kind,
            taken: 0,
            given: 0,
            limits: limits.clone(),
        })
    }

    /// Whether the length that the headers state is that of the content.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.kind, Kind::Plain)
    }

    /// Bytes that came in.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// One piece. Packed ones are taken a kibibyte at a time, so that a bomb is stopped before
    /// it has grown by more than a mebibyte.
    pub(super) fn take(&mut self, piece: bytes::Bytes) -> Result<bytes::Bytes, NetError> {
        self.taken += piece.len() as u64;
        self.size(self.taken)?;
        if self.is_plain() {
            return Ok(piece);
        }
        let mut out = Vec::new();
        for small in piece.chunks(1024) {
            let decoded = match &mut self.kind {
                Kind::Plain => Ok(Vec::new()),
                Kind::Gzip(gzip) => gzip
                    .write_all(small)
                    .map(|()| std::mem::take(gzip.get_mut())),
                Kind::Deflate(zlib) => zlib
                    .write_all(small)
                    .map(|()| std::mem::take(zlib.get_mut())),
            };
            self.grown(decoded, &mut out)?;
        }
        Ok(out.into())
    }

    /// What is left at the end. A packed body that ends early is an error: part of a document
    /// is not the document.
    pub(super) fn finish(&mut self) -> Result<bytes::Bytes, NetError> {
        let decoded = match std::mem::replace(&mut self.kind, Kind::Plain) {
            Kind::Plain => return Ok(bytes::Bytes::new()),
            // Nothing at all is an empty body that was never packed.
            _ if self.taken == 0 => return Ok(bytes::Bytes::new()),
            Kind::Gzip(gzip) => gzip.finish(),
            Kind::Deflate(zlib) => zlib.finish(),
        };
        let mut out = Vec::new();
        self.grown(decoded, &mut out)?;
        Ok(out.into())
    }

    fn grown(
        &mut self,
        decoded: std::io::Result<Vec<u8>>,
        out: &mut Vec<u8>,
    ) -> Result<(), NetError> {
        let decoded = decoded.map_err(|error| NetError::Decode {
            detail: error.to_string(),
        })?;
        self.given += decoded.len() as u64;
        let limit = self.limits.max_ratio;
        if self.given > FREE && self.given / self.taken.max(1) > u64::from(limit) {
            return Err(NetError::Ratio { limit });
        }
        self.size(self.given)?;
        out.extend(decoded);
        Ok(())
    }

    fn size(&self, bytes: u64) -> Result<(), NetError> {
        let limit = self.limits.max_response;
        if bytes > limit {
            return Err(NetError::Size {
                what: "response",
                limit,
            });
        }
        Ok(())
    }
}

/// Bytes from which on the ratio counts.
const FREE: u64 = 1024 * 1024;
