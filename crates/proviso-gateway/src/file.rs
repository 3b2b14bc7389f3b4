//! A file (Binary) in its own form.
//!
//! Source: FHIR R4 binary.html#rest; RFC 9110 §12.5.1 (`Accept`), §14 (ranges). What the file says of
//! its form is the word of whoever wrote it. So it leaves with headers by which no browser takes it
//! for a page of ours: nothing is guessed from the content, nothing runs, nothing is shown in place.

use http::StatusCode;
use proviso_fhir::label::decode_base64;

use crate::answer::Answer;
use crate::problem::{Problem, Refusal};
use crate::upstream::Stored;

/// LIMIT: characters of a media type.
const MEDIA_TYPE_MAX: usize = 255;

/// What was asked of a file.
#[derive(Debug, Clone)]
pub(crate) struct OwnForm {
    /// The media types that are wanted, none of which is FHIR.
    pub(crate) accept: String,
    /// The `Range` header.
    pub(crate) range: Option<String>,
}

/// What is said of a file that leaves in its own form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileHead {
    pub(crate) content_type: String,
    /// `Content-Range`, where only a part leaves or the wanted one is not there.
    pub(crate) content_range: Option<String>,
}

/// The file as it is, or the part of it that is wanted.
///
/// # Errors
/// When it has another form than those that are wanted.
pub(crate) fn answer(
    stored: &Stored,
    asked: &OwnForm,
    is_known: impl Fn(&str) -> bool,
) -> Result<Answer, Refusal> {
    let root = stored.doc.root();
    let content_type = root.string_at(&["contentType"]).unwrap_or_default().into_owned();
    if !is_media_type(&content_type) || !wants(&asked.accept, &content_type) {
        return Err(Problem::NotAcceptable.into());
    }
    let data = root.string_at(&["data"]).unwrap_or_default();
    let data = decode_base64(&data).ok_or(Problem::Unavailable)?;
    let (version, last_modified) = (stored.version.clone(), stored.at);
    let head = |content_range| Some(FileHead { content_type: content_type.clone(), content_range });
    let with = |status, body, range| {
        let file = head(range);
        Answer { version: version.clone(), last_modified, file, ..Answer::new(status, body) }
    };
    if version.as_deref().is_some_and(&is_known) {
        return Ok(with(StatusCode::NOT_MODIFIED, Vec::new(), None));
    }
    let length = data.len();
    Ok(match asked.range.as_deref().and_then(|text| range(text, length)) {
        None => with(StatusCode::OK, data, None),
        Some(None) => {
            with(StatusCode::RANGE_NOT_SATISFIABLE, Vec::new(), Some(format!("bytes */{length}")))
        }
        Some(Some((first, last))) => {
            let part = data.get(first..=last).unwrap_or_default().to_vec();
            let told = format!("bytes {first}-{last}/{length}");
            with(StatusCode::PARTIAL_CONTENT, part, Some(told))
        }
    })
}

/// `type/subtype` with parameters, of characters that a header can carry.
fn is_media_type(text: &str) -> bool {
    let (essence, _) = text.split_once(';').unwrap_or((text, ""));
    let token = |part: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b);
        !part.is_empty() && part.bytes().all(plain)
    };
    let halves = essence.trim().split_once('/');
    text.len() <= MEDIA_TYPE_MAX
        && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
        && halves.is_some_and(|(kind, sub)| token(kind) && token(sub))
}

/// Whether one of the wanted media types is that of the file. Of the parameters only the weight counts.
fn wants(accept: &str, content_type: &str) -> bool {
    let essence =
        |text: &str| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let own = essence(content_type);
    let kind = own.split('/').next().unwrap_or_default();
    accept.split(',').any(|range| {
        let weight = range.split(';').skip(1).map(str::trim).find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.eq_ignore_ascii_case("q").then(|| value.parse::<f32>().unwrap_or(0.0))
        });
        let wanted = essence(range);
        let fits = wanted == own || wanted.strip_suffix("/*") == Some(kind);
        fits && weight.is_none_or(|weight| weight > 0.0)
    })
}

/// The first and last byte of a range; `Some(None)` when it is one that the file does not have, `None`
/// when it is none, or several: then the whole is the answer.
#[expect(clippy::option_option, reason = "no range, a range that is not there, a range")]
fn range(text: &str, length: usize) -> Option<Option<(usize, usize)>> {
    let (from, to) = text.trim().strip_prefix("bytes=")?.split_once('-')?;
    let number = |digits: &str| {
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| digits.parse::<usize>().unwrap_or(usize::MAX))
    };
    match (from, to) {
        ("", last) => {
            let many = number(last)?.min(length);
            Some((many > 0).then(|| (length - many, length - 1)))
        }
        (first, "") => {
            let first = number(first)?;
            Some((first < length).then(|| (first, length - 1)))
        }
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            Some((first < length).then(|| (first, last.min(length - 1))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_header_can_carry_is_a_media_type() {
        for good in ["text/plain", "application/pdf", "text/plain; charset=utf-8", "a/b+c"] {
            assert!(is_media_type(good), "{good}");
        }
        for bad in
            ["", "text", "/", "a/", "/b", "a b/c", "text/plain\r\nx: y", "a/b\u{e9}", "a/b,c/d"]
        {
            assert!(!is_media_type(bad), "{bad}");
        }
        assert!(!is_media_type(&format!("a/{}", "b".repeat(MEDIA_TYPE_MAX))));
    }

    // Covers: RFC 9110 §14.1.2: every range lies within the file
    #[test]
    fn ranges_lie_within_the_file() {
        for length in 0..6_usize {
            for text in
                ["0-0", "0-", "-1", "-0", "1-3", "5-9", "3-1", "9-", "-9", "x", "", "1-2,3-4"]
            {
                let found = range(&format!("bytes={text}"), length);
                if let Some(Some((first, last))) = found {
                    assert!(first <= last && last < length, "{text} of {length}");
                }
            }
            assert_eq!(range("bytes=0-", length).map(|own| own.is_some()), Some(length > 0));
            assert_eq!(range("0-", length), None);
        }
        assert_eq!(range("bytes=99999999999999999999999-", 5), Some(None));
        assert_eq!(range("bytes=0-99999999999999999999999", 5), Some(Some((0, 4))));
    }
}
