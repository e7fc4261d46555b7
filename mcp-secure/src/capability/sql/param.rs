//! What is bound to the placeholders of a statement. A value is never part of its text.

use std::fmt;

/// A value for one placeholder.
///
/// SQLite numbers its placeholders `?1`, `?2`; PostgreSQL `$1`, `$2`.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// No value.
    Null,
    /// True or false; 1 or 0 in SQLite.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number.
    Real(f64),
    /// Text. PostgreSQL reads it as whatever type the placeholder has, so it is also how a
    /// date, a UUID, a `numeric`, an enum or a JSON document is bound.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Whole numbers, for `= ANY($1)`; in SQLite a JSON array, for
    /// `IN (SELECT value FROM json_each(?1))`.
    Integers(Vec<i64>),
    /// Texts, in the same way.
    Texts(Vec<String>),
}

/// Values stay out of logs: this shows the type alone.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Integer(_) => "integer",
            Self::Real(_) => "real",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::Integers(_) => "integers",
            Self::Texts(_) => "texts",
        })
    }
}

impl Value {
    /// Why no database may be given it.
    pub(super) fn fault(&self) -> Option<&'static str> {
        let texts = match self {
            Self::Text(text) => std::slice::from_ref(text),
            Self::Texts(texts) => texts.as_slice(),
            Self::Real(real) if !real.is_finite() => return Some("it is not a finite number"),
            _ => return None,
        };
        // PostgreSQL has no such text; in SQLite it ends where a C string does, in some places.
        texts
            .iter()
            .any(|text| text.contains('\0'))
            .then_some("it has a zero byte in it")
    }

    /// Its length, for the limit on bytes.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Null | Self::Bool(_) | Self::Integer(_) | Self::Real(_) => 8,
            Self::Text(text) => text.len() as u64,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Integers(all) => all.len() as u64 * 8,
            Self::Texts(all) => all.iter().map(|text| text.len() as u64 + 8).sum(),
        }
    }
}

/// What can be bound to a placeholder. Implement it for a type of yours by way of one of the
/// others:
///
/// ```
/// use mcp_secure::capability::sql::{Param, Value};
///
/// struct AccountId(i64);
///
/// impl Param for AccountId {
///     fn into_value(self) -> Value {
///         self.0.into_value()
///     }
/// }
/// ```
pub trait Param {
    /// The value that is bound.
    fn into_value(self) -> Value;
}

macro_rules! params {
    ($($t:ty => |$v:ident| $e:expr;)*) => {$(
        impl Param for $t {
            fn into_value(self) -> Value {
                let $v = self;
                $e
            }
        }
    )*};
}

params! {
    Value => |v| v;
    bool => |v| Value::Bool(v);
    i8 => |v| Value::Integer(v.into());
    i16 => |v| Value::Integer(v.into());
    i32 => |v| Value::Integer(v.into());
    i64 => |v| Value::Integer(v);
    u8 => |v| Value::Integer(v.into());
    u16 => |v| Value::Integer(v.into());
    u32 => |v| Value::Integer(v.into());
    f32 => |v| Value::Real(v.into());
    f64 => |v| Value::Real(v);
    &str => |v| Value::Text(v.to_owned());
    String => |v| Value::Text(v);
    &String => |v| Value::Text(v.clone());
    &[u8] => |v| Value::Bytes(v.to_owned());
    Vec<u8> => |v| Value::Bytes(v);
    &[i64] => |v| Value::Integers(v.to_owned());
    Vec<i64> => |v| Value::Integers(v);
    &[String] => |v| Value::Texts(v.to_owned());
    &[&str] => |v| Value::Texts(v.iter().map(|&text| text.to_owned()).collect());
    Vec<String> => |v| Value::Texts(v);
}

impl<P: Param> Param for Option<P> {
    fn into_value(self) -> Value {
        self.map_or(Value::Null, P::into_value)
    }
}

/// The values of one statement, in the order of its placeholders: a tuple of up to twelve.
pub trait Params {
    /// The values that are bound.
    fn into_values(self) -> Vec<Value>;
}

impl Params for () {
    fn into_values(self) -> Vec<Value> {
        Vec::new()
    }
}

/// For statements with many placeholders.
impl Params for Vec<Value> {
    fn into_values(self) -> Vec<Value> {
        self
    }
}

macro_rules! tuples {
    ($($($name:ident)+;)*) => {$(
        #[allow(non_snake_case, reason = "a value has the name of its type")]
        impl<$($name: Param),+> Params for ($($name,)+) {
            fn into_values(self) -> Vec<Value> {
                let ($($name,)+) = self;
                vec![$($name.into_value()),+]
            }
        }
    )*};
}

tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
    A B C D E F G H I;
    A B C D E F G H I J;
    A B C D E F G H I J K;
    A B C D E F G H I J K L;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_byte_and_what_is_no_number_are_faults_and_quotes_are_not() {
        for bad in [
            "a\0b".into_value(),
            vec!["a".to_owned(), "\0".to_owned()].into_value(),
            f64::NAN.into_value(),
            f64::INFINITY.into_value(),
        ] {
            assert!(bad.fault().is_some(), "{bad:?}");
        }
        for good in ["'; DROP TABLE x; --".into_value(), 1.5.into_value()] {
            assert_eq!(good.fault(), None);
        }
    }

    #[test]
    fn a_value_is_not_shown() {
        let shown = format!("{:?}", ("hunter2", Some(7_i64), None::<bool>).into_values());
        assert_eq!(shown, "[text, integer, null]");
    }
}
