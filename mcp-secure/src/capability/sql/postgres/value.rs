//! Values on their way to PostgreSQL and back.

use std::error::Error;

use bytes::{BufMut as _, BytesMut};
use chrono::{DateTime, NaiveDate, SecondsFormat};
use tokio_postgres::types::{Format, FromSql, IsNull, Kind, ToSql, Type, to_sql_checked};

use crate::capability::sql::{Value, rows::Cell};

type Outcome<T> = Result<T, Box<dyn Error + Sync + Send>>;

/// All but bytes goes as text: the server reads it as the type of the placeholder, as data.
impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Outcome<IsNull> {
        match self {
            Self::Null => return Ok(IsNull::Yes),
            Self::Bool(value) => out.put_slice(if *value { b"true" } else { b"false" }),
            Self::Integer(value) => out.put_slice(value.to_string().as_bytes()),
            Self::Real(value) => out.put_slice(value.to_string().as_bytes()),
            Self::Text(value) => out.put_slice(value.as_bytes()),
            Self::Bytes(value) if *ty == Type::BYTEA => out.put_slice(value),
            Self::Bytes(_) => return Err("bytes for what is no bytea".into()),
            Self::Integers(all) => {
                let items: Vec<String> = all.iter().map(i64::to_string).collect();
                out.put_slice(format!("{{{}}}", items.join(",")).as_bytes());
            }
            Self::Texts(all) => {
                let items: Vec<String> = all.iter().map(|text| quoted(text)).collect();
                out.put_slice(format!("{{{}}}", items.join(",")).as_bytes());
            }
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        match self {
            Self::Bytes(_) => Format::Binary,
            _ => Format::Text,
        }
    }

    to_sql_checked!();
}

/// An element of an array: in quotes always, so that nothing in it is read as structure.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

impl<'a> FromSql<'a> for Cell {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Outcome<Self> {
        Ok(match *ty {
            Type::BOOL => Self::Bool(raw == [1]),
            Type::INT2 => Self::Integer(i16::from_be_bytes(raw.try_into()?).into()),
            Type::INT4 => Self::Integer(i32::from_be_bytes(raw.try_into()?).into()),
            Type::INT8 => Self::Integer(i64::from_be_bytes(raw.try_into()?)),
            Type::OID => Self::Integer(u32::from_be_bytes(raw.try_into()?).into()),
            Type::FLOAT4 => Self::Real(f32::from_be_bytes(raw.try_into()?).into()),
            Type::FLOAT8 => Self::Real(f64::from_be_bytes(raw.try_into()?)),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN | Type::XML => {
                text(raw)?
            }
            Type::BYTEA => Self::Bytes(raw.to_owned()),
            Type::JSON => Self::Json(serde_json::from_slice(raw)?),
            // A version, then the text.
            Type::JSONB => match raw.split_first() {
                Some((1, text)) => Self::Json(serde_json::from_slice(text)?),
                _ => return Err("an unknown form of jsonb".into()),
            },
            Type::UUID => Self::Text(uuid(raw.try_into()?)),
            Type::TIMESTAMPTZ => {
                Self::Text(moment(raw)?.to_rfc3339_opts(SecondsFormat::AutoSi, true))
            }
            Type::TIMESTAMP => Self::Text(
                moment(raw)?
                    .naive_utc()
                    .format("%Y-%m-%dT%H:%M:%S%.f")
                    .to_string(),
            ),
            Type::DATE => {
                let days = i64::from(i32::from_be_bytes(raw.try_into()?));
                let date = NaiveDate::from_ymd_opt(2000, 1, 1)
                    .zip(chrono::TimeDelta::try_days(days))
                    .and_then(|(epoch, days)| epoch.checked_add_signed(days))
                    .ok_or("a date out of range")?;
                Self::Text(date.to_string())
            }
            Type::NUMERIC => Self::Text(numeric(raw)?),
            Type::VOID => Self::Null,
            _ => match ty.kind() {
                Kind::Enum(_) => text(raw)?,
                Kind::Array(_) => Self::List(Vec::from_sql(ty, raw)?),
                Kind::Domain(inner) => Self::from_sql(inner, raw)?,
                _ => {
                    return Err(format!(
                        "values of the type `{ty}` are not read: write `::text` after the \
                         expression"
                    )
                    .into());
                }
            },
        })
    }

