//! What a query answers, and its way into types.

use std::sync::Arc;

use serde::{
    Deserializer,
    de::{
        DeserializeOwned, IntoDeserializer, Visitor,
        value::{MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};

use super::SqlError;

type Result<T> = std::result::Result<T, SqlError>;

/// The rows of a query, all of them: a query with more than the grant allows is an error.
///
/// A row becomes a struct, by the names of its columns; a tuple, by their order; or, if there
/// is one column, the value itself.
///
/// ```
/// use mcp_secure::{ToolResult, capability::sql::{Database, ReadOnly, Sql}};
///
/// #[derive(serde::Deserialize)]
/// struct Entry { id: i64, text: String }
///
/// async fn entries<D: Database>(db: Sql<D, ReadOnly>, account: &str) -> ToolResult<Vec<Entry>> {
///     let rows = db.query("SELECT id, text FROM entries WHERE account = ?1", (account,)).await?;
///     Ok(rows.all()?)
/// }
/// ```
pub struct Rows {
    pub(super) columns: Arc<[String]>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// Bytes of all values.
    pub(super) bytes: u64,
}

impl Rows {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// All of them.
    ///
    /// # Errors
    ///
    /// [`SqlError::Shape`] if one is not a `T`.
    pub fn all<T: DeserializeOwned>(self) -> Result<Vec<T>> {
        let Self { columns, rows, .. } = self;
        rows.into_iter()
            .map(|cells| {
                T::deserialize(Row {
                    columns: &columns,
                    cells,
                })
                .map_err(SqlError::shape)
            })
            .collect()
    }

    /// The only one.
    ///
    /// # Errors
    ///
    /// [`SqlError::NoRow`], [`SqlError::ManyRows`], [`SqlError::Shape`].
    pub fn one<T: DeserializeOwned>(self) -> Result<T> {
        self.optional()?.ok_or(SqlError::NoRow)
    }

    /// The only one, or none.
    ///
    /// # Errors
    ///
    /// [`SqlError::ManyRows`], [`SqlError::Shape`].
    pub fn optional<T: DeserializeOwned>(self) -> Result<Option<T>> {
        if self.len() > 1 {
            return Err(SqlError::ManyRows);
        }
        Ok(self.all()?.pop())
    }
}

/// One value of a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Null,
    #[cfg(feature = "postgres")]
    Bool(bool),
    Integer(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
    #[cfg(feature = "postgres")]
    Json(serde_json::Value),
    #[cfg(feature = "postgres")]
    List(Vec<Cell>),
}

struct Row<'a> {
    columns: &'a [String],
    cells: Vec<Cell>,
}

impl Row<'_> {
    fn only(self) -> std::result::Result<Cell, Error> {
        let mut cells = self.cells.into_iter();
        match (cells.next(), cells.next()) {
            (Some(cell), None) => Ok(cell),
            _ => Err(serde::de::Error::custom(
                "a value of its own needs one column",
            )),
        }
    }
}

/// The error of `serde`, as text.
type Error = serde::de::value::Error;

