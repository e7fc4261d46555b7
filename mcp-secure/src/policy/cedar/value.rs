//! From the JSON of a call to values of Cedar's. What does not fit exactly is an error, and an
//! error denies: a rounded amount is not the amount that the tool is given.

use cedar_policy::RestrictedExpression;
use rmcp::model::JsonObject;
use serde_json::{Number, Value};

use super::types::{Record, Type};

/// What could not be converted: the place, never the value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfit(pub(super) String);

impl Unfit {
    fn at(name: &str) -> impl FnOnce(Self) -> Self {
        move |Self(inner)| match inner.as_str() {
            "" => Self(name.to_owned()),
            inner => Self(format!("{name}.{inner}")),
        }
    }
}

/// A value as its type has it.
pub(super) fn convert(kind: &Type, value: &Value) -> Result<RestrictedExpression, Unfit> {
    let unfit = || Unfit(String::new());
    match (kind, value) {
        // Not `1.0`, which a schema takes for an integer and serde does not.
        (Type::Long, Value::Number(number)) => number
            .as_i64()
            .map(RestrictedExpression::new_long)
            .ok_or_else(unfit),
        (Type::Text, Value::String(text)) => Ok(RestrictedExpression::new_string(text.clone())),
        (Type::Bool, Value::Bool(truth)) => Ok(RestrictedExpression::new_bool(*truth)),
        (Type::Decimal, Value::Number(number)) => decimal(number)
            .map(RestrictedExpression::new_decimal)
            .ok_or_else(unfit),
        (Type::Set(element), Value::Array(items)) => {
            let items: Result<Vec<_>, _> =
                items.iter().map(|item| convert(element, item)).collect();
            Ok(RestrictedExpression::new_set(items?))
        }
        (Type::Record(record), Value::Object(members)) => object(record, members, |_| true),
        _ => Err(unfit()),
    }
}

/// The members of an object; of the outermost only those that `wanted` names.
pub(super) fn object(
    record: &Record,
    members: &JsonObject,
    wanted: impl Fn(&str) -> bool,
) -> Result<RestrictedExpression, Unfit> {
    let mut fields = Vec::new();
    for (name, field) in record.0.iter().filter(|(name, _)| wanted(name)) {
        let Some(kind) = &field.kind else { continue };
        let value = match members.get(name) {
            // What an `Option` takes for absent.
            Some(Value::Null) if !field.required => continue,
            Some(value) => Some(value),
            None => field.default.as_ref(),
        };
        match value {
            Some(value) => {
                let value = convert(kind, value).map_err(Unfit::at(name))?;
                fields.push((name.clone(), value));
            }
            None if field.required => return Err(Unfit(name.clone())),
            None => {}
        }
    }
    // No name is twice in a map.
    RestrictedExpression::new_record(fields).map_err(|_| Unfit(String::new()))
}

/// At most four digits after the point, at least one, no exponent; in the range of 64 bits.
fn decimal(number: &Number) -> Option<String> {
    let text = match (number.as_i64(), number.as_f64()) {
        (Some(whole), _) => format!("{whole}.0"),
        (None, Some(float)) => match format!("{float}") {
            text if text.contains('.') => text,
            text => format!("{text}.0"),
        },
        (None, None) => return None,
    };
    let (whole, fraction) = text.split_once('.')?;
    let digits: i128 = format!("{whole}{fraction:0<4}").parse().ok()?;
    (fraction.len() <= 4 && i64::try_from(digits).is_ok()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::cedar::types::Field;
    use serde_json::json;

    #[test]
    fn a_number_that_does_not_fit_exactly_is_refused() {
        let shown = |value: Value| match value {
            Value::Number(number) => decimal(&number),
            _ => None,
        };
        assert_eq!(shown(json!(5)).as_deref(), Some("5.0"));
        assert_eq!(shown(json!(0.1)).as_deref(), Some("0.1"));
        assert_eq!(shown(json!(-12.3456)).as_deref(), Some("-12.3456"));
        assert_eq!(shown(json!(0.123_45)), None);
        assert_eq!(shown(json!(1e300)), None);
        assert_eq!(shown(json!(922_337_203_685_478_i64)), None);
        assert_eq!(shown(json!(u64::MAX)), None);
        for (value, fits) in [
            (json!(i64::MAX), true),
            (json!(i64::MIN), true),
            (json!(9_223_372_036_854_775_808_u64), false),
            (json!(1.0), false),
            (json!(1e3), false),
            (json!("1"), false),
            (json!(true), false),
            (json!(null), false),
        ] {
            assert_eq!(convert(&Type::Long, &value).is_ok(), fits, "{value}");
        }
    }

    #[test]
    fn the_place_is_named_and_the_value_is_not() {
        let inner = Record::of([("amount", Field::required(Type::Long))]);
        let record = Record::of([("pay", Field::required(Type::Record(inner)))]);
        let given = json!({ "pay": { "amount": "sk-secret" } });
        let refused = object(&record, given.as_object().unwrap(), |_| true).unwrap_err();
        assert_eq!(refused, Unfit("pay.amount".to_owned()));
        let missing = object(&record, &JsonObject::new(), |_| true).unwrap_err();
        assert_eq!(missing, Unfit("pay".to_owned()));
        assert!(object(&record, given.as_object().unwrap(), |_| false).is_ok());
    }
}
