//! Attributes in the JSON encoding of OTLP.

use serde_json::{Value, json};

pub(super) fn attributes(list: &[(String, Value)]) -> Vec<Value> {
    list.iter()
        .map(|(name, value)| json!({"key": name, "value": any(value)}))
        .collect()
}

/// An `AnyValue`. 64-bit numbers are texts in the JSON of protobuf.
fn any(value: &Value) -> Value {
    match value {
        Value::Bool(flag) => json!({ "boolValue": flag }),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => json!({ "intValue": whole.to_string() }),
            None => json!({ "doubleValue": number }),
        },
        Value::String(text) => json!({ "stringValue": text }),
        Value::Array(list) => json!({"arrayValue": {"values": list.iter().map(any).collect::<Vec<_>>()}}),
        Value::Object(fields) => json!({"kvlistValue": {"values": fields
            .iter()
            .map(|(name, value)| json!({"key": name, "value": any(value)}))
            .collect::<Vec<_>>()}}),
        Value::Null => json!({}),
    }
}
