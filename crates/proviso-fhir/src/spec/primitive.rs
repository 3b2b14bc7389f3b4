//! The formats of FHIR's primitive types (FHIR R4 datatypes.html#primitive).

/// LIMIT: FHIR R4 allows a string 1 MB.
const STRING_BYTES_MAX: usize = 1024 * 1024;

/// A primitive data type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Primitive {
    /// `base64Binary`
    Base64Binary,
    /// `boolean`
    Boolean,
    /// `canonical`
    Canonical,
    /// `code`
    Code,
    /// `date`
    Date,
    /// `dateTime`
    DateTime,
    /// `decimal`
    Decimal,
    /// `id`
    Id,
    /// `instant`
    Instant,
    /// `integer`
    Integer,
    /// `markdown`
    Markdown,
    /// `oid`
    Oid,
    /// `positiveInt`
    PositiveInt,
    /// `string`
    String,
    /// `time`
    Time,
    /// `unsignedInt`
    UnsignedInt,
    /// `uri`
    Uri,
    /// `url`
    Url,
    /// `uuid`
    Uuid,
    /// `xhtml`
    Xhtml,
}

/// How a primitive is written in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// As a string.
    String,
    /// As a number.
    Number,
    /// As `true` or `false`.
    Boolean,
}

impl Primitive {
    /// The name of the type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Base64Binary => "base64Binary",
            Self::Boolean => "boolean",
            Self::Canonical => "canonical",
            Self::Code => "code",
            Self::Date => "date",
            Self::DateTime => "dateTime",
            Self::Decimal => "decimal",
            Self::Id => "id",
            Self::Instant => "instant",
            Self::Integer => "integer",
            Self::Markdown => "markdown",
            Self::Oid => "oid",
            Self::PositiveInt => "positiveInt",
            Self::String => "string",
            Self::Time => "time",
            Self::UnsignedInt => "unsignedInt",
            Self::Uri => "uri",
            Self::Url => "url",
            Self::Uuid => "uuid",
            Self::Xhtml => "xhtml",
        }
    }

    /// How it is written in JSON.
    pub fn written(self) -> Written {
        match self {
            Self::Boolean => Written::Boolean,
            Self::Decimal | Self::Integer | Self::PositiveInt | Self::UnsignedInt => {
                Written::Number
            }
            Self::Base64Binary
            | Self::Canonical
            | Self::Code
            | Self::Date
            | Self::DateTime
            | Self::Id
            | Self::Instant
            | Self::Markdown
            | Self::Oid
            | Self::String
            | Self::Time
            | Self::Uri
            | Self::Url
            | Self::Uuid
            | Self::Xhtml => Written::String,
        }
    }

    /// Whether a text has the format of this type.
    pub fn accepts(self, text: &str) -> bool {
        match self {
            Self::Base64Binary => is_base64(text),
            Self::Boolean => matches!(text, "true" | "false"),
            Self::Canonical | Self::Uri | Self::Url => is_uri(text),
            Self::Code => is_code(text),
            Self::Date => date_length(text) == Some(text.len()),
            Self::DateTime => is_date_time(text),
            Self::Decimal => is_decimal(text),
            Self::Id => is_id(text),
            Self::Instant => is_instant(text),
            Self::Integer => is_integer(text) && text.parse::<i32>().is_ok(),
            Self::PositiveInt => is_integer(text) && text.parse::<i32>().is_ok_and(|n| n > 0),
            Self::UnsignedInt => is_integer(text) && text.parse::<i32>().is_ok_and(|n| n >= 0),
            Self::Markdown | Self::String => is_string(text),
            Self::Oid => text.strip_prefix("urn:oid:").is_some_and(is_oid),
            Self::Time => is_time(text),
            Self::Uuid => text.strip_prefix("urn:uuid:").is_some_and(is_uuid),
            Self::Xhtml => is_narrative(text),
        }
    }
}

fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
}

