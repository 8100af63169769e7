//! tokio as people use it for a chat: a task for each connection, and tokio-util's codec for lines.
//!
//! It is the usual answer to "which crate for a chat server", in the form of tokio's own chat example: a relay has
//! a bounded channel for each connection, and drops what is for a reader that is too far behind.
//!
//! For fairness the runtime has one thread, like all programs here; the time and signal drivers are off; and a
//! writer takes all lines that wait for it and flushes once, which the example does not. The codec is used as it
//! is: it makes a `String` of each line, so bytes that are not UTF-8 end a connection.

#![allow(clippy::disallowed_types, reason = "a rival has sockets, and the example's map")]

use rivals::{LINE_BYTES_MAX, Mode, READ_BYTES_MAX, Speaker};
use std::collections::HashMap;
use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, SocketAddrV4};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_stream::StreamExt;
use tokio_util::codec::{FramedRead, LinesCodec};

/// A reader that is further behind than this loses what comes next.
const WAITING_LINES_MAX: usize = 4096;

/// How many lines a writer takes from its channel at once.
const BATCH_LINES_MAX: usize = 64;

/// One line with its newline, shared by all who get it.
type Line = Arc<str>;

/// The channel for the lines to each connection.
#[derive(Clone, Default)]
struct Peers(Arc<Mutex<HashMap<SocketAddr, Sender<Line>>>>);

fn main() -> ExitCode {
    rivals::run(|mode, address| {
        Builder::new_current_thread().enable_io().build()?.block_on(serve(mode, address))
    })
}

async fn serve(mode: Mode, address: SocketAddrV4) -> io::Result<Infallible> {
    let listener = TcpListener::from_std(rivals::listen(address)?)?;
    let peers = Peers::default();
    loop {
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
            Err(error) => return Err(error),
        };
        match mode {
            Mode::Receive => drop(tokio::spawn(receive(stream))),
            Mode::Echo => drop(tokio::spawn(echo(stream))),
            Mode::Relay => drop(tokio::spawn(relay(stream, from, peers.clone()))),
        }
    }
}

async fn receive(stream: TcpStream) {
    let mut speaker = Speaker::default();
    let mut lines = FramedRead::new(stream, LinesCodec::new_with_max_length(LINE_BYTES_MAX));
    while let Some(Ok(line)) = lines.next().await {
        speaker.hear(line.as_bytes());
    }
}

/// The error only ends the task.
async fn echo(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; READ_BYTES_MAX];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..count]).await?;
    }
}

/// The error only ends the task.
async fn relay(stream: TcpStream, from: SocketAddr, peers: Peers) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (reader, writer) = stream.into_split();
    let (sender, waiting) = channel(WAITING_LINES_MAX);
    peers.with(|peers| peers.insert(from, sender));
    tokio::spawn(write(writer, waiting));

    let mut speaker = Speaker::default();
    let mut lines = FramedRead::new(reader, LinesCodec::new_with_max_length(LINE_BYTES_MAX));
    while let Some(Ok(mut line)) = lines.next().await {
        speaker.hear(line.as_bytes());
        line.push('\n');
        let line = Line::from(line);
        peers.with(|peers| {
            for (_, other) in peers.iter().filter(|(to, _)| **to != from) {
                let _ = other.try_send(line.clone());
            }
        });
    }
    peers.with(|peers| peers.remove(&from));
    Ok(())
}

/// Writes what waits, until the reading half has taken the connection out of the map.
async fn write(writer: OwnedWriteHalf, mut waiting: Receiver<Line>) -> io::Result<()> {
    let mut writer = BufWriter::new(writer);
    let mut batch = Vec::with_capacity(BATCH_LINES_MAX);
    while waiting.recv_many(&mut batch, BATCH_LINES_MAX).await > 0 {
        for line in batch.drain(..) {
            writer.write_all(line.as_bytes()).await?;
        }
        writer.flush().await?;
    }
    Ok(())
}

impl Peers {
    fn with<T>(&self, act: impl FnOnce(&mut HashMap<SocketAddr, Sender<Line>>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
