//! Godot's `query_string_from_dict`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// All characters except the unreserved ones (RFC 3986 §2.3), as Godot's `uri_encode` does.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Builds a query string from names and values, in the given order (Godot's
/// `HTTPClient.query_string_from_dict`). Names and values are percent-encoded. A list repeats its name for
/// each item; null becomes a name without `=`.
///
/// ```
/// use httpoll::node::query_string_from_dict;
/// use serde_json::json;
///
/// let query = query_string_from_dict([
///     ("single", json!(123)),
///     ("not_valued", json!(null)),
///     ("multiple", json!([22, 33, 44])),
/// ]);
/// assert_eq!(query, "single=123&not_valued&multiple=22&multiple=33&multiple=44");
/// ```
pub fn query_string_from_dict<K, V>(dict: impl IntoIterator<Item = (K, V)>) -> String
where
    K: AsRef<str>,
    V: std::borrow::Borrow<Value>,
{
    let mut query = String::new();
    for (name, value) in dict {
        match value.borrow() {
            Value::Array(values) => {
                for value in values {
                    append(&mut query, name.as_ref(), value);
                }
            }
            value => append(&mut query, name.as_ref(), value),
        }
    }
    query
}

fn append(query: &mut String, name: &str, value: &Value) {
    if !query.is_empty() {
        query.push('&');
    }
    query.extend(utf8_percent_encode(name, RESERVED));
    let text = match value {
        Value::Null => return,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    query.push('=');
    query.extend(utf8_percent_encode(&text, RESERVED));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn queries_match_godots_cases() {
        assert_eq!(query_string_from_dict::<&str, Value>([]), "");
        assert_eq!(
            query_string_from_dict([("key", json!("value"))]),
            "key=value"
        );
        let dict = [
            ("key1", json!("value")),
            ("key2", json!(123)),
            ("key3", json!([1, 2, 3])),
            ("key4", json!(null)),
        ];
        let query = "key1=value&key2=123&key3=1&key3=2&key3=3&key4";
        assert_eq!(query_string_from_dict(dict), query);
    }

    #[test]
    fn everything_but_unreserved_characters_is_encoded() {
        let dict = [("a b&c", json!("ü=/?#+~-._")), ("t", json!(true))];
        let query = "a%20b%26c=%C3%BC%3D%2F%3F%23%2B~-._&t=true";
        assert_eq!(query_string_from_dict(dict), query);
    }

    #[test]
    fn a_json_object_is_a_dictionary() {
        let object = json!({"name": "x y"});
        assert_eq!(
            query_string_from_dict(object.as_object().unwrap()),
            "name=x%20y"
        );
    }
}