fn is_uri(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// No white space at the ends, single spaces inside.
fn is_code(text: &str) -> bool {
    !text.is_empty()
        && !text.chars().any(char::is_control)
        && text.split(' ').all(|word| !word.is_empty() && !word.chars().any(char::is_whitespace))
}

fn is_string(text: &str) -> bool {
    text.len() <= STRING_BYTES_MAX
        && text.chars().any(|c| !c.is_whitespace())
        && !text.bytes().any(|b| b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r'))
}

fn is_base64(text: &str) -> bool {
    let mut symbols = 0_usize;
    let mut padding = 0_usize;
    for byte in text.bytes() {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            b'=' => padding += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => {}
            _ => return false,
        }
        symbols += 1;
    }
    symbols > 0 && symbols.is_multiple_of(4) && padding <= 2
}

fn is_oid(text: &str) -> bool {
    let mut arcs = text.split('.');
    let first = arcs.next();
    let mut more = 0;
    let rest = arcs.all(|arc| {
        more += 1;
        is_integer(arc) && !arc.starts_with('-')
    });
    matches!(first, Some("0" | "1" | "2")) && rest && more > 0
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// An integer as FHIR writes it: no plus sign, no leading zero, no exponent.
fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits == "0"
        || (digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.is_empty()
            && !digits.starts_with('0'))
}

/// The JSON reader has checked the grammar; this bounds the exponent.
fn is_decimal(text: &str) -> bool {
    match text.split_once(['e', 'E']) {
        None => true,
        // LIMIT: what is beyond this is no measurement, and nobody should have to expand it.
        Some((_, exponent)) => exponent.parse::<i32>().is_ok_and(|e| (-1000..=1000).contains(&e)),
    }
}

/// Reads exactly `count` digits.
fn digits(text: &str, from: usize, count: usize) -> Option<u32> {
    let part = text.get(from..from.checked_add(count)?)?;
    if part.bytes().all(|b| b.is_ascii_digit()) { part.parse().ok() } else { None }
}

fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

/// How many bytes at the beginning are a date: `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
fn date_length(text: &str) -> Option<usize> {
    let year = digits(text, 0, 4).filter(|year| *year > 0)?;
    if text.as_bytes().get(4) != Some(&b'-') {
        return Some(4);
    }
    let month = digits(text, 5, 2).filter(|month| (1..=12).contains(month))?;
    if text.as_bytes().get(7) != Some(&b'-') {
        return Some(7);
    }
    digits(text, 8, 2).filter(|day| (1..=days_in_month(year, month)).contains(day))?;
    Some(10)
}

fn is_date_time(text: &str) -> bool {
    match date_length(text) {
        Some(length) if length == text.len() => true,
        Some(10) => is_instant(text),
        Some(_) | None => false,
    }
}

fn is_instant(text: &str) -> bool {
    if date_length(text) != Some(10) {
        return false;
    }
    let Some(rest) = text.get(10..).and_then(|rest| rest.strip_prefix('T')) else { return false };
    // The zone is required as soon as there is a time.
    if let Some(time) = rest.strip_suffix('Z') {
        return is_time(time);
    }
    let Some(split) = rest.rfind(['+', '-']) else { return false };
    let (Some(time), Some(zone)) = (rest.get(..split), rest.get(split + 1..)) else { return false };
    is_time(time) && is_zone(zone)
}

fn is_zone(zone: &str) -> bool {
    let hours = digits(zone, 0, 2);
    let minutes = digits(zone, 3, 2);
    zone.len() == 5
        && zone.as_bytes().get(2) == Some(&b':')
        && match (hours, minutes) {
            (Some(14), Some(0)) => true,
            (Some(hours), Some(minutes)) => hours < 14 && minutes < 60,
            _ => false,
        }
}

/// `hh:mm:ss` with an optional fraction; 24:00 is not allowed, a leap second is.
fn is_time(text: &str) -> bool {
    let colons = [2, 5].iter().all(|at| text.as_bytes().get(*at) == Some(&b':'));
    let in_range = digits(text, 0, 2).is_some_and(|h| h < 24)
        && digits(text, 3, 2).is_some_and(|m| m < 60)
        && digits(text, 6, 2).is_some_and(|s| s <= 60);
    let fraction = match text.get(8..) {
        None => false,
        Some("") => true,
        Some(tail) => tail
            .strip_prefix('.')
            .is_some_and(|f| !f.is_empty() && f.bytes().all(|b| b.is_ascii_digit())),
    };
    colons && in_range && fraction
}

/// FHIR R4 narrative.html: one `div`, without scripts, forms, frames, external content or event
/// attributes. What passes is still shown only inside a page that forbids scripts.
fn is_narrative(text: &str) -> bool {
    const FORBIDDEN: [&str; 14] = [
        "<script",
        "<iframe",
        "<frame",
        "<object",
        "<embed",
        "<form",
        "<input",
        "<link",
        "<base",
        "<body",
        "<head",
        "<!",
        "<?",
        "javascript:",
    ];
    let lower = text.trim().to_ascii_lowercase();
    let is_div = ["<div>", "<div ", "<div\n", "<div\t", "<div\r", "<div/"]
        .iter()
        .any(|start| lower.starts_with(start));
    let closed = lower.ends_with("</div>") || lower.ends_with("/>");
    // A comment is harmless and common in generated narratives.
    let without_comments = lower.replace("<!--", "");
    is_div
        && closed
        && !FORBIDDEN.iter().any(|word| without_comments.contains(word))
        && !has_event_attribute(&without_comments)
}

/// Whether some tag has an attribute that starts with `on`.
fn has_event_attribute(text: &str) -> bool {
    text.split('<').skip(1).any(|tag| {
        let inside = tag.split('>').next().unwrap_or(tag);
        inside.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '/')).any(|word| {
            let name = word.split('=').next().unwrap_or(word);
            name.len() > 2
                && name.starts_with("on")
                && word.contains('=')
                && name.bytes().all(|b| b.is_ascii_alphabetic())
        })
    })
}
