//! The records of a chat node in the words of DNS: names, records, and datagrams made of them.
//!
//! The crate reads and writes the format. What it hands over was checked for lengths and loops, and for nothing else.

use super::Offer;
use crate::limits::DATAGRAM_BYTES_MAX;
use simple_dns::rdata::{A, AAAA, NSEC, PTR, RData, SRV, TXT};
use simple_dns::{CLASS, Label, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, ResourceRecord, TYPE};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

pub(super) type Record = ResourceRecord<'static>;

/// The service, as registered names are spelled.
const SERVICE: &str = "_chinwag";
const PROTOCOL: &str = "_tcp";
const DOMAIN: &str = "local";

/// How long others may believe what depends on an address, and everything else, in seconds. RFC 6762 section 10 asks for
/// these.
const HOST_TTL: u32 = 120;
const SERVICE_TTL: u32 = 4500;

/// The longest label that there is.
const LABEL_BYTES_MAX: usize = 63;

/// The one version of the TXT record that there is.
const VERSION: &str = "v=1";

fn name(labels: &[&str]) -> Name<'static> {
    let labels: Vec<Label<'static>> =
        labels.iter().map(|label| Label::new_unchecked(label.as_bytes().to_vec())).collect();
    Name::new_with_labels(&labels)
}

/// The name under which all instances are found.
pub(super) fn service() -> Name<'static> {
    name(&[SERVICE, PROTOCOL, DOMAIN])
}

/// The name under which all kinds of services are found.
pub(super) fn services() -> Name<'static> {
    name(&["_services", "_dns-sd", "_udp", DOMAIN])
}

/// The name of the instance with this label.
pub(super) fn instance(label: &str) -> Name<'static> {
    name(&[label, SERVICE, PROTOCOL, DOMAIN])
}

/// The label of an instance, if the name is one of ours.
pub(super) fn label_of(name: &Name) -> Option<String> {
    let [label, rest @ ..] = name.get_labels() else { return None };
    are_of_service(rest).then(|| String::from_utf8_lossy(label.as_ref()).into_owned())
}

/// Whether this is the name under which all instances are found.
pub(super) fn is_service(name: &Name) -> bool {
    are_of_service(name.get_labels())
}

fn are_of_service(labels: &[Label]) -> bool {
    let own = [SERVICE, PROTOCOL, DOMAIN];
    let is_same = |(label, own): (&Label, &str)| label.as_ref().eq_ignore_ascii_case(own.as_bytes());
    labels.len() == own.len() && labels.iter().zip(own).all(is_same)
}

/// The same bytes for all spellings of a name: in DNS, only letters of ASCII are the same in both cases.
pub(super) fn key_of(name: &Name) -> Vec<u8> {
    let mut key = Vec::new();
    for label in name.as_bytes() {
        // No letter is as small as a length.
        key.extend(u8::try_from(label.len()));
        key.extend_from_slice(label);
    }
    key.make_ascii_lowercase();
    key
}

/// A label of at most 63 bytes that begins with `text` and ends with `end`.
pub(super) fn label(text: &str, end: &str) -> String {
    let room = LABEL_BYTES_MAX - end.len();
    let cut = (0..=room).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    format!("{}{end}", text.get(..cut).unwrap_or(text))
}

/// All that one node says of itself on one link.
#[derive(Debug)]
pub(super) struct Records {
    instance: Name<'static>,
    host: Name<'static>,
    port: u16,
    key: Option<String>,
    ips: Vec<IpAddr>,
}

impl Records {
    /// The records of a node. With each attempt there are other names, in case that these are taken.
    pub(super) fn new(offer: &Offer, ips: &[IpAddr], attempt: u32) -> Self {
        let (number, dash) = match attempt {
            0 => (String::new(), String::new()),
            _ => (format!(" ({})", attempt + 1), format!("-{}", attempt + 1)),
        };
        let instance = instance(&label(&offer.name, &number));
        // The address makes it unique on the link, and the port on the host.
        let of_host = match ips.first() {
            Some(IpAddr::V4(ip)) => format!("{:08x}", ip.to_bits()),
            Some(IpAddr::V6(ip)) => format!("{:032x}", ip.to_bits()),
            None => String::new(),
        };
        let host = name(&[&format!("chinwag-{of_host}-{}{dash}", offer.port), DOMAIN]);
        Self { instance, host, port: offer.port, key: offer.key.clone(), ips: ips.to_vec() }
    }

