//! A service manager is told when the chat listens, by `NOTIFY_SOCKET`.

use crate::common::PATIENCE;
use crate::common::peer::{Peer, say};
use crate::common::port::Port;
use crate::common::program::{Program, command, subcommand};
use rustix::process::Signal;
use std::fs;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use tempfile::TempDir;

/// The service manager's end.
struct Manager {
    socket: UnixDatagram,
    directory: TempDir,
}

impl Manager {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(directory.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, directory }
    }

    fn start(&self, command: &mut Command) -> Program {
        Program::spawn(command.env("NOTIFY_SOCKET", self.directory.path().join("notify")))
    }

    fn take(&self) -> String {
        let mut bytes = [0; 100];
        let count = self.socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..count].to_vec()).unwrap()
    }

    fn has_more(&self) -> bool {
        self.socket.set_nonblocking(true).unwrap();
        !self.socket.recv(&mut [0; 100]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }
}

#[test]
fn the_service_manager_is_told_once_and_not_before_peers_can_connect() {
    for mode in ["--headless", "--json", "--plain"] {
        let (manager, port) = (Manager::new(), Port::reserve());
        let number = port.number().to_string();
        let mut program = manager.start(&mut command(&["--name", "P1", "--port", &number, mode]));
        assert_eq!(manager.take(), "READY=1\n");
        TcpStream::connect(port.address()).unwrap();
        program.signal(Signal::TERM);
        assert_eq!(program.wait(), 0);
        assert!(!manager.has_more(), "{mode}");
    }
}

#[test]
fn the_service_manager_is_told_nothing_without_a_listener_or_by_another_subcommand() {
    let (manager, taken) = (Manager::new(), Program::node("P1"));
    let port = taken.port().to_string();
    let mut program = manager.start(&mut command(&["--name", "P2", "--port", &port, "--headless"]));
    assert_eq!(program.wait(), 2);
    let mut sender = manager.start(&mut subcommand("send", &[&taken.address().to_string(), "hello"]));
    assert_eq!(sender.wait(), 0);
    assert!(!manager.has_more());
}

#[test]
fn a_service_manager_that_is_gone_stops_nobody() {
    let mut command = command(&["--name", "P1", "--port", "0", "--headless"]);
    let mut program = Program::spawn(command.env("NOTIFY_SOCKET", "/nonexistent/notify")).listening();
    program.signal(Signal::TERM);
    assert_eq!(program.wait(), 0);
}

#[test]
fn a_process_that_the_chat_starts_does_not_get_the_socket() {
    let (manager, peer) = (Manager::new(), Peer::new());
    let (script, pipe) = (manager.directory.path().join("script"), manager.directory.path().join("pipe"));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    fs::write(&script, format!("echo ${{NOTIFY_SOCKET-none}} >{}\n", pipe.display())).unwrap();
    let notify = format!("sh {}", script.display());
    let args = ["--name", "P1", "--port", "0", "--headless", "--notify", &notify];
    let program = manager.start(&mut command(&args)).listening();
    say(program.address(), format!("{} P2 hi", peer.address()));
    assert_eq!(fs::read_to_string(&pipe).unwrap(), "none\n");
}
