//! What the layers need of an async runtime: a thread that may block, and a timer.

use crate::error::{Error, ErrorKind};
use parking_lot::Mutex;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Work that may block.
pub type Work = Box<dyn FnOnce() + Send>;

/// A future on the heap.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// An async runtime, as far as the guard needs one.
///
/// # Contract
/// [`run_blocking`](Self::run_blocking) returns at once and runs the work later on a thread where blocking is allowed. Work
/// that is dropped without having run, as at shutdown, makes its request end with 503.
pub trait Runtime: Send + Sync + 'static {
    /// Runs work that may block, such as asking the store.
    fn run_blocking(&self, work: Work);

    /// Waits without blocking: a plan's slow mode delays calls.
    fn sleep(&self, duration: Duration) -> BoxFuture<()>;
}

/// Tokio. Must be used within one of its runtimes that has timers enabled.
#[cfg(feature = "axum-08")]
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioRuntime;

#[cfg(feature = "axum-08")]
impl Runtime for TokioRuntime {
    fn run_blocking(&self, work: Work) {
        drop(tokio::task::spawn_blocking(work));
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Runs `work` where it may block and waits for what it returns.
///
/// # Errors
/// [`ErrorKind::Closed`] when the runtime drops the work.
pub(crate) async fn offload<T: Send + 'static>(
    runtime: &dyn Runtime,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    let slot = Arc::new(Mutex::new(Slot { state: State::Running, waker: None }));
    let sender = Sender { slot: Arc::clone(&slot) };
    runtime.run_blocking(Box::new(move || sender.finish(work())));
    Receiver { slot }.await.ok_or_else(|| {
        Error::new(
            ErrorKind::Closed,
            "the runtime dropped the work; it is shutting down, or its threads cannot start",
        )
    })
}

/// One value on its way from a thread to a task.
struct Slot<T> {
    state: State<T>,
    waker: Option<Waker>,
}

enum State<T> {
    Running,
    Done(T),
    Dropped,
}

struct Sender<T> {
    slot: Arc<Mutex<Slot<T>>>,
}

impl<T> Sender<T> {
    fn finish(self, value: T) {
        self.slot.lock().state = State::Done(value);
    }
}

/// Wakes the receiver whether the work finished, panicked or never ran.
impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut slot = self.slot.lock();
        if matches!(slot.state, State::Running) {
            slot.state = State::Dropped;
        }
        if let Some(waker) = slot.waker.take() {
            drop(slot);
            waker.wake();
        }
    }
}

struct Receiver<T> {
    slot: Arc<Mutex<Slot<T>>>,
}

impl<T> Future for Receiver<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut slot = self.slot.lock();
        match std::mem::replace(&mut slot.state, State::Dropped) {
            State::Done(value) => Poll::Ready(Some(value)),
            State::Dropped => Poll::Ready(None),
            State::Running => {
                slot.state = State::Running;
                slot.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::task::Wake;

    /// Runs work on a thread of its own; a test has few pieces of work.
    struct Threads;

    impl Runtime for Threads {
        fn run_blocking(&self, work: Work) {
            std::thread::spawn(work);
        }

        fn sleep(&self, _: Duration) -> BoxFuture<()> {
            Box::pin(std::future::ready(()))
        }
    }

    /// Drops all work.
    struct ShuttingDown;

    impl Runtime for ShuttingDown {
        fn run_blocking(&self, _: Work) {}

        fn sleep(&self, _: Duration) -> BoxFuture<()> {
            Box::pin(std::future::ready(()))
        }
    }

    struct Signal(mpsc::Sender<()>);

    impl Wake for Signal {
        fn wake(self: Arc<Self>) {
            let _ = self.0.send(());
        }
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let (sender, woken) = mpsc::channel();
        let waker = Waker::from(Arc::new(Signal(sender)));
        let mut future = Box::pin(future);
        loop {
            if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return value;
            }
            // A wake-up that is lost fails the test instead of holding it up for ever.
            woken.recv_timeout(Duration::from_secs(30)).unwrap();
        }
    }

    #[test]
    fn the_value_comes_back() {
        assert_eq!(block_on(offload(&Threads, || 6 * 7)).unwrap(), 42);
    }

    #[test]
    fn the_waiter_is_woken_when_the_work_comes_late() {
        let (go, wait) = mpsc::channel::<()>();
        let waiting = offload(&Threads, move || wait.recv().is_ok());
        let mut waiting = Box::pin(waiting);
        let noop = Waker::noop();
        assert!(waiting.as_mut().poll(&mut Context::from_waker(noop)).is_pending());
        go.send(()).unwrap();
        assert!(block_on(waiting).unwrap());
    }

    #[test]
    fn work_that_is_dropped_or_panics_is_an_error() {
        let error = block_on(offload(&ShuttingDown, || ())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed);
        let error = block_on(offload(&Threads, || std::panic::resume_unwind(Box::new(())))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed);
    }
}
