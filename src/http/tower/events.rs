//! Looking into an answer as it goes by: one JSON document, or the events of a stream.

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body::{Body, Frame};
use pin_project_lite::pin_project;
use serde_json::Value;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The longest document or event that is looked into, in bytes.
const EVENT_MAX: usize = 16 << 20;

/// What happens to an answer with a longer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TooLong {
    /// It goes on without being looked into.
    Pass,
    /// It ends there, since what has to be changed cannot be.
    End,
}

/// How an answer holds its JSON-RPC messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One document.
    Json,
    /// Server-sent events, each with a document as its data.
    Events,
}

impl Form {
    /// The form that the content type names, if it is one of the two.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/json") {
            Some(Self::Json)
        } else if essence.eq_ignore_ascii_case("text/event-stream") {
            Some(Self::Events)
        } else {
            None
        }
    }
}

/// Sees each message of an answer and may change it; says whether it did.
pub(super) type Edit = Box<dyn FnMut(&mut Value) -> bool + Send>;

pin_project! {
    /// A body whose messages pass through an [`Edit`].
    pub(super) struct EditedBody<B> {
        #[pin]
        body: B,
        form: Form,
        edit: Edit,
        too_long: TooLong,
        buffer: BytesMut,
        trailers: Option<HeaderMap>,
        ended: bool,
        passes: bool,
    }
}

impl<B> EditedBody<B> {
    pub(super) fn new(body: B, form: Form, edit: Edit, too_long: TooLong) -> Self {
        let buffer = BytesMut::new();
        Self { body, form, edit, too_long, buffer, trailers: None, ended: false, passes: false }
    }
}

impl<B: Body<Data = Bytes>> Body for EditedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        loop {
            if *this.passes && !this.buffer.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(this.buffer.split().freeze()))));
            }
            if let Some(part) = next_part(this.buffer, *this.form, *this.ended) {
                return Poll::Ready(Some(Ok(Frame::data(edited(&part, *this.form, this.edit)))));
            }
            if *this.ended {
                return Poll::Ready(this.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
            }
            match ready!(this.body.as_mut().poll_frame(context)) {
                None => *this.ended = true,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(mut data) => this.buffer.extend_from_slice(&data.copy_to_bytes(data.remaining())),
                    Err(frame) => *this.trailers = frame.into_trailers().ok(),
                },
            }
            if this.buffer.len() > EVENT_MAX {
                match this.too_long {
                    TooLong::Pass => *this.passes = true,
                    TooLong::End => {
                        this.buffer.clear();
                        *this.ended = true;
                    }
                }
            }
        }
    }
}

/// Takes the next whole document or event, with the blank line that ends it; what is left once the body has ended.
fn next_part(buffer: &mut BytesMut, form: Form, ended: bool) -> Option<Bytes> {
    let end = match form {
        Form::Json => None,
        Form::Events => event_end(buffer),
    };
    let end = end.or((ended && !buffer.is_empty()).then_some(buffer.len()))?;
    Some(buffer.split_to(end).freeze())
}

/// Just behind the first blank line. Lines end with LF, CR or both.
fn event_end(bytes: &[u8]) -> Option<usize> {
    const BLANK: [&[u8]; 3] = [b"\r\n\r\n", b"\n\n", b"\r\r"];
    (0..bytes.len()).find_map(|start| {
        let rest = bytes.get(start..)?;
        BLANK.iter().find(|blank| rest.starts_with(blank)).map(|blank| start + blank.len())
    })
}

fn edited(part: &Bytes, form: Form, edit: &mut Edit) -> Bytes {
    let edited = std::str::from_utf8(part).ok().and_then(|text| match form {
        Form::Json => edited_json(text, edit),
        Form::Events => edited_event(text, edit),
    });
    edited.map_or_else(|| part.clone(), Bytes::from)
}

/// `None` when nothing changed.
fn edited_json(text: &str, edit: &mut Edit) -> Option<String> {
    let mut message = serde_json::from_str(text).ok()?;
    edit(&mut message).then(|| message.to_string())
}

