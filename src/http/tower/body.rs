//! Bodies: the inner one or ours, and one that was read beforehand.

use super::events::{Edit, EditedBody, Form, TooLong};
use crate::http::HttpResponse;
use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

pin_project! {
    /// The body of an answer: that of the service behind, or the guard's own.
    pub struct GuardBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B> {
        Inner { #[pin] body: B },
        Edited { #[pin] body: EditedBody<B> },
        Own { body: BufferedBody },
    }
}

impl<B> GuardBody<B> {
    /// What the service sends.
    pub(super) fn inner(body: B) -> Self {
        Self { kind: Kind::Inner { body } }
    }

    /// What the service sends, edited on its way.
    pub(super) fn edited(body: B, form: Form, edit: Edit, too_long: TooLong) -> Self {
        Self { kind: Kind::Edited { body: EditedBody::new(body, form, edit, too_long) } }
    }

    /// What the guard says.
    pub(super) fn own(text: impl Into<Bytes>) -> Self {
        Self { kind: Kind::Own { body: BufferedBody::new(text) } }
    }
}

impl<B: Body<Data = Bytes>> Body for GuardBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().kind.project() {
            KindProjection::Inner { body } => body.poll_frame(context),
            KindProjection::Edited { body } => body.poll_frame(context),
            KindProjection::Own { body } => Poll::Ready(body.0.take().map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Inner { body } => body.is_end_stream(),
            Kind::Edited { .. } => false,
            Kind::Own { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { body } => body.size_hint(),
            Kind::Edited { .. } => SizeHint::default(),
            Kind::Own { body } => body.size_hint(),
        }
    }
}

impl<B> std::fmt::Debug for GuardBody<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match &self.kind {
            Kind::Inner { .. } => "inner",
            Kind::Edited { .. } => "edited",
            Kind::Own { .. } => "own",
        };
        f.debug_struct("GuardBody").field("kind", &kind).finish_non_exhaustive()
    }
}

/// A body that is in memory as a whole.
#[derive(Clone, Debug, Default)]
pub struct BufferedBody(Option<Bytes>);

impl BufferedBody {
    pub(super) fn new(bytes: impl Into<Bytes>) -> Self {
        Self(Some(bytes.into()).filter(|bytes| !bytes.is_empty()))
    }
}

impl Body for BufferedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.get_mut().0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

/// Why a body could not be read as a whole.
pub(super) enum ReadError<E> {
    /// It is longer than allowed.
    TooLong,
    /// The connection failed.
    Failed(E),
}

/// Reads a body of at most `limit` bytes. Trailers are left out.
pub(super) async fn read<B: Body>(body: B, limit: usize) -> Result<Bytes, ReadError<B::Error>> {
    if body.size_hint().lower() > limit as u64 {
        return Err(ReadError::TooLong);
    }
    let mut body = pin!(body);
    let mut bytes = BytesMut::new();
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let Ok(mut data) = frame.map_err(ReadError::Failed)?.into_data() else { continue };
        if data.remaining() > limit - bytes.len() {
            return Err(ReadError::TooLong);
        }
        bytes.extend_from_slice(&data.copy_to_bytes(data.remaining()));
    }
    Ok(bytes.freeze())
}

/// The guard's own answer.
pub(super) fn own_response<B>(answer: HttpResponse) -> Response<GuardBody<B>> {
    let mut response = Response::new(GuardBody::own(answer.body.unwrap_or_default()));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    add_headers(response.headers_mut(), answer.headers);
    response
}

/// Adds headers to an answer, in place of its own of the same name; `Vary` joins the answer's own.
pub(crate) fn add_headers<N: AsRef<str>, V: AsRef<str>>(
    headers: &mut HeaderMap,
    added: impl IntoIterator<Item = (N, V)>,
) {
    for (name, value) in added {
        let name = HeaderName::from_bytes(name.as_ref().as_bytes());
        let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value.as_ref())) else { continue };
        if name == http::header::VARY {
            headers.append(name, value);
        } else {
            headers.insert(name, value);
        }
    }
}
