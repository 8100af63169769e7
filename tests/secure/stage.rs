//! Two programs, and somebody on the way to each of them.

use crate::chat::{Chat, Told, files};
use crate::proxy::{Attack, Part, Proxy, Way, has, honest, written};
use std::path::Path;
use tempfile::TempDir;

/// The names of the programs. Nothing else on the wire contains them.
pub(crate) const NAMES: [&str; 2] = ["Anna-the-first", "Bert-the-second"];

/// Where two programs live, one after the other or again and again: their addresses and their files stay.
pub(crate) struct Stage {
    places: [Place; 2],
}

struct Place {
    proxy: Proxy,
    home: TempDir,
}

/// What was written while two programs were there, and what they told.
pub(crate) struct Scene {
    pub(crate) told: [Told; 2],
    /// The connections to each place.
    pub(crate) records: [Vec<Vec<Part>>; 2],
}

impl Stage {
    pub(crate) fn new() -> Self {
        let place =
            || Place { proxy: Proxy::new(), home: TempDir::new().expect("a directory for the files") };
        Self { places: [place(), place()] }
    }

    /// One on which both programs have met: each has the key of the other.
    #[track_caller]
    pub(crate) fn of_acquaintances() -> Self {
        let stage = Self::new();
        let [mut a, mut b] = [0, 1].map(|n| stage.program(n, &[]));
        a.connect_until_accepted(&stage.address(1));
        a.say(&stage.address(1), "nice to meet you");
        b.expect_message("nice to meet you");
        stage.end([a, b]);
        for place in &stage.places {
            let path = place.home.path().join("peers.toml");
            let peers = std::fs::read_to_string(path).expect("a file of known peers");
            assert!(peers.contains("key = "), "{peers}");
        }
        stage
    }

    /// The address that this program claims.
    pub(crate) fn address(&self, number: usize) -> String {
        self.places[number].proxy.address().to_string()
    }

    pub(crate) fn port(&self, number: usize) -> u16 {
        self.places[number].proxy.address().port()
    }

    pub(crate) fn home(&self, number: usize) -> &Path {
        self.places[number].home.path()
    }

    /// From the next connection on, to both places, this is done.
    pub(crate) fn attack_with(&self, attack: &Attack) {
        self.places.iter().for_each(|place| place.proxy.attack_with(attack.clone()));
    }

    /// Starts a program.
    #[track_caller]
    pub(crate) fn program(&self, number: usize, args: &[&str]) -> Chat {
        let files = files(self.home(number));
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        self.program_with(number, &[&files[..], args].concat())
    }

    /// The same with no files but those that `args` name.
    #[track_caller]
    pub(crate) fn program_with(&self, number: usize, args: &[&str]) -> Chat {
        let port = self.port(number).to_string();
        let behind = ["--bind", "127.0.0.2", "--ip", "127.0.0.1", "--port", &port];
        Chat::start(NAMES[number], &[&behind, args].concat())
    }

    /// Ends both programs in good order: the second one still looks at what the first one said last.
    #[track_caller]
    pub(crate) fn end(&self, programs: [Chat; 2]) -> Scene {
        let told = programs.map(|mut program| {
            program.settle();
            program.quit()
        });
        Scene { told, records: self.records() }
    }

    /// The same, where the second place has no program.
    #[track_caller]
    pub(crate) fn end_first(&self, mut program: Chat) -> Scene {
        program.settle();
        let told = [program.quit(), Told(Vec::new())];
        Scene { told, records: self.records() }
    }

    fn records(&self) -> [Vec<Vec<Part>>; 2] {
        let record = |place: &Place| {
            place.proxy.attack_with(honest());
            place.proxy.await_end();
            place.proxy.take_record()
        };
        self.places.each_ref().map(record)
    }
}

impl Scene {
    /// Everything that this program wrote to the wire, before anybody changed it.
    pub(crate) fn written_by(&self, number: usize) -> Vec<u8> {
        let [own, other] = [&self.records[number], &self.records[1 - number]];
        [written(other, Way::Out), written(own, Way::Back)].concat()
    }

    /// Whether this program wrote this text for everybody to read.
    pub(crate) fn is_said_in_the_clear(&self, number: usize, text: &str) -> bool {
        has(&self.written_by(number), text)
    }
}
