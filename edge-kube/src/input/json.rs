//! JSON into trees, value by value.
//!
//! A reader of its own, since no JSON library says where a value stands, and what is wrong with a field is reported with
//! its line and column. The grammar is RFC 8259 and nothing more; a property test holds it against serde_json.

use std::borrow::Cow;

use super::node::{Entry, Fields, MAX_DEPTH, MAX_NODES, Malformed, Node, Position, Sink, Value};

/// Hands each value of `text` to `sink`; there may be several, with or without space between them.
pub(super) fn parse<'a>(text: &'a str, sink: &mut impl Sink<'a>) -> Result<(), Malformed> {
    let mut reader = Reader { text, at: 0, line: 1, mark: 0, mark_column: 1, live: 0 };
    loop {
        reader.skip_space();
        if reader.peek().is_none() {
            return Ok(());
        }
        reader.live = 0;
        let root = if reader.peek() == Some(b'{') { reader.root(sink)? } else { reader.value(0)? };
        if root.value != Value::Null {
            sink.document(root);
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    /// A byte of the current line whose column is known, so that no column is counted twice.
    mark: usize,
    mark_column: u32,
    /// Nodes of this value.
    live: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    fn position(&mut self) -> Position {
        let passed = self.slice(self.mark, self.at).chars().count();
        self.mark_column = self.mark_column.saturating_add(super::node::saturate(passed));
        self.mark = self.at;
        Position { line: self.line, column: self.mark_column }
    }

    fn skip_space(&mut self) {
        while let Some(byte @ (b' ' | b'\t' | b'\n' | b'\r')) = self.peek() {
            self.at += 1;
            if byte == b'\n' || (byte == b'\r' && self.peek() != Some(b'\n')) {
                self.line = self.line.saturating_add(1);
                (self.mark, self.mark_column) = (self.at, 1);
            }
        }
    }

    /// An error at the next character.
    fn unexpected<T>(&mut self, expected: &str) -> Result<T, Malformed> {
        let found = match self.slice(self.at, self.text.len()).chars().next() {
            Some(character) => format!("{character:?}"),
            None => "the end of the input".into(),
        };
        Err(Malformed::syntax(self.position(), format!("invalid JSON: expected {expected}, found {found}")))
    }

    fn expect(&mut self, byte: u8, expected: &str) -> Result<(), Malformed> {
        if self.peek() != Some(byte) {
            return self.unexpected(expected);
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<Node<'a>, Malformed> {
        let at = self.position();
        self.live += 1;
        if self.live > MAX_NODES {
            return Err(Malformed::too_large(at));
        }
        let value = match self.peek() {
            Some(b'{') => return self.object(depth),
            Some(b'[') => {
                let mut items = Vec::new();
                self.list(depth, |reader| {
                    items.push(reader.value(depth + 1)?);
                    Ok(())
                })?;
                Value::List(items)
            }
            Some(b'"') => Value::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number(at)?,
            Some(b't') => self.word("true", Value::Bool(true))?,
            Some(b'f') => self.word("false", Value::Bool(false))?,
            Some(b'n') => self.word("null", Value::Null)?,
            _ => return self.unexpected("a value"),
        };
        Ok(Node { at, value })
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Result<Value<'a>, Malformed> {
        if !self.slice(self.at, self.text.len()).starts_with(word) {
            return self.unexpected("a value");
        }
        self.at += word.len();
        Ok(value)
    }

    fn list(
        &mut self,
        depth: usize,
        mut element: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        if depth >= MAX_DEPTH {
            return Err(Malformed::too_deep(self.position()));
        }
        self.expect(b'[', "'['")?;
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.skip_space();
            element(self)?;
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.unexpected("',' or ']'"),
            }
        }
    }

    /// Calls `field` at the value of each field.
    fn fields(
        &mut self,
        depth: usize,
        mut field: impl FnMut(&mut Self, &str, &Fields<'a>) -> Result<Node<'a>, Malformed>,
    ) -> Result<Node<'a>, Malformed> {
        let at = self.position();
        if depth >= MAX_DEPTH {
            return Err(Malformed::too_deep(at));
        }
        self.expect(b'{', "'{'")?;
        let mut fields = Fields::default();
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Node { at, value: Value::Object(fields.entries) });
        }
        loop {
            self.skip_space();
            let at_key = self.position();
            if self.peek() != Some(b'"') {
                return self.unexpected("a key in double quotes");
            }
            let key = self.string()?;
            fields.refuse_twice(&key, at_key)?;
            self.skip_space();
            self.expect(b':', "':'")?;
            self.skip_space();
            let node = field(self, &key, &fields)?;
            fields.entries.push(Entry { at: at_key, key, node });
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Node { at, value: Value::Object(fields.entries) });
                }
                _ => return self.unexpected("',' or '}'"),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Node<'a>, Malformed> {
        self.fields(depth, |reader, _, _| reader.value(depth + 1))
    }

    /// The outermost object, whose `items` are handed over one by one.
    fn root(&mut self, sink: &mut impl Sink<'a>) -> Result<Node<'a>, Malformed> {
        self.fields(0, |reader, key, fields| {
            if key != "items" || reader.peek() != Some(b'[') {
                return reader.value(1);
            }
            let at = reader.position();
            sink.begin_items(&fields.entries);
            reader.list(1, |reader| {
                let before = reader.live;
                let item = reader.value(2)?;
                if !sink.item(item) {
                    reader.live = before;
                }
                Ok(())
            })?;
            Ok(Node { at, value: Value::List(Vec::new()) })
        })
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Malformed> {
        self.at += 1;
        let mut from = self.at;
        let mut owned: Option<String> = None;
        loop {
            let plain = self.text.as_bytes().get(self.at..).unwrap_or_default();
            self.at += plain.iter().take_while(|b| **b >= 0x20 && **b != b'"' && **b != b'\\').count();
            let part = self.slice(from, self.at);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(match owned {
                        Some(text) => Cow::Owned(text + part),
                        None => Cow::Borrowed(part),
                    });
                }
                Some(b'\\') => {
                    let text = owned.get_or_insert_default();
                    text.push_str(part);
                    self.at += 1;
                    let character = self.escape()?;
                    text.push(character);
                    from = self.at;
                }
                Some(_) => return self.unexpected("no control character in a string"),
                None => return self.unexpected("'\"' at the end of the string"),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Malformed> {
        let character = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode();
            }
            _ => return self.unexpected("an escape such as \\n"),
        };
        self.at += 1;
        Ok(character)
    }

    /// One or two `\uXXXX`. Half a pair becomes the replacement character, as in Go.
    fn unicode(&mut self) -> Result<char, Malformed> {
        let first = self.hex()?;
        if (0xd800..0xdc00).contains(&first) && self.slice(self.at, self.at + 2) == "\\u" {
            let before = self.at;
            self.at += 2;
            let second = self.hex()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = before;
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex(&mut self) -> Result<u32, Malformed> {
        let mut code = 0;
        for _ in 0..4 {
            match self.peek().and_then(|byte| char::from(byte).to_digit(16)) {
                Some(digit) => code = code * 16 + digit,
                None => return self.unexpected("four hexadecimal digits"),
            }
            self.at += 1;
        }
        Ok(code)
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return self.unexpected("a digit");
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self, start: Position) -> Result<Value<'a>, Malformed> {
        let from = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        if self.peek() == Some(b'0') {
            self.at += 1
        } else {
            self.digits()?
        }
        let whole = self.at;
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        let text = self.slice(from, self.at);
        if whole == self.at {
            if let Ok(value) = text.parse() {
                return Ok(Value::Int(value));
            }
            if let Ok(value) = text.parse() {
                return Ok(Value::Unsigned(value));
            }
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Value::Float(value)),
            _ => Err(Malformed::rule(start, "the number is out of range")),
        }
    }
}
