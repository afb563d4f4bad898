//! A small text buffer that decisions carry with them.

/// A stretch of a [`Texts`] buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Span {
    pub(super) start: u16,
    pub(super) len: u16,
}

/// Bytes of the plan's and limits' names that fit inline; longer ones move the buffer to the heap.
const TEXTS_INLINE: usize = 96;

/// A small append-only text buffer.
pub(crate) struct Texts {
    inline: [u8; TEXTS_INLINE],
    used: u16,
    heap: Option<String>,
}

impl Texts {
    pub(crate) fn new() -> Self {
        Self { inline: [0; TEXTS_INLINE], used: 0, heap: None }
    }

    /// Appends `text`, which the policy's bounds keep far below 64 KiB in all.
    pub(crate) fn push(&mut self, text: &str) -> Span {
        let start = self.used;
        let end = usize::from(start) + text.len();
        let (Ok(used), Ok(len)) = (u16::try_from(end), u16::try_from(text.len())) else {
            return Span::default();
        };
        match (&mut self.heap, self.inline.get_mut(usize::from(start)..end)) {
            (None, Some(target)) => target.copy_from_slice(text.as_bytes()),
            (Some(heap), _) => heap.push_str(text),
            (None, None) => {
                let mut heap = String::with_capacity(end.max(2 * TEXTS_INLINE));
                heap.push_str(self.inline_text(0, usize::from(start)));
                heap.push_str(text);
                self.heap = Some(heap);
            }
        }
        self.used = used;
        Span { start, len }
    }

    pub(crate) fn text(&self, span: Span) -> &str {
        let (start, end) = (usize::from(span.start), usize::from(span.start) + usize::from(span.len));
        match &self.heap {
            Some(heap) => heap.get(start..end).unwrap_or(""),
            None => self.inline_text(start, end),
        }
    }

    fn inline_text(&self, start: usize, end: usize) -> &str {
        self.inline.get(start..end).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_move_to_the_heap_and_keep_their_spans() {
        let mut texts = Texts::new();
        let parts: Vec<String> =
            (0..9).map(|i| char::from(b'a' + i).to_string().repeat(40 + usize::from(i))).collect();
        let spans: Vec<Span> = parts.iter().map(|p| texts.push(p)).collect();
        assert!(texts.heap.is_some());
        for (part, span) in parts.iter().zip(spans) {
            assert_eq!(texts.text(span), part);
        }
    }
}