/// An event with its data changed; its other fields stay. `None` when nothing changed.
fn edited_event(text: &str, edit: &mut Edit) -> Option<String> {
    let lines = || text.split(['\n', '\r']).filter(|line| !line.is_empty());
    let data = |line: &'_ str| {
        line.strip_prefix("data:").map(|data| data.strip_prefix(' ').unwrap_or(data).to_owned())
    };
    let joined = lines().filter_map(data).collect::<Vec<_>>().join("\n");
    let json = edited_json(&joined, edit)?;
    let mut event = String::with_capacity(json.len() + 64);
    for line in lines().filter(|line| !line.starts_with("data:")) {
        event.push_str(line);
        event.push('\n');
    }
    event.push_str("data: ");
    event.push_str(&json);
    event.push_str("\n\n");
    Some(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::task::Waker;

    /// A body that comes in given pieces.
    struct Pieces(VecDeque<Frame<Bytes>>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.get_mut().0.pop_front().map(Ok))
        }
    }

    /// Raises `n` of each message by one.
    fn raise() -> Edit {
        Box::new(|message| match message.get("n").and_then(Value::as_i64) {
            Some(n) => {
                message["n"] = Value::from(n + 1);
                true
            }
            None => false,
        })
    }

    fn run(form: Form, pieces: &[&str]) -> Vec<String> {
        run_to(form, pieces, TooLong::End)
    }

    fn run_to(form: Form, pieces: &[&str], too_long: TooLong) -> Vec<String> {
        let frames = pieces.iter().map(|piece| Frame::data(Bytes::copy_from_slice(piece.as_bytes())));
        let mut body = Box::pin(EditedBody::new(Pieces(frames.collect()), form, raise(), too_long));
        let mut out = Vec::new();
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(Ok(frame))) = body.as_mut().poll_frame(&mut context) {
            out.push(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap());
        }
        out
    }

    #[test]
    fn a_document_is_edited_as_a_whole() {
        assert_eq!(run(Form::Json, &["{\"n\"", ":1}"]), ["{\"n\":2}"]);
        assert_eq!(run(Form::Json, &["{\"m\" :1}"]), ["{\"m\" :1}"], "unchanged bytes stay as they are");
        assert_eq!(run(Form::Json, &["{\"n\":"]), ["{\"n\":"]);
        assert!(run(Form::Json, &[]).is_empty());
    }

    #[test]
    fn events_are_edited_one_by_one_as_they_come() {
        let pieces = [
            "retry: 3\n",
            "\nid: 7\ndata: {\"n\"",
            ":1}\n\nevent: x\ndata:{\ndata:\"n\":5}\n",
            "\n: ping\n\n",
        ];
        assert_eq!(
            run(Form::Events, &pieces),
            ["retry: 3\n\n", "id: 7\ndata: {\"n\":2}\n\n", "event: x\ndata: {\"n\":6}\n\n", ": ping\n\n"]
        );
        assert_eq!(
            run(Form::Events, &["data: {\"n\":1}\r\n\r\ndata: 2\r\r"]),
            ["data: {\"n\":2}\n\n", "data: 2\r\r"]
        );
        assert_eq!(
            run(Form::Events, &["data: {\"n\":1}"]),
            ["data: {\"n\":2}\n\n"],
            "the last one needs no blank line"
        );
    }

    #[test]
    fn trailers_come_last_and_a_huge_document_ends_the_answer() {
        let mut trailers = HeaderMap::new();
        trailers.insert("x", "y".parse().unwrap());
        let frames = [Frame::data(Bytes::from("{\"n\":1}")), Frame::trailers(trailers.clone())];
        let mut body = Box::pin(EditedBody::new(Pieces(frames.into()), Form::Json, raise(), TooLong::End));
        let mut context = Context::from_waker(Waker::noop());
        let mut next = || body.as_mut().poll_frame(&mut context);
        assert!(matches!(next(), Poll::Ready(Some(Ok(frame))) if frame.data_ref().unwrap() == "{\"n\":2}"));
        assert!(matches!(next(), Poll::Ready(Some(Ok(frame))) if frame.trailers_ref() == Some(&trailers)));
        assert!(matches!(next(), Poll::Ready(None)));

        let huge = " ".repeat(EVENT_MAX / 2 + 1);
        let pieces = [&*huge, &huge, "{\"n\":1}"];
        assert!(run(Form::Json, &pieces).is_empty());
        assert_eq!(run_to(Form::Json, &pieces, TooLong::Pass).concat(), pieces.concat());
    }

    #[test]
    fn the_content_type_names_the_form() {
        let cases = [
            ("application/json", Some(Form::Json)),
            ("Application/JSON; charset=utf-8", Some(Form::Json)),
            ("text/event-stream", Some(Form::Events)),
            ("text/plain", None),
        ];
        for (value, form) in cases {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, value.parse().unwrap())]);
            assert_eq!(Form::of(&headers), form, "{value}");
        }
        assert_eq!(Form::of(&HeaderMap::new()), None);
    }
}
