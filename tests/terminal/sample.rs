//! The assignment's own sample: four peers, five messages, one exit.

use crate::common::program::Program;

/// The row of a query.
fn row(number: usize, peer: &Program, name: &str) -> String {
    format!("{number}. {} {name} (yet to connect)", peer.address())
}

/// Sends a message with the prompts of the menu, and waits until it is shown.
fn tell(from: &mut Program, name: &str, to: &Program, text: &str) {
    from.type_line(1);
    from.stdout.expect("Enter the recipient's IP address: ");
    from.type_line("127.0.0.1");
    from.stdout.expect("Enter the recipient's port number: ");
    from.type_line(to.port());
    from.stdout.expect("Enter your message: ");
    from.type_line(text);
    from.stdout.expect(&format!("Message sent to {}\n", to.address()));
    to.stdout.expect(&format!("{} {name} {text}\n", from.address()));
}

#[test]
fn the_sample_of_the_assignment_comes_out_exactly() {
    let [mut p1, mut p2, mut p3, mut p4] = ["P1", "P2", "P3", "P4"].map(Program::node);
    tell(&mut p1, "P1", &p2, "hello");
    tell(&mut p3, "P3", &p4, "hello");
    tell(&mut p2, "P2", &p4, "hello");
    tell(&mut p4, "P4", &p1, "hello");
    tell(&mut p1, "P1", &p3, "hello");
    assert_eq!(p1.query().active, [row(1, &p4, "P4")]);
    assert_eq!(p2.query().active, [row(1, &p1, "P1")]);
    assert_eq!(p3.query().active, [row(1, &p1, "P1")]);
    assert_eq!(p4.query().active, [row(1, &p2, "P2"), row(2, &p3, "P3")]);

    p1.send(p3.address(), "exit");
    p1.stdout.expect(&format!("Disconnected from {}\n", p3.address()));
    p3.stdout.expect(&format!("P1 ({}) disconnected\n", p1.address()));
    assert_eq!(p1.query().active, [row(1, &p4, "P4")]);
    assert_eq!(p2.query().active, [row(1, &p1, "P1")]);
    assert!(p3.query().active.is_empty());
    assert_eq!(p4.query().active, [row(1, &p2, "P2"), row(2, &p3, "P3")]);
}

#[test]
fn two_messages_of_one_peer_make_one_entry() {
    let [mut p1, mut p2] = ["P1", "P2"].map(Program::node);
    tell(&mut p1, "P1", &p2, "hello");
    tell(&mut p1, "P1", &p2, "hello, you there");
    assert_eq!(p2.query().active, [row(1, &p1, "P1")]);
}

#[test]
fn a_message_of_spaces_inside_comes_as_it_was_typed() {
    let [mut p1, p2] = ["P1", "P2"].map(Program::node);
    tell(&mut p1, "P1", &p2, "hello ,  you   there");
}

#[test]
fn after_a_connect_both_sides_list_the_other_as_connected() {
    let [mut p1, mut p2] = ["P1", "P2"].map(Program::node);
    p1.connect_until_accepted(p2.address());
    p2.stdout.expect(&format!("P1 ({}) connected with you\n", p1.address()));
    assert_eq!(p1.query().active, [format!("1. {} P2 (connected)", p2.address())]);
    assert_eq!(p2.query().active, [format!("1. {} P1 (connected)", p1.address())]);
    tell(&mut p2, "P2", &p1, "over the session");
    p1.send(p2.address(), "exit");
    p2.stdout.expect(&format!("P1 ({}) disconnected\n", p1.address()));
    assert!(p2.query().active.is_empty());
}

#[test]
fn quitting_says_exit_to_everybody_in_the_table() {
    let [mut p1, p2, p3] = ["P1", "P2", "P3"].map(Program::node);
    tell(&mut p1, "P1", &p2, "hello");
    p1.connect_until_accepted(p3.address());
    p1.type_line(0);
    for peer in [p2, p3] {
        peer.stdout.expect(&format!("P1 ({}) disconnected\n", p1.address()));
    }
    assert!(p1.stdout.rest().ends_with("Exiting\n"));
    assert_eq!(p1.wait(), 0);
}

#[test]
fn a_recipient_can_be_a_number_of_the_last_list_or_a_name() {
    let [mut p1, mut p2] = ["P1", "P2"].map(Program::node);
    tell(&mut p1, "P1", &p2, "hello");
    assert_eq!(p2.query().active.len(), 1);
    p2.send(1, "by number");
    p1.stdout.expect(&format!("{} P2 by number\n", p2.address()));
    p2.send("P1", "by name");
    p1.stdout.expect(&format!("{} P2 by name\n", p2.address()));
}
