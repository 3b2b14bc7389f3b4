//! Bodies that could mean two things or none: a server that takes one of them, or that becomes
//! slow by them, has no speed worth telling.

use bytes::Bytes;

/// Levels of the deepest body.
const LEVELS: usize = 1024;

/// A laboratory result of a patient that a store takes, with something put before its end.
pub fn observation(patient: &str, more: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","status":"final","subject":{{"reference":"Patient/{patient}"}},
"category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}}]}}],
"code":{{"coding":[{{"system":"http://loinc.org","code":"2345-7"}}]}}{more}}}"#
    )
}

/// Every such body with its name, each made from [`observation`]; nothing but the body is wrong.
pub fn bodies(patient: &str) -> Vec<(&'static str, Bytes)> {
    let good = observation(patient, "");
    let mut not_text = observation(patient, r#","note":[{"text":"?"}]"#).into_bytes();
    for byte in not_text.iter_mut().filter(|byte| **byte == b'?') {
        *byte = 0xff;
    }
    let deep = format!(
        r#","extension":{}[]{}"#,
        r#"[{"url":"http://x.example","extension":"#.repeat(LEVELS / 2),
        "}]".repeat(LEVELS / 2)
    );
    let cut = good.len() - 20;
    vec![
        ("duplicate key", observation(patient, r#","status":"amended""#).into()),
        ("escaped key", observation(patient, r#","\u0069ssued":"2026-01-01T00:00:00Z""#).into()),
        ("truncated", good.into_bytes().into_iter().take(cut).collect()),
        ("invalid UTF-8", not_text.into()),
        ("1024 levels deep", observation(patient, &deep).into()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_body_is_wrong_in_the_one_way_that_it_is_named_for() {
        let lenient = |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).is_ok();
        assert!(proviso_fhir::json::Doc::parse(observation("a", "").into_bytes()).is_ok());
        for (name, body) in bodies("a") {
            let read = lenient(&body);
            // A reader that takes the last of two keys, or undoes escapes, sees nothing wrong.
            assert_eq!(read, matches!(name, "duplicate key" | "escaped key"), "{name}");
            assert!(proviso_fhir::json::Doc::parse(body.to_vec()).is_err(), "{name}");
        }
        let (_, deep) = bodies("a").pop().unwrap();
        assert_eq!(String::from_utf8_lossy(&deep).matches("}]").count(), LEVELS / 2 + 3);
    }
}
