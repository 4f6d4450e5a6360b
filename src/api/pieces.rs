//! Answers that another thread writes, a few pieces ahead of their reader: bounded memory, however large the answer and slow the reader.

use std::io::{self, BufWriter, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};
use motorpool_exports::ExportError;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// Bytes of one piece of a streamed answer.
pub(super) const PIECE_BYTES: usize = 64 << 10;
/// Pieces that may wait for a slow reader.
pub(super) const PIECES_MAX: usize = 8;

/// A body that `write` writes on a blocking thread, a few pieces ahead of the reader, who may take up to `patience` for each. `size`
/// is the number of bytes, when it is known.
pub(super) fn stream(
    write: impl FnOnce(BufWriter<&Sender>) -> Result<(), ExportError> + Send + 'static,
    size: Option<u64>,
    patience: Duration,
) -> Body {
    let (pieces, received) = mpsc::channel(PIECES_MAX);
    let is_whole = Arc::new(AtomicBool::new(false));
    let body = Pieces { received, is_whole: Arc::clone(&is_whole), left: size };
    let sender = Sender { pieces, patience, runtime: Handle::current() };
    // Ends by itself: with the last row, when the reader has gone, or when it takes nothing for too long.
    drop(tokio::task::spawn_blocking(move || {
        match write(BufWriter::with_capacity(PIECE_BYTES, &sender)) {
            Ok(()) => is_whole.store(true, Ordering::Release),
            Err(ExportError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                tracing::debug!("the reader of an answer has gone");
            }
            Err(ExportError::Output(error)) if error.kind() == io::ErrorKind::TimedOut => {
                tracing::info!("the reader of an answer took nothing for too long");
            }
            Err(error) => tracing::error!(%error, "an answer could not be written"),
        }
        // Only now does the body end.
        drop(sender);
    }));
    Body::new(body)
}

/// Hands what is written over to the body.
pub(super) struct Sender {
    pieces: mpsc::Sender<Bytes>,
    patience: Duration,
    runtime: Handle,
}

impl Write for &Sender {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = Bytes::copy_from_slice(bytes);
        let sent = async { tokio::time::timeout(self.patience, self.pieces.send(piece)).await };
        self.runtime
            .block_on(sent)
            .map_err(|_| io::ErrorKind::TimedOut)?
            .map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A body of pieces that another thread writes.
struct Pieces {
    received: mpsc::Receiver<Bytes>,
    /// Set before the sender goes when nothing is missing.
    is_whole: Arc<AtomicBool>,
    /// Bytes to come, when that is known.
    left: Option<u64>,
}

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let piece = std::task::ready!(self.received.poll_recv(context));
        Poll::Ready(match piece {
            Some(piece) => {
                let size = u64::try_from(piece.len()).unwrap_or(u64::MAX);
                self.left = self.left.map(|left| left.saturating_sub(size));
                Some(Ok(Frame::data(piece)))
            }
            None if self.is_whole.swap(true, Ordering::AcqRel) => None,
            // Breaks the answer off, so that nobody takes the part for the whole.
            None => Some(Err(io::ErrorKind::UnexpectedEof.into())),
        })
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