    pub(super) fn instance(&self) -> &Name<'static> {
        &self.instance
    }

    pub(super) fn host(&self) -> &Name<'static> {
        &self.host
    }

    /// Which kinds of services there are here.
    pub(super) fn enumeration(&self) -> Record {
        shared(services(), service())
    }

    /// Which instances there are.
    pub(super) fn pointer(&self) -> Record {
        shared(service(), self.instance.clone())
    }

    /// Where this instance listens, and what else is to be known of it.
    pub(super) fn location(&self) -> [Record; 2] {
        let target = self.host.clone();
        let srv = SRV { priority: 0, weight: 0, port: self.port, target };
        let key = self.key.as_ref().map(|key| format!("key={key}"));
        let mut txt = TXT::new();
        for word in [VERSION].into_iter().chain(key.as_deref()) {
            // Each is shorter than the 255 bytes that one may have.
            let _ = txt.add_string(word);
        }
        let txt = txt.into_owned();
        [
            unique(&self.instance, HOST_TTL, RData::SRV(srv)),
            unique(&self.instance, SERVICE_TTL, RData::TXT(txt)),
        ]
    }

    /// The addresses of this host on this link.
    pub(super) fn addresses(&self) -> Vec<Record> {
        self.ips.iter().map(|ip| unique(&self.host, HOST_TTL, address(*ip))).collect()
    }

    /// The host has other addresses under the same names.
    pub(super) fn set_ips(&mut self, ips: &[IpAddr]) {
        self.ips = ips.to_vec();
    }

    /// That the host has these addresses no more.
    pub(super) fn withdrawn(&self, gone: &[IpAddr]) -> Vec<Record> {
        gone.iter().map(|ip| unique(&self.host, 0, address(*ip))).collect()
    }

    /// That there are no other records of the instance.
    pub(super) fn no_more_location(&self) -> Record {
        let nsec = NSEC::from_types(self.instance.clone(), &[TYPE::TXT, TYPE::SRV]);
        unique(&self.instance, SERVICE_TTL, RData::NSEC(nsec))
    }

    /// That there are no other records of the host, such as addresses of another family.
    pub(super) fn no_more_addresses(&self) -> Record {
        let types = [(TYPE::A, true), (TYPE::AAAA, false)];
        let has = |(_, is_v4): &(TYPE, bool)| self.ips.iter().any(|ip| ip.is_ipv4() == *is_v4);
        let types: Vec<TYPE> = types.into_iter().filter(has).map(|(kind, _)| kind).collect();
        unique(&self.host, HOST_TTL, RData::NSEC(NSEC::from_types(self.host.clone(), &types)))
    }

    /// Everything that is only ours.
    pub(super) fn unique(&self) -> Vec<Record> {
        self.location().into_iter().chain(self.addresses()).collect()
    }
}

fn address(ip: IpAddr) -> RData<'static> {
    match ip {
        IpAddr::V4(ip) => RData::A(A { address: ip.to_bits() }),
        IpAddr::V6(ip) => RData::AAAA(AAAA { address: ip.to_bits() }),
    }
}

/// That an instance is there is known to the asker, and for how long.
pub(super) fn known_pointer(label: &str, left: Duration) -> Record {
    let mut record = shared(service(), instance(label));
    record.ttl = u32::try_from(left.as_secs()).unwrap_or(SERVICE_TTL);
    record
}

fn shared(name: Name<'static>, target: Name<'static>) -> Record {
    Record::new(name, CLASS::IN, SERVICE_TTL, RData::PTR(PTR(target)))
}

fn unique(name: &Name<'static>, ttl: u32, data: RData<'static>) -> Record {
    Record::new(name.clone(), CLASS::IN, ttl, data).with_cache_flush(true)
}

/// A question for records of this kind; `None` is for all kinds.
pub(super) fn question(name: Name<'static>, kind: Option<TYPE>) -> Question<'static> {
    let kind = kind.map_or(QTYPE::ANY, QTYPE::TYPE);
    Question::new(name, kind, QCLASS::CLASS(CLASS::IN), false)
}

/// Whether this question is for records of that kind.
pub(super) fn asks_for(question: &Question, name: &Name, kind: TYPE) -> bool {
    let is_kind = question.qtype == QTYPE::ANY || question.qtype == QTYPE::TYPE(kind);
    is_kind && asks_about(question, name)
}

/// Whether this question is for any records of that name.
pub(super) fn asks_about(question: &Question, name: &Name) -> bool {
    matches!(question.qclass, QCLASS::ANY | QCLASS::CLASS(CLASS::IN)) && question.qname == *name
}

/// A datagram that asks. `known` need not be told again; `proposed` is what the asker wants to claim.
pub(super) fn query(
    questions: Vec<Question<'static>>,
    known: Vec<Record>,
    proposed: Vec<Record>,
) -> Option<Vec<u8>> {
    let mut packet = Packet::new_query(0);
    (packet.questions, packet.answers, packet.name_servers) = (questions, known, proposed);
    bytes_of(packet)
}

/// A datagram that tells. `id` and `questions` are those of a question that came from an ordinary resolver.
pub(super) fn reply(
    id: u16,
    questions: Vec<Question<'static>>,
    answers: Vec<Record>,
    additional: Vec<Record>,
) -> Option<Vec<u8>> {
    let mut packet = Packet::new_reply(id);
    packet.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
    (packet.questions, packet.answers, packet.additional_records) = (questions, answers, additional);
    bytes_of(packet)
}

/// `None` is for a datagram that would be too long, which only a host with very many addresses could make.
fn bytes_of(packet: Packet) -> Option<Vec<u8>> {
    packet.build_bytes_vec_compressed().ok().filter(|bytes| bytes.len() <= DATAGRAM_BYTES_MAX)
}

/// The data of a record, as RFC 6762 section 8.2 compares it.
pub(super) fn data_of(record: &ResourceRecord) -> Vec<u8> {
    let owner: usize = record.name.as_bytes().map(|label| label.len() + 1).sum::<usize>() + 1;
    let mut packet = Packet::new_reply(0);
    packet.answers = vec![record.clone()];
    let bytes = packet.build_bytes_vec().unwrap_or_default();
    // A header has 12 bytes; type, class, time to live and length of a record have 10.
    bytes.get(12 + owner + 10..).unwrap_or_default().to_vec()
}

/// The address in a record of a host.
pub(super) fn ip_of(record: &ResourceRecord) -> Option<IpAddr> {
    match &record.rdata {
        RData::A(data) => Some(Ipv4Addr::from_bits(data.address).into()),
        RData::AAAA(data) => Some(Ipv6Addr::from_bits(data.address).into()),
        _ => None,
    }
}
