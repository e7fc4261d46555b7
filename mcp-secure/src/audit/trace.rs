//! The W3C trace context of a request (SEP-414): what links a record with the traces of others.
//! A client wrote it, so it is read strictly and believed for nothing (spec BASE-16).

use rmcp::{RoleServer, service::RequestContext};
use serde::Serialize;

/// `traceparent`, taken apart. Whatever is not exactly one is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct TraceContext {
    /// 32 lower-case hex digits, as the client says.
    #[cfg_attr(test, schemars(regex(pattern = "^[0-9a-f]{32}$")))]
    trace: String,
    /// The client's span.
    #[cfg_attr(test, schemars(regex(pattern = "^[0-9a-f]{16}$")))]
    parent: String,
}

impl TraceContext {
    /// Of the message, or else of the HTTP request around it.
    pub(crate) fn of(context: &RequestContext<RoleServer>) -> Option<Self> {
        let said = context.meta.get("traceparent").and_then(|v| v.as_str());
        if let Some(text) = said {
            return Self::parse(text);
        }
        #[cfg(feature = "http")]
        if let Some(parts) = context.extensions.get::<http::request::Parts>() {
            let mut all = parts.headers.get_all("traceparent").iter();
            // Two are none (W3C Trace Context, 3.2).
            if let (Some(one), None) = (all.next(), all.next()) {
                return Self::parse(one.to_str().ok()?);
            }
        }
        None
    }

    /// Version 00: `00-<32 hex>-<16 hex>-<2 hex>`. A newer version may say more behind that.
    fn parse(text: &str) -> Option<Self> {
        let hex = |text: &str, len: usize| {
            text.len() == len
                && text
                    .bytes()
                    .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let zero = |text: &str| text.bytes().all(|b| b == b'0');
        if text.len() > MAX {
            return None;
        }
        let mut parts = text.split('-');
        let (version, trace) = (parts.next()?, parts.next()?);
        let (parent, flags) = (parts.next()?, parts.next()?);
        let known = version == "00" && parts.next().is_none();
        let newer = version != "00" && version != "ff";
        let fits = hex(version, 2)
            && hex(trace, 32)
            && hex(parent, 16)
            && hex(flags, 2)
            && !zero(trace)
            && !zero(parent);
        (fits && (known || newer)).then(|| Self {
            trace: trace.to_owned(),
            parent: parent.to_owned(),
        })
    }
}

const MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_exactly_a_trace_parent_is_none() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(
            TraceContext::parse(good),
            Some(TraceContext {
                trace: "0af7651916cd43dd8448eb211c80319c".to_owned(),
                parent: "b7ad6b7169203331".to_owned(),
            })
        );
        assert!(TraceContext::parse(&good.replacen("00", "01", 1)).is_some());
        assert!(TraceContext::parse(&format!("{}-more", good.replacen("00", "cc", 1))).is_some());
        for bad in [
            "",
            "00",
            &good.to_uppercase(),
            &good.replacen("00", "ff", 1),
            &format!("{good}-more"),
            &good.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            &good.replace("b7ad6b7169203331", &"0".repeat(16)),
            &good.replace("b7ad6b7169203331", "b7ad6b716920333\n"),
            &format!(" {good}"),
            &format!("01{}", "-0".repeat(200)),
        ] {
            assert_eq!(TraceContext::parse(bad), None, "{bad:?}");
        }
    }
}