    fn from_sql_null(_: &Type) -> Outcome<Self> {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn text(raw: &[u8]) -> Outcome<Cell> {
    Ok(Cell::Text(std::str::from_utf8(raw)?.to_owned()))
}

fn uuid(raw: [u8; 16]) -> String {
    let hex = format!("{:032x}", u128::from_be_bytes(raw));
    let part = |range| hex.get(range).unwrap_or_default();
    [
        part(0..8),
        part(8..12),
        part(12..16),
        part(16..20),
        part(20..32),
    ]
    .join("-")
}

/// Microseconds since the year 2000.
fn moment(raw: &[u8]) -> Outcome<DateTime<chrono::Utc>> {
    let micros = i64::from_be_bytes(raw.try_into()?);
    micros
        .checked_add(946_684_800_000_000)
        .and_then(DateTime::from_timestamp_micros)
        .ok_or_else(|| "a time out of range, or infinity".into())
}

/// Digits to the base of 10000, as a text: no float keeps what a sum of money is.
fn numeric(raw: &[u8]) -> Outcome<String> {
    let mut words = raw
        .chunks_exact(2)
        .map(|pair| <[u8; 2]>::try_from(pair).map_or(0, i16::from_be_bytes));
    let mut next = || words.next().ok_or("a numeric that is cut");
    let (count, weight, sign, scale) = (next()?, next()?, next()?, next()?);
    let minus = match sign as u16 {
        0 => "",
        0x4000 => "-",
        0xC000 => return Ok("NaN".to_owned()),
        0xD000 => return Ok("Infinity".to_owned()),
        0xF000 => return Ok("-Infinity".to_owned()),
        _ => return Err("an unknown form of numeric".into()),
    };
    let digits: Vec<i16> = (0..count).map(|_| next()).collect::<Result<_, _>>()?;
    let at = |place: i32| {
        let index = usize::try_from(i32::from(weight) - place).ok();
        index
            .and_then(|index| digits.get(index))
            .copied()
            .unwrap_or(0)
    };
    let mut text = String::from(minus);
    if weight < 0 {
        text.push('0');
    }
    for place in (0..=i32::from(weight)).rev() {
        let digit = at(place);
        text.push_str(&match place == i32::from(weight) {
            true => digit.to_string(),
            false => format!("{digit:04}"),
        });
    }
    let scale = usize::try_from(scale).unwrap_or(0);
    if scale > 0 {
        let groups = i32::try_from(scale.div_ceil(4)).unwrap_or(0);
        let fraction: String = (1..=groups)
            .map(|place| format!("{:04}", at(-place)))
            .collect();
        text.push('.');
        text.push_str(fraction.get(..scale).unwrap_or(&fraction));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_text_in_an_array_cannot_end_it() {
        assert_eq!(quoted(r#"a"},{"\"#), r#""a\"},{\"\\""#);
        assert_eq!(quoted(""), r#""""#);
    }

    #[test]
    fn a_numeric_keeps_every_digit() {
        let raw = |words: &[i16]| -> Vec<u8> {
            words.iter().flat_map(|word| word.to_be_bytes()).collect()
        };
        for (words, text) in [
            (&[0, 0, 0, 0][..], "0"),
            (&[0, 0, 0, 2], "0.00"),
            (&[2, 0, 0, 2, 12, 3400], "12.34"),
            (&[2, 1, 0, 0, 1, 1], "10001"),
            (&[1, 1, 0, 0, 1], "10000"),
            (&[1, -1, 0x4000, 4, 5], "-0.0005"),
            (&[1, -2, 0, 6, 500], "0.000005"),
        ] {
            assert_eq!(numeric(&raw(words)).unwrap(), text);
        }
        assert!(numeric(&[0, 1]).is_err());
    }

    #[test]
    fn a_uuid_is_written_as_usual() {
        let raw: [u8; 16] = std::array::from_fn(|i| i as u8);
        assert_eq!(uuid(raw), "00010203-0405-0607-0809-0a0b0c0d0e0f");
    }
}
