//! The body of a response, as text where it is text.

use crate::bindings::Body;

/// A UTF-8 sequence is four bytes at most, so a cut can leave three of one behind.
const LONGEST_CUT_SEQUENCE: usize = 3;

/// Makes text of bytes that are UTF-8 without zero bytes. Where they were cut, the character that
/// the cut went through is dropped: it alone must not turn a text into bytes.
pub fn decode(mut bytes: Vec<u8>, truncated: bool) -> Body {
    if truncated
        && let Err(error) = std::str::from_utf8(&bytes)
        && error.error_len().is_none()
        && bytes.len() - error.valid_up_to() <= LONGEST_CUT_SEQUENCE
    {
        bytes.truncate(error.valid_up_to());
    }
    if bytes.contains(&0) {
        return Body::Bytes(bytes);
    }
    match String::from_utf8(bytes) {
        Ok(text) => Body::Text(text),
        Err(error) => Body::Bytes(error.into_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8], truncated: bool) -> Option<String> {
        match decode(bytes.to_vec(), truncated) {
            Body::Text(text) => Some(text),
            Body::Bytes(_) => None,
        }
    }

    #[test]
    fn text_is_told_from_bytes() {
        assert_eq!(text("Grüße".as_bytes(), false).as_deref(), Some("Grüße"));
        assert_eq!(text(b"", false).as_deref(), Some(""));
        assert_eq!(text(b"\x89PNG\r\n", false), None);
        assert_eq!(text(b"zero\0byte", false), None);
    }

    #[test]
    fn a_cut_character_is_dropped_only_where_the_body_was_cut() {
        let cut = &"schön €".as_bytes()[.."schön €".len() - 1];
        assert_eq!(text(cut, true).as_deref(), Some("schön "));
        assert_eq!(text(cut, false), None);
    }
}