macro_rules! only {
    ($($name:ident)*) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Error> {
            self.only()?.$name(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Row<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Error> {
        let pairs = self.columns.iter().map(String::as_str).zip(self.cells);
        visitor.visit_map(MapDeserializer::new(pairs))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Error> {
        visitor.visit_seq(SeqDeserializer::new(self.cells.into_iter()))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> std::result::Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> std::result::Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> std::result::Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> std::result::Result<V::Value, Error> {
        self.only()?.deserialize_enum(name, variants, visitor)
    }

    only! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string
        deserialize_bytes deserialize_byte_buf deserialize_option
    }

    forward_to_deserialize_any! {
        i128 u128 map struct identifier ignored_any unit unit_struct
    }
}

impl IntoDeserializer<'_> for Cell {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Cell {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Error> {
        match self {
            Self::Null => visitor.visit_unit(),
            #[cfg(feature = "postgres")]
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Integer(value) => visitor.visit_i64(value),
            Self::Real(value) => visitor.visit_f64(value),
            Self::Text(value) => visitor.visit_string(value),
            Self::Bytes(value) => visitor.visit_byte_buf(value),
            #[cfg(feature = "postgres")]
            Self::Json(value) => value
                .deserialize_any(visitor)
                .map_err(serde::de::Error::custom),
            #[cfg(feature = "postgres")]
            Self::List(cells) => visitor.visit_seq(SeqDeserializer::new(cells.into_iter())),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(
        self,
        visitor: V,
    ) -> std::result::Result<V::Value, Error> {
        match self {
            Self::Null => visitor.visit_none(),
            cell => visitor.visit_some(cell),
        }
    }

    /// SQLite has no truth values of its own.
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Error> {
        match self {
            Self::Integer(0) => visitor.visit_bool(false),
            Self::Integer(1) => visitor.visit_bool(true),
            cell => cell.deserialize_any(visitor),
        }
    }

    /// A list of bytes is bytes; any other list is one.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Error> {
        match self {
            Self::Bytes(value) => visitor.visit_seq(SeqDeserializer::new(value.into_iter())),
            cell => cell.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> std::result::Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> std::result::Result<V::Value, Error> {
        match self {
            Self::Text(text) => text
                .into_deserializer()
                .deserialize_enum(name, variants, visitor),
            #[cfg(feature = "postgres")]
            Self::Json(value) => value
                .deserialize_enum(name, variants, visitor)
                .map_err(serde::de::Error::custom),
            cell => cell.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde::Deserialize;

    use super::*;

    fn rows(columns: &[&str], rows: Vec<Vec<Cell>>) -> Rows {
        Rows {
            columns: columns.iter().map(|&name| name.to_owned()).collect(),
            rows,
            bytes: 0,
        }
    }

    #[derive(Deserialize, Debug, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum State {
        Open,
        Paid,
    }

    #[derive(Deserialize, Debug, PartialEq)]
    struct Id(i64);

    #[derive(Deserialize, Debug, PartialEq)]
    struct Entry {
        id: Id,
        state: State,
        note: Option<String>,
        amount: f64,
        late: bool,
    }

    #[test]
    fn a_row_becomes_a_struct_a_tuple_or_a_value() {
        let columns = ["id", "state", "note", "amount", "late"];
        let row = vec![
            Cell::Integer(7),
            Cell::Text("paid".into()),
            Cell::Null,
            Cell::Integer(3),
            Cell::Integer(1),
        ];
        let entry: Entry = rows(&columns, vec![row.clone()]).one().unwrap();
        assert_eq!(entry.id, Id(7));
        assert_eq!(
            (entry.state, entry.note, entry.amount, entry.late),
            (State::Paid, None, 3.0, true)
        );
        let tuple: (i64, String, Option<String>, f64, bool) =
            rows(&columns, vec![row]).one().unwrap();
        assert_eq!(tuple, (7, "paid".to_owned(), None, 3.0, true));
        let one = || rows(&["n"], vec![vec![Cell::Integer(5)]]);
        assert_eq!(one().one::<i64>(), Ok(5));
        assert_eq!(one().one::<Id>(), Ok(Id(5)));
        assert_eq!(one().one::<Option<u8>>(), Ok(Some(5)));
        let none = rows(&["n"], vec![vec![Cell::Null]]);
        assert_eq!(none.one::<Option<u8>>(), Ok(None));
        let states = rows(&["s"], vec![vec![Cell::Text("open".into())]]);
        assert_eq!(states.all::<State>(), Ok(vec![State::Open]));
    }

    #[test]
    fn what_does_not_fit_is_an_error_that_shows_no_value_to_the_caller() {
        let text = rows(&["n"], vec![vec![Cell::Text("hunter2".into())]]);
        let error = text.one::<i64>().unwrap_err();
        assert!(matches!(error, SqlError::Shape(_)));
        assert_eq!(error.to_string(), "a row is not as expected");
        let large = rows(&["n"], vec![vec![Cell::Integer(300)]]);
        assert!(matches!(large.one::<u8>(), Err(SqlError::Shape(_))));
        let two = rows(&["a", "b"], vec![vec![Cell::Null, Cell::Null]]);
        assert!(matches!(two.one::<i64>(), Err(SqlError::Shape(_))));
        assert_eq!(rows(&["n"], vec![]).one::<i64>(), Err(SqlError::NoRow));
        let both = rows(&["n"], vec![vec![Cell::Integer(1)], vec![Cell::Integer(2)]]);
        assert_eq!(both.one::<i64>(), Err(SqlError::ManyRows));
    }
}
