//! What every answer says to whatever carries it.

use http::{HeaderValue, Response, header};

use super::body::Body;

/// Nothing here may be kept by a cache (spec CACHING-08) or guessed to be another type.
pub(crate) fn harden(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::http::refusal::PATH;

    #[test]
    fn no_answer_may_be_cached_or_sniffed() {
        let response = harden(PATH.response());
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    }
}
