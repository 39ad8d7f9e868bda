//! Filters and conditions over a record, with DynamoDB's idea of absent attributes.

use std::cmp::Ordering;

use serde_json::{Map, Value};

/// Whether a record meets a filter: all its parts, or with `or` one of them.
pub(crate) fn holds(filter: &Value, record: &Map<String, Value>) -> bool {
    let Value::Object(parts) = filter else { return true };
    parts.iter().all(|(name, wanted)| match (name.as_str(), wanted) {
        (_, Value::Null) => true,
        ("and", Value::Array(all)) => all.iter().all(|one| holds(one, record)),
        ("or", Value::Array(any)) => any.iter().any(|one| holds(one, record)),
        ("not", one) => !holds(one, record),
        (attribute, Value::Object(tests)) => {
            let value = record.get(attribute).filter(|value| !value.is_null());
            tests.iter().all(|(test, operand)| operand.is_null() || passes(test, operand, value))
        }
        _ => true,
    })
}

fn passes(test: &str, operand: &Value, value: Option<&Value>) -> bool {
    let compared = |wanted: &[Ordering]| {
        value.and_then(|value| compare(value, operand)).is_some_and(|order| wanted.contains(&order))
    };
    let text = value.and_then(Value::as_str);
    let wanted = operand.as_str().unwrap_or_default();
    match test {
        "eq" => compared(&[Ordering::Equal]),
        // An absent attribute is not equal to anything.
        "ne" => !compared(&[Ordering::Equal]),
        "lt" => compared(&[Ordering::Less]),
        "le" => compared(&[Ordering::Less, Ordering::Equal]),
        "gt" => compared(&[Ordering::Greater]),
        "ge" => compared(&[Ordering::Greater, Ordering::Equal]),
        "contains" => text.is_some_and(|text| text.contains(wanted)),
        "notContains" => !text.is_some_and(|text| text.contains(wanted)),
        "beginsWith" => text.is_some_and(|text| text.starts_with(wanted)),
        "between" => match (value, operand.as_array().map(Vec::as_slice)) {
            (Some(value), Some([low, high])) => {
                compare(value, low).is_some_and(Ordering::is_ge)
                    && compare(value, high).is_some_and(Ordering::is_le)
            }
            _ => false,
        },
        "attributeExists" => operand.as_bool() == Some(value.is_some()),
        "attributeType" => match wanted {
            "string" => text.is_some(),
            "number" => value.is_some_and(Value::is_number),
            "bool" => value.is_some_and(Value::is_boolean),
            "_null" => value.is_none(),
            _ => false,
        },
        _ => false,
    }
}

fn compare(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::String(one), Value::String(other)) => Some(one.as_str().cmp(other)),
        (Value::Number(one), Value::Number(other)) => one.as_f64()?.partial_cmp(&other.as_f64()?),
        (Value::Bool(one), Value::Bool(other)) => Some(one.cmp(other)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn compares_as_dynamodb_does() {
        let record = json!({"customId": "IND-0042", "views": 7, "displayName": null});
        let record = record.as_object().unwrap();
        let cases = [
            (json!({"customId": {"eq": "IND-0042"}}), true),
            (json!({"customId": {"ne": "IND-0042"}}), false),
            (json!({"displayName": {"ne": "x"}}), true),
            (json!({"displayName": {"eq": "x"}}), false),
            (json!({"displayName": {"attributeExists": false}}), true),
            (json!({"customId": {"beginsWith": "IND", "contains": "42"}}), true),
            (json!({"views": {"between": [5, 7]}}), true),
            (json!({"views": {"gt": 7}}), false),
            (json!({"or": [{"views": {"gt": 7}}, {"customId": {"contains": "42"}}]}), true),
            (json!({"not": {"customId": {"contains": "42"}}}), false),
            (json!({"and": [{"views": {"le": 7}}, {"customId": {"lt": "A"}}]}), false),
            (json!({}), true),
        ];
        for (filter, expected) in cases {
            assert_eq!(holds(&filter, record), expected, "{filter}");
        }
    }
}
