//! Hosts on one network: namespaces with a cable each to one bridge, and no way out.
//!
//! Host N, counted from 1, has the addresses 10.77.0.N/24, fd77::N/64 and fe80::77:N/64 on `eth0`. Each namespace lives as long as a
//! process that reads a pipe of this one. So all of it is gone when the network is dropped, and also when the test is
//! killed.

use std::env;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

/// Names a directory into which packages were unpacked, for tools that are not installed.
const TOOLS: &str = "REACH_TOOLS";

/// Says that it has begun, then waits for the end of stdin.
const HOLD: [&str; 3] = ["sh", "-c", "echo; exec cat >/dev/null"];

/// Some hosts on one bridge.
pub(crate) struct Network {
    hosts: Vec<Host>,
    /// It has the bridge. The hosts go first.
    _switch: Namespace,
}

/// One host.
pub(crate) struct Host {
    namespace: Namespace,
    number: u8,
}

/// A network namespace, and the process that keeps it.
struct Namespace {
    keeper: Child,
    /// It belongs to a user namespace of its own, because we are not root.
    is_of_user: bool,
}

impl Network {
    /// So many hosts, or why there can be none here.
    pub(crate) fn of(count: u8) -> Result<Self, String> {
        let switch = Namespace::outermost()?;
        switch.must("ip link add br0 type bridge && ip link set br0 up")?;
        let host = |number| Host::plugged_in(&switch, number);
        let hosts = (1..=count).map(host).collect::<Result<_, _>>()?;
        Ok(Self { hosts, _switch: switch })
    }

    /// The host with this number, counted from 1.
    pub(crate) fn host(&self, number: u8) -> &Host {
        &self.hosts[usize::from(number) - 1]
    }
}

impl Host {
    fn plugged_in(switch: &Namespace, number: u8) -> Result<Self, String> {
        let namespace = Namespace::within(switch)?;
        let pid = namespace.keeper.id();
        switch.must(&format!(
            "ip link add v{number} type veth peer name eth0 netns {pid} \
             && ip link set v{number} master br0 && ip link set v{number} up"
        ))?;
        let host = Self { namespace, number };
        host.namespace.must(&format!(
            "ip link set lo up && ip addr add {}/24 dev eth0 && ip -6 addr add {}/64 dev eth0 nodad \
             && ip -6 addr add fe80::77:{number}/64 dev eth0 nodad && ip link set eth0 up",
            host.ip(),
            host.ipv6()
        ))?;
        Ok(host)
    }

    /// Its address.
    pub(crate) fn ip(&self) -> IpAddr {
        Ipv4Addr::new(10, 77, 0, self.number).into()
    }

    /// Its other address.
    pub(crate) fn ipv6(&self) -> IpAddr {
        Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, self.number.into()).into()
    }

    /// A command that runs on this host, without the settings of whoever tests.
    pub(crate) fn command(&self, program: &str) -> Command {
        self.namespace.command(program)
    }

    /// Runs a script of the shell to its end.
    ///
    /// # Panics
    ///
    /// It must succeed.
    pub(crate) fn run(&self, script: &str) {
        self.namespace.must(script).unwrap_or_else(|why| panic!("{why}"));
    }
}

impl Namespace {
    /// One that is not within another. Root needs no user namespace for it.
    fn outermost() -> Result<Self, String> {
        let made = [("-n", false), ("-rn", true)].into_iter().map(|(flags, is_of_user)| {
            let mut unshare = Command::new("unshare");
            unshare.arg(flags).args(HOLD);
            Self::kept_by(unshare, is_of_user)
        });
        let mut failures = Vec::new();
        for namespace in made {
            match namespace {
                Ok(namespace) => return Ok(namespace),
                Err(why) => failures.push(why),
            }
        }
        Err(failures.join("; "))
    }

    /// One in the same user namespace.
    fn within(outer: &Self) -> Result<Self, String> {
        let mut unshare = outer.command("unshare");
        unshare.arg("-n").args(HOLD);
        Self::kept_by(unshare, outer.is_of_user)
    }

    fn kept_by(mut keeper: Command, is_of_user: bool) -> Result<Self, String> {
        keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let keeper = keeper.spawn().map_err(|error| format!("unshare: {error}"))?;
        let mut namespace = Self { keeper, is_of_user };
        let stdout = namespace.keeper.stdout.take().ok_or("no stdout")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
        // Nothing may ever be done to the network of the machine itself.
        let own = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net"));
        match (own("self"), own(&namespace.keeper.id().to_string())) {
            (Ok(ours), Ok(its)) if ours != its && line == "\n" => Ok(namespace),
            _ => Err("network namespaces are not allowed here".to_owned()),
        }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.keeper.id().to_string(), "--net"]);
        if self.is_of_user {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg("--").arg(program);
        for (name, _) in env::vars_os().filter(|(name, _)| crate::common::program::is_private(name)) {
            command.env_remove(name);
        }
        command.env("HOME", "/nonexistent").env("CHINWAG_NO_IDENTITY", "true");
        command
    }

    fn must(&self, script: &str) -> Result<(), String> {
        let output = self.command("sh").args(["-c", script]).output();
        match output.map_err(|error| format!("nsenter: {error}"))? {
            Output { status, .. } if status.success() => Ok(()),
            Output { stderr, .. } => Err(format!("{script}: {}", String::from_utf8_lossy(&stderr).trim())),
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // It may be gone already. Without its process the namespace ends.
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// How a tool is called in a script: as it is installed, or out of unpacked packages. `None`: it is not there.
pub(crate) fn tool(name: &str) -> Option<String> {
    let is_there = |call: &String| {
        let output = Command::new("sh").args(["-c", &format!("{call} --version")]).output();
        output.is_ok_and(|output| output.status.success())
    };
    let unpacked = |directory: &str| {
        let root = PathBuf::from(env::var_os(TOOLS)?);
        let libraries = root.join("usr/lib").join(format!("{}-linux-gnu", env::consts::ARCH));
        let program = root.join(directory).join(name);
        Some(format!("env LD_LIBRARY_PATH='{}' '{}'", libraries.display(), program.display()))
    };
    let calls = [Some(name.to_owned()), unpacked("usr/sbin"), unpacked("usr/bin")];
    calls.into_iter().flatten().find(is_there)
}

/// Python on a host, with this module: installed, or in `python` below the directory of unpacked packages.
pub(crate) fn python(host: &Host, module: &str) -> Option<Command> {
    let mut python = host.command("python3");
    if let Some(tools) = env::var_os(TOOLS) {
        python.env("PYTHONPATH", PathBuf::from(tools).join("python"));
    }
    let mut trial = host.command("python3");
    trial.envs(python.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = trial.args(["-c", &format!("import {module}")]).output();
    output.is_ok_and(|output| output.status.success()).then_some(python)
}
