//! The bytes of one connection, with what hyper leaves to its user: a client that does not read what is written to it does not
//! hold its connection, and a request with two lengths is noticed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// Of a header's line only this much is looked at; the two names that matter are shorter.
const LINE_BYTES_KEPT: usize = 128;

/// Whether a connection brought a request whose end two readers could see at two places.
#[derive(Debug, Clone, Default)]
pub struct Ambiguity(Arc<AtomicBool>);

impl Ambiguity {
    /// Whether there was one.
    #[must_use]
    pub fn was_seen(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// A connection.
pub struct Wire {
    stream: TcpStream,
    framing: Framing,
    ambiguity: Ambiguity,
    write_timeout: Duration,
    /// Runs from the first write that had to wait until everything was taken.
    patience: Option<Pin<Box<Sleep>>>,
}

impl Wire {
    /// Watches over a connection.
    #[must_use]
    pub fn new(stream: TcpStream, write_timeout: Duration) -> Self {
        Self {
            stream,
            framing: Framing::default(),
            ambiguity: Ambiguity::default(),
            write_timeout,
            patience: None,
        }
    }

    /// What it will have noticed.
    #[must_use]
    pub fn ambiguity(&self) -> Ambiguity {
        self.ambiguity.clone()
    }

    /// A write that waits goes on waiting until the patience ends.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let limit = self.write_timeout;
        let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(limit)));
        patience.as_mut().poll(context).map(|()| {
            Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the client does not read",
            ))
        })
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if self.framing.read(&buffer.filled()[before..]) {
            self.ambiguity.0.store(true, Ordering::SeqCst);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(context, bytes) {
            Poll::Ready(written) => Poll::Ready(written),
            Poll::Pending => self.wait(context),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write_vectored(context, slices) {
            Poll::Ready(written) => Poll::Ready(written),
            Poll::Pending => self.wait(context),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes when it has handed over all that it had.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.patience = None;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Follows requests far enough to see `Content-Length` beside `Transfer-Encoding`, the classic of request smuggling (RFC 9112,
/// section 6.1). hyper takes the second, forgets that there was the first, and so cannot tell.
///
/// A chunked body ends what is followed: the server closes the connection after the answer to such a request.
#[derive(Debug)]
enum Framing {
    Head(Head),
    Body { left: u64 },
    Ended,
}

#[derive(Debug, Default)]
struct Head {
    line: Vec<u8>,
    /// Whether the request line was there. Empty lines before it count for nothing.
    begun: bool,
    length: Option<u64>,
    chunked: bool,
}

impl Default for Framing {
    fn default() -> Self {
        Self::Head(Head::default())
    }
}

impl Framing {
    /// Reads on; true when a request can be read in two ways.
    fn read(&mut self, mut bytes: &[u8]) -> bool {
        while let Some((first, rest)) = bytes.split_first() {
            match self {
                Self::Ended => return false,
                Self::Body { left } => {
                    let here =
                        usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                    *left -= here as u64;
                    bytes = &bytes[here..];
                    if *left == 0 {
                        *self = Self::default();
                    }
                }
                Self::Head(head) => {
                    bytes = rest;
                    match head.take(*first) {
                        Some(Line::Twice) => {
                            *self = Self::Ended;
                            return true;
                        }
                        Some(Line::Last) => *self = head.body(),
                        Some(Line::Another) | None => {}
                    }
                }
            }
        }
        false
    }
}

/// What a line of a head came to.
enum Line {
    /// There are more.
    Another,
    /// It was the last.
    Last,
    /// The request has two lengths, or one that cannot be read.
    Twice,
}

impl Head {
    fn take(&mut self, byte: u8) -> Option<Line> {
        if byte != b'\n' {
            if self.line.len() < LINE_BYTES_KEPT {
                self.line.push(byte);
            }
            return None;
        }
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        if line.is_empty() {
            return Some(if self.begun {
                Line::Last
            } else {
                Line::Another
            });
        }
        if !std::mem::replace(&mut self.begun, true) {
            return Some(Line::Another);
        }
        let mut halves = line.splitn(2, |byte| *byte == b':');
        let (name, value) = (
            halves.next().unwrap_or_default(),
            halves.next().unwrap_or_default(),
        );
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.chunked = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let digits = std::str::from_utf8(value).ok().map(str::trim);
            match digits.and_then(|digits| digits.parse().ok()) {
                Some(length) => self.length = Some(length),
                None => return Some(Line::Twice),
            }
        }
        Some(if self.chunked && self.length.is_some() {
            Line::Twice
        } else {
            Line::Another
        })
    }

    fn body(&self) -> Framing {
        match self.length {
            _ if self.chunked => Framing::Ended,
            Some(left) if left > 0 => Framing::Body { left },
            Some(_) | None => Framing::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However the bytes are cut into reads, the same is seen.
    fn is_ambiguous(bytes: &[u8]) -> bool {
        let whole = Framing::default().read(bytes);
        let mut dripped = Framing::default();
        let one_by_one = bytes.iter().any(|byte| dripped.read(&[*byte]));
        assert_eq!(whole, one_by_one);
        whole
    }

    #[test]
    fn two_lengths_are_seen_wherever_they_stand() {
        for request in [
            "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\nhost: x\r\ncontent-length: 5\r\n\r\n",
            "\r\n\r\nPOST / HTTP/1.1\nTRANSFER-ENCODING:chunked\nCONTENT-LENGTH:5\n\n",
            "GET / HTTP/1.1\r\nhost: x\r\n\r\nPOST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 4\r\n\r\nabcdPOST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: x\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n",
        ] {
            assert!(is_ambiguous(request.as_bytes()), "{request}");
        }
        let far = format!(
            "POST / HTTP/1.1\r\ncontent-length:{}5\r\n\r\n",
            " ".repeat(300)
        );
        assert!(is_ambiguous(far.as_bytes()), "what is not read is refused");
    }

    #[test]
    fn bodies_and_other_headers_are_no_lengths() {
        let body = "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n";
        for request in [
            format!("POST / HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len()),
            format!("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{body}"),
            "GET / HTTP/1.1\r\nx-content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(),
            "GET /a HTTP/1.1\r\ncontent-length: 0\r\n\r\nGET /b HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(),
            "GET / HTTP/1.1\r\nx: transfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n".to_owned(),
        ] {
            assert!(!is_ambiguous(request.as_bytes()), "{request}");
        }
    }
}
