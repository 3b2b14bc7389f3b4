//! Cuts a file of policies into single policies, so that everything said about one can name its
//! line.

/// One policy as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// The line on which it begins, from 1, comments before it not counted.
    pub(super) line: usize,
    /// Its text, comments before it not included.
    pub(super) text: &'a str,
}

/// Where the reader stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Code,
    Slash,
    Comment,
    Text,
    Escape,
}

/// The policies of a file: everything up to each `;` that is in no text and in no comment. What
/// follows the last one is a piece too, unless it is empty.
pub(super) fn split(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut state = State::Code;
    let (mut start, mut line, mut start_line) = (None, 1, 1);
    for (place, letter) in text.char_indices() {
        let before = state;
        state = next(state, letter);
        let slash_was_code = before == State::Slash && state != State::Comment;
        let begins = state == State::Text || (state == State::Code && !letter.is_whitespace());
        if start.is_none() && before != State::Comment && (begins || slash_was_code) {
            start = Some(if slash_was_code { place.saturating_sub(1) } else { place });
            start_line = line;
        }
        if letter == ';' && state == State::Code {
            let end = place.saturating_add(1);
            if let Some(piece) = start.take().and_then(|start| text.get(start..end)) {
                pieces.push(Piece { line: start_line, text: piece });
            }
        }
        if letter == '\n' {
            line += 1;
        }
    }
    if let Some(rest) = start.and_then(|start| text.get(start..)) {
        pieces.push(Piece { line: start_line, text: rest });
    }
    pieces
}

const fn next(state: State, letter: char) -> State {
    match state {
        State::Code => match letter {
            '"' => State::Text,
            '/' => State::Slash,
            _ => State::Code,
        },
        State::Slash => match letter {
            '"' => State::Text,
            '/' => State::Comment,
            _ => State::Code,
        },
        State::Comment => match letter {
            '\n' => State::Code,
            _ => State::Comment,
        },
        State::Text => match letter {
            '"' => State::Code,
            '\\' => State::Escape,
            _ => State::Text,
        },
        State::Escape => State::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_ends_at_its_own_semicolon_and_begins_after_its_comments() {
        let text =
            "// a; comment\n\n@id(\"one; \\\" two\")\npermit (a, b, c);\n  // more;\nforbid; x";
        let found = split(text);
        let lines: Vec<usize> = found.iter().map(|piece| piece.line).collect();
        assert_eq!(lines, [3, 6, 6]);
        assert!(found[0].text.starts_with("@id") && found[0].text.ends_with("c);"));
        assert_eq!((found[1].text, found[2].text), ("forbid;", "x"));
    }

    #[test]
    fn a_file_of_comments_has_no_policy() {
        assert!(split("// nothing\n   \n// here").is_empty());
        assert!(split("").is_empty());
    }

    #[test]
    fn a_single_slash_is_no_comment() {
        assert_eq!(split("/ a;")[0].text, "/ a;");
    }
}
