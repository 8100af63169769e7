//! The test vectors of the paper on security are what the program computes.

use chinwag::proto::secure::words::{encoded, line, message_of, offer_head, offer_of};
use chinwag::proto::secure::{Answered, Identity, Offered, Seed, prologue, verification};

/// What the paper has behind this name. A name may stand there more than once.
fn listed(name: &str) -> Vec<&'static str> {
    let rows = include_str!("../../docs/security.md").lines();
    let values: Vec<&str> = rows.filter_map(|row| row.strip_prefix(name)).map(str::trim).collect();
    assert!(!values.is_empty(), "{name}");
    values
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_vectors_of_the_paper_are_true() {
    let [a, b] = [1, 2].map(|byte| Identity::new([byte; 32]).unwrap());
    let key = |identity: &Identity| {
        let text = identity.key().to_string();
        hex(&data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).unwrap())
    };
    assert_eq!(listed("public key of A"), [key(&a)]);
    assert_eq!(listed("public key of B"), [key(&b)]);
    assert_eq!(listed("fingerprint of A"), [a.key().fingerprint()]);
    assert_eq!(listed("fingerprint of B"), [b.key().fingerprint()]);
    assert_eq!(listed("number to compare"), [verification(a.key(), b.key())]);

    let (said_by_a, said_by_b) = (listed("A says"), listed("B says"));
    let offer = offer_of(said_by_b[0].as_bytes()).unwrap();
    let prologue = prologue(&[said_by_a[0].as_bytes(), offer.head]);
    let (offered, one) = Offered::new(&b, &prologue, Seed([4; 32])).unwrap();
    let head = offer_head("10.0.0.2:9090 P2 connected chinwag/1");
    assert_eq!(said_by_b[0], head + &encoded(&one));
    let (answered, two) =
        Answered::new(&a, &prologue, Seed([3; 32]), &offer.message, b"10.0.0.1:8080 P1").unwrap();
    assert_eq!(said_by_a[1], line(&two).trim_end());
    let (_, proven) = offered.take(&message_of(said_by_a[1].as_bytes()).unwrap()).unwrap();
    let (three, mut of_b) = proven.prove(b"10.0.0.2:9090 P2").unwrap();
    assert_eq!(said_by_b[1], line(&three).trim_end());
    let (_, mut of_a) = answered.take(&three).unwrap();

    for (name, channel, text) in [
        ("first frame of A", &mut of_a, "10.0.0.1:8080 P1 hello\n"),
        ("first frame of B", &mut of_b, "10.0.0.2:9090 P2 hi\n"),
    ] {
        let mut frame = Vec::new();
        channel.seal(text.as_bytes(), &mut frame).unwrap();
        assert_eq!(listed(name), [hex(&frame)]);
    }
}
