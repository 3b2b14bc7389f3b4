//! JSON values that keep the order in which members are given and the text of numbers.
//!
//! The same seed must give the same bytes in every build, so nothing here passes through a map or
//! a float.

use std::borrow::Cow;
use std::fmt::Write as _;

/// A JSON value; an absent one is left out of the object that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Absent,
    Text(Cow<'static, str>),
    Number(String),
    Flag(bool),
    List(Vec<Self>),
    Object(Vec<(&'static str, Self)>),
}

impl Value {
    /// A decimal given as a whole number of its last digit: `decimal(72, 1)` is `7.2`.
    pub(super) fn decimal(digits: i64, scale: u32) -> Self {
        Self::Number(decimal_text(digits, scale))
    }

    /// The bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = String::with_capacity(1024);
        self.write(&mut out);
        out.into_bytes()
    }

    fn is_absent(&self) -> bool {
        match self {
            Self::Absent => true,
            Self::List(items) => items.is_empty(),
            Self::Object(members) => members.iter().all(|(_, value)| value.is_absent()),
            Self::Text(_) | Self::Number(_) | Self::Flag(_) => false,
        }
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Absent => out.push_str("null"),
            Self::Text(text) => write_text(text, out),
            Self::Number(text) => out.push_str(text),
            Self::Flag(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::List(items) => {
                let mut separator = '[';
                for item in items {
                    out.push(separator);
                    item.write(out);
                    separator = ',';
                }
                out.push_str(if items.is_empty() { "[]" } else { "]" });
            }
            Self::Object(members) => {
                let mut separator = '{';
                for (key, value) in members.iter().filter(|(_, value)| !value.is_absent()) {
                    out.push(separator);
                    write_text(key, out);
                    out.push(':');
                    value.write(out);
                    separator = ',';
                }
                out.push_str(if separator == '{' { "{}" } else { "}" });
            }
        }
    }
}

/// The text of a decimal; see [`Value::decimal`].
pub(super) fn decimal_text(digits: i64, scale: u32) -> String {
    if scale == 0 {
        return digits.to_string();
    }
    let unit = 10_i64.pow(scale);
    let sign = if digits < 0 { "-" } else { "" };
    let width = usize::try_from(scale).unwrap_or(0);
    format!("{sign}{}.{:0width$}", (digits / unit).abs(), (digits % unit).abs())
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            control if control < ' ' => {
                // Writing to a String cannot fail.
                let _written = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number.to_string())
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<Vec<Self>> for Value {
    fn from(items: Vec<Self>) -> Self {
        Self::List(items)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Into::into)
    }
}

/// Writes an object: `object! { "status": "final", "value": 3 }`.
macro_rules! object {
    ($($key:literal : $value:expr),* $(,)?) => {
        $crate::demo::value::Value::Object(vec![
            $(($key, $crate::demo::value::Value::from($value)),)*
        ])
    };
}

/// Writes a list: `list![a, b]`.
macro_rules! list {
    ($($value:expr),* $(,)?) => {
        $crate::demo::value::Value::List(vec![$($crate::demo::value::Value::from($value),)*])
    };
}

pub(super) use {list, object};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_absent_ones_are_left_out() {
        let value = object! {
            "z": 1, "a": None::<String>, "m": list![true, "q\"\n"], "e": list![],
            "o": object! { "inner": object! {} },
        };
        assert_eq!(String::from_utf8(value.to_bytes()).unwrap(), r#"{"z":1,"m":[true,"q\"\n"]}"#);
    }

    #[test]
    fn decimals_keep_their_digits() {
        assert_eq!(decimal_text(72, 1), "7.2");
        assert_eq!(decimal_text(720, 2), "7.20");
        assert_eq!(decimal_text(-5, 1), "-0.5");
        assert_eq!(decimal_text(96, 0), "96");
    }
}
