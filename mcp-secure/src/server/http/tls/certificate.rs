//! What a certificate says of itself beyond what rustls asks of its own: its days and its
//! names. A reader of the few fields at the front of RFC 5280's structure, for the operator's
//! own files; what clients send is read by rustls alone.

use chrono::{NaiveDate, NaiveDateTime};

/// The front of a certificate.
pub(super) struct Front<'a> {
    /// The issuer's name, as it is encoded.
    pub(super) issuer: &'a [u8],
    pub(super) subject: &'a [u8],
    pub(super) not_before: NaiveDateTime,
    pub(super) not_after: NaiveDateTime,
}

impl<'a> Front<'a> {
    /// `None` if it is not a certificate.
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let mut certificate = Reader(der);
        let mut signed = Reader(certificate.expect(SEQUENCE)?);
        let mut fields = Reader(signed.expect(SEQUENCE)?);
        let (mut tag, _) = fields.next()?;
        if tag == VERSION {
            (tag, _) = fields.next()?;
        }
        if tag != INTEGER {
            return None;
        }
        fields.expect(SEQUENCE)?;
        let issuer = fields.expect(SEQUENCE)?;
        let mut validity = Reader(fields.expect(SEQUENCE)?);
        let subject = fields.expect(SEQUENCE)?;
        Some(Self {
            issuer,
            subject,
            not_before: time(validity.next()?)?,
            not_after: time(validity.next()?)?,
        })
    }
}

/// Tag, length, value.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], mut rest) = self.0.split_first_chunk::<2>()?;
        let length = if first < 0x80 {
            usize::from(first)
        } else {
            let count = usize::from(first & 0x7f);
            let (digits, after) = rest.split_at_checked(count)?;
            rest = after;
            // More than four octets of length is more than any file here.
            if !(1..=4).contains(&count) {
                return None;
            }
            digits
                .iter()
                .fold(0_usize, |length, digit| length << 8 | usize::from(*digit))
        };
        let (value, after) = rest.split_at_checked(length)?;
        self.0 = after;
        Some((tag, value))
    }

    fn expect(&mut self, wanted: u8) -> Option<&'a [u8]> {
        self.next()
            .filter(|(tag, _)| *tag == wanted)
            .map(|(_, value)| value)
    }
}

/// `YYMMDDHHMMSSZ` until 2049 and `YYYYMMDDHHMMSSZ` after (RFC 5280 section 4.1.2.5).
fn time((tag, value): (u8, &[u8])) -> Option<NaiveDateTime> {
    let text = std::str::from_utf8(value).ok()?.strip_suffix('Z')?;
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u32>().ok();
    let (year, rest) = match (tag, text.len()) {
        (UTC_TIME, 12) => {
            let year = number(0, 2)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, 2)
        }
        (GENERALIZED_TIME, 14) => (number(0, 4)?, 4),
        _ => return None,
    };
    let part = |n: usize| number(rest + 2 * n, rest + 2 * n + 2);
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, part(0)?, part(1)?)?.and_hms_opt(
        part(2)?,
        part(3)?,
        part(4)?,
    )
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn der(until: i32) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["mcp.example".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2021, 2, 3);
        params.not_after = date_time_ymd(until, 12, 31);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_days_of_a_certificate_are_read_in_both_spellings() {
        for year in [2022, 2049, 2050, 4096] {
            let der = der(year);
            let front = Front::read(&der).unwrap();
            assert_eq!(front.not_before.to_string(), "2021-02-03 00:00:00");
            assert_eq!(
                front.not_after.to_string(),
                format!("{year}-12-31 00:00:00")
            );
            assert_eq!(front.issuer, front.subject, "it signed itself");
        }
    }

    #[test]
    fn what_is_cut_off_or_changed_is_no_panic() {
        let der = der(2050);
        for length in 0..der.len() {
            let _ = Front::read(&der[..length]);
        }
        assert!(Front::read(&der[..40]).is_none());
        for place in 0..der.len() {
            let mut changed = der.clone();
            changed[place] = 0xff;
            let _ = Front::read(&changed);
        }
    }
}
