//! Page positions that only we can read: AES-256-GCM, bound to one grant, one plan, one query.
//!
//! A link to the next page says nothing about the store, cannot be edited, and is worth nothing
//! to another caller or after the consent has changed (leaks 38, 40, 41, 42).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proviso_app::ports::Entropy;
use proviso_core::id::{ClientId, GrantId, ResourceId};
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;
use serde::{Deserialize, Serialize};

/// LIMIT: a page is a pause in reading, not a bookmark.
const TTL_SECS: i64 = 3600;

/// To whom a cursor belongs; none of it can be read from the cursor, all of it must fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binding<'a> {
    pub(crate) client: &'a ClientId,
    pub(crate) grant: &'a GrantId,
    /// Hash of everything the plan lets the caller see; another consent version is another hash.
    pub(crate) plan: [u8; 32],
    /// The path the cursor continues, such as `Observation`.
    pub(crate) path: &'a str,
}

impl Binding<'_> {
    /// Length-prefixed, so that no two bindings have the same bytes.
    fn bytes(&self) -> Vec<u8> {
        let mut out = b"proviso cursor 1".to_vec();
        for part in [
            self.client.as_str().as_bytes(),
            self.grant.as_str().as_bytes(),
            &self.plan,
            self.path.as_bytes(),
        ] {
            out.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            out.extend_from_slice(part);
        }
        out
    }
}

/// Where a search or history goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// The caller's own query, percent-encoded as asked.
    #[serde(rename = "q")]
    pub(crate) query: String,
    /// The point in the reader's own terms.
    #[serde(rename = "p")]
    pub(crate) point: Point,
}

/// The point at which reading goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Point {
    /// So many of the view have been read.
    #[serde(rename = "s")]
    pub(crate) skip: usize,
    /// The state of the embedded store that is being read.
    #[serde(rename = "a", skip_serializing_if = "Option::is_none", default)]
    pub(crate) as_of: Option<Seq>,
    /// The last match that was read from it.
    #[serde(rename = "k", skip_serializing_if = "Option::is_none", default)]
    pub(crate) after: Option<(ResourceType, ResourceId)>,
    /// The place of the last match in the asked order, as [`proviso_fhir::search::SortRow`]
    /// writes it down.
    #[serde(rename = "r", skip_serializing_if = "Option::is_none", default)]
    pub(crate) row: Option<String>,
    /// Versions older than this one, counted by the store.
    #[serde(rename = "b", skip_serializing_if = "Option::is_none", default)]
    pub(crate) before_seq: Option<Seq>,
}

/// A sequence number of the embedded store, always written with the same number of digits: it
/// counts everybody's changes, and the length of a cursor must not tell how many there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Seq(pub(crate) u64);

impl From<Seq> for String {
    fn from(seq: Seq) -> Self {
        format!("{:016x}", seq.0)
    }
}

impl TryFrom<String> for Seq {
    type Error = core::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        u64::from_str_radix(&text, 16).map(Self)
    }
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    #[serde(flatten)]
    position: Position,
    #[serde(rename = "x")]
    expires_at: At,
}

/// The cursor is not ours, not this caller's, or too old: always the same answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the page link is not valid")]
pub(crate) struct CursorError;

/// Seals and opens cursors.
pub(crate) struct Cursors {
    key: LessSafeKey,
}

impl core::fmt::Debug for Cursors {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Cursors(***)")
    }
}

impl Cursors {
    pub(crate) fn new(key: &[u8; 32]) -> Result<Self, CursorError> {
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| CursorError)?;
        Ok(Self { key: LessSafeKey::new(key) })
    }

    pub(crate) fn seal(
        &self,
        binding: &Binding<'_>,
        position: &Position,
        at: At,
        entropy: &dyn Entropy,
    ) -> Result<String, CursorError> {
        let sealed = Sealed { position: position.clone(), expires_at: at.plus_secs(TTL_SECS) };
        let mut bytes = serde_json::to_vec(&sealed).map_err(|_| CursorError)?;
        let mut nonce = [0_u8; NONCE_LEN];
        entropy.fill(&mut nonce).map_err(|_| CursorError)?;
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(binding.bytes()),
                &mut bytes,
            )
            .map_err(|_| CursorError)?;
        let mut out = nonce.to_vec();
        out.append(&mut bytes);
        Ok(URL_SAFE_NO_PAD.encode(out))
    }

    pub(crate) fn open(
        &self,
        binding: &Binding<'_>,
        text: &str,
        at: At,
    ) -> Result<Position, CursorError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>().ok_or(CursorError)?;
        let mut sealed = sealed.to_vec();
        let opened = self
            .key
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(binding.bytes()),
                &mut sealed,
            )
            .map_err(|_| CursorError)?;
        let sealed: Sealed = serde_json::from_slice(opened).map_err(|_| CursorError)?;
        if at < sealed.expires_at { Ok(sealed.position) } else { Err(CursorError) }
    }
}

#[cfg(test)]
mod tests {
    use proviso_app::ports::SystemEntropy;

    use super::*;

    struct Case {
        client: ClientId,
        grant: GrantId,
        plan: [u8; 32],
        path: &'static str,
    }

    impl Case {
        fn new() -> Self {
            Self {
                client: "glucose-coach".parse().unwrap(),
                grant: "grt_1".parse().unwrap(),
                plan: [7; 32],
                path: "Observation",
            }
        }

        fn binding(&self) -> Binding<'_> {
            Binding { client: &self.client, grant: &self.grant, plan: self.plan, path: self.path }
        }
    }

    fn position() -> Position {
        Position { query: "code=a".to_owned(), point: Point { skip: 20, ..Point::default() } }
    }

    // Covers: leak 40, leak 41
    #[test]
    fn a_cursor_opens_only_for_whom_and_what_it_was_made_and_in_time() {
        let cursors = Cursors::new(&[1; 32]).unwrap();
        let at = At::from_secs(1_000_000);
        let own = Case::new();
        let entropy = SystemEntropy::default();
        let text = cursors.seal(&own.binding(), &position(), at, &entropy).unwrap();
        assert_eq!(cursors.open(&own.binding(), &text, at), Ok(position()));

        let others = [
            Case { client: "bill-helper".parse().unwrap(), ..Case::new() },
            Case { grant: "grt_2".parse().unwrap(), ..Case::new() },
            Case { plan: [8; 32], ..Case::new() },
            Case { path: "Condition", ..Case::new() },
        ];
        for other in others {
            assert_eq!(cursors.open(&other.binding(), &text, at), Err(CursorError));
        }
        let last = at.plus_secs(TTL_SECS - 1);
        assert!(cursors.open(&own.binding(), &text, last).is_ok());
        let expired = at.plus_secs(TTL_SECS);
        assert_eq!(cursors.open(&own.binding(), &text, expired), Err(CursorError));
    }

    #[test]
    fn a_cursor_with_any_character_changed_does_not_open() {
        let cursors = Cursors::new(&[1; 32]).unwrap();
        let at = At::from_secs(1_000_000);
        let own = Case::new();
        let entropy = SystemEntropy::default();
        let text = cursors.seal(&own.binding(), &position(), at, &entropy).unwrap();
        for index in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
            let edited = String::from_utf8(bytes).unwrap();
            assert_eq!(cursors.open(&own.binding(), &edited, at), Err(CursorError), "at {index}");
        }
        let cut: String = text.chars().take(20).collect();
        for broken in ["", "!", "AAAA", &cut] {
            assert_eq!(cursors.open(&own.binding(), broken, at), Err(CursorError));
        }
    }
}
