//! The two halves of a link's socket: TCP from a terminal that speaks in the clear, or the inner end of a pair of sockets whose outer
//! end is served by TLS.
//!
//! The hot path reads and writes sockets directly; a link under TLS pays for a copy and one more pair of descriptors instead, and
//! the others for nothing but a branch.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustix::net::{Shutdown, shutdown};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::{TcpStream, UdpSocket, UnixStream, tcp, unix};

/// What comes from the terminal.
#[derive(Debug)]
pub(crate) enum ReadHalf {
    Tcp(tcp::OwnedReadHalf),
    Inner(unix::OwnedReadHalf),
}

/// What goes to the terminal.
#[derive(Debug)]
pub(crate) enum WriteHalf {
    Tcp(tcp::OwnedWriteHalf),
    Inner(unix::OwnedWriteHalf),
    /// The socket of all datagrams, and the sender that is answered.
    Datagram(Arc<UdpSocket>, SocketAddr),
}

pub(crate) fn split_tcp(socket: TcpStream) -> (ReadHalf, WriteHalf) {
    let (read, write) = socket.into_split();
    (ReadHalf::Tcp(read), WriteHalf::Tcp(write))
}

pub(crate) fn split_inner(socket: UnixStream) -> (ReadHalf, WriteHalf) {
    let (read, write) = socket.into_split();
    (ReadHalf::Inner(read), WriteHalf::Inner(write))
}

impl From<tcp::OwnedWriteHalf> for WriteHalf {
    fn from(socket: tcp::OwnedWriteHalf) -> Self {
        Self::Tcp(socket)
    }
}

impl AsyncRead for ReadHalf {
    fn poll_read(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_read(task, buffer),
            Self::Inner(socket) => Pin::new(socket).poll_read(task, buffer),
        }
    }
}

impl WriteHalf {
    /// Writes what the socket takes at once.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.try_write(bytes),
            Self::Inner(socket) => socket.try_write(bytes),
            Self::Datagram(socket, peer) => {
                // A datagram goes out whole or is lost, as on the way: the terminal asks again.
                if let Err(error) = socket.try_send_to(bytes, *peer) {
                    tracing::trace!(%error, "an answer was lost");
                }
                Ok(bytes.len())
            }
        }
    }

    /// Waits until it may take something.
    pub(super) async fn writable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.writable().await,
            Self::Inner(socket) => socket.writable().await,
            Self::Datagram(socket, _) => socket.writable().await,
        }
    }

    /// Ends both directions.
    pub(super) fn shut_down(&self) -> io::Result<()> {
        let done = match self {
            Self::Tcp(socket) => shutdown(socket.as_ref(), Shutdown::Both),
            Self::Inner(socket) => shutdown(socket.as_ref(), Shutdown::Both),
            // The socket is everybody's. Who is closed is not listened to any more.
            Self::Datagram(..) => Ok(()),
        };
        done.map_err(io::Error::from)
    }
}
