//! Two programs on the loopback address of IPv6.

use crate::common::program::Program;
use std::net::{Ipv6Addr, TcpListener};

fn has_ipv6() -> bool {
    let is_there = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    if !is_there {
        crate::common::skip("this host has no ::1");
    }
    is_there
}

#[test]
fn two_programs_chat_connect_and_part_over_ipv6() {
    if !has_ipv6() {
        return;
    }
    let [mut p1, mut p2] = ["P1", "P2"].map(Program::node);
    let address = |program: &Program| format!("[::1]:{}", program.port());
    p1.type_line(format_args!("1\n::1\n{}\nhello", p2.port()));
    p1.stdout.expect(&format!("Message sent to {}\n", address(&p2)));
    p2.stdout.expect_line(&format!("{} P1 hello", address(&p1)));
    assert_eq!(p2.query().active, [format!("1. {} P1 (yet to connect)", address(&p1))]);
    p2.connect_until_accepted(address(&p1));
    p1.stdout.expect(&format!("P2 ({}) connected with you\n", address(&p2)));
    p1.send(address(&p2), "over the session");
    p2.stdout.expect_line(&format!("{} P1 over the session", address(&p1)));
    p1.send(address(&p2), "exit");
    p2.stdout.expect(&format!("P1 ({}) disconnected\n", address(&p1)));
}

#[test]
fn a_program_bound_to_ipv6_loopback_alone_is_itself_at_that_address() {
    if !has_ipv6() {
        return;
    }
    let mut program = Program::node_with("P1", &["--bind", "::1"]);
    program.type_line(format_args!("1\n[::1]:{}", program.port()));
    program.stdout.expect("is this program");
}
