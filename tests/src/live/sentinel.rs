//! A Redis with a copy of it, and Sentinels that put the copy in its place when it dies.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::redis::{free_port, say};
use super::{Deadline, Process, Redis};

/// How many Sentinels there are; two of them have to agree.
const SENTINELS: usize = 3;

/// For how long they may disagree: votes may be split more than once, and each asks Redis every ten seconds only.
const PATIENCE: Duration = Deadline::USUAL.saturating_mul(4);

/// Two Redis, one of which is the master, and who watches over them; dropping it kills all.
#[derive(Debug)]
pub struct Watched {
    sentinels: Vec<Sentinel>,
    redis: [Redis; 2],
    /// Which of them is the master.
    master: usize,
}

#[derive(Debug)]
struct Sentinel {
    process: Option<Process>,
    port: u16,
    /// Where its configuration is.
    _folder: TempDir,
}

impl Watched {
    /// Starts them, and waits until they know each other. A master that says nothing for a second is replaced.
    ///
    /// # Panics
    ///
    /// If Redis is not installed.
    pub fn start() -> Self {
        let master = Redis::start();
        let copy = Redis::replica_of(&master);
        let sentinels = (0..SENTINELS).map(|_| Sentinel::of(&master)).collect();
        let watched = Self {
            sentinels,
            redis: [master, copy],
            master: 0,
        };
        watched.until_they_agree();
        watched
    }

    /// The URL that names the Sentinels.
    pub fn url(&self) -> String {
        let addresses = self.sentinels.iter().map(|each| each.address().to_string());
        let addresses: Vec<_> = addresses.collect();
        format!("redis+sentinel://{}/main", addresses.join(","))
    }

    /// The master.
    pub fn master(&self) -> &Redis {
        self.redis.get(self.master).expect("one of two")
    }

    /// The copy of the master.
    pub fn copy(&self) -> &Redis {
        self.redis.get(1 - self.master).expect("one of two")
    }

    /// The copy hears no more of what the master is told from now on; waits until it knows. The Sentinels take it all the
    /// same if the master dies within ten seconds.
    pub fn part(&self) {
        let copy = self.copy();
        // It can no longer log in.
        copy.say(&["CONFIG", "SET", "masteruser", "nobody"]);
        copy.say(&["CONFIG", "SET", "masterauth", "nothing"]);
        self.master().say(&["CLIENT", "KILL", "TYPE", "replica"]);
        let deadline = Deadline::usual();
        let is_parted = || {
            let said = copy.say(&["INFO", "replication"]);
            said.contains("master_link_status:down")
        };
        while !is_parted() {
            assert!(deadline.left().is_some(), "{copy:?} is still told");
            std::thread::yield_now();
        }
    }

    /// The master dies; waits until the Sentinels have put the other in its place.
    pub fn fail_over(&mut self) {
        let [one, two] = &mut self.redis;
        let (dies, next) = if self.master == 0 {
            (one, two)
        } else {
            (two, one)
        };
        dies.kill();
        let port = next.address().port().to_string();
        let deadline = Deadline::after(PATIENCE);
        while !self.sentinels.iter().all(|sentinel| {
            sentinel
                .say(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main"])
                .contains(&port)
        }) {
            assert!(deadline.left().is_some(), "no Sentinel does anything");
            std::thread::yield_now();
        }
        self.master = 1 - self.master;
    }

    /// Who has died comes back as a copy of the master; waits until the Sentinels would take it for one.
    pub fn mend(&mut self) {
        let [one, two] = &mut self.redis;
        if self.master == 0 {
            two.follow(one);
        } else {
            one.follow(two);
        }
        self.until_they_agree();
    }

    /// All Sentinels know each other, the master, and a copy of it that is well.
    fn until_they_agree(&self) {
        let deadline = Deadline::after(PATIENCE);
        while !self.sentinels.iter().all(Sentinel::is_content) {
            assert!(deadline.left().is_some(), "the Sentinels do not agree");
            std::thread::yield_now();
        }
    }
}

impl Sentinel {
    fn of(master: &Redis) -> Self {
        // Somebody else may take the port in between.
        let mut attempts = (0..10).map(|_| Self::at(free_port(), master));
        let sentinel = attempts.find(|sentinel| sentinel.process.is_some());
        sentinel.expect("a port for a Sentinel")
    }

    fn at(port: u16, master: &Redis) -> Self {
        let folder = tempfile::tempdir().expect("a folder for a Sentinel");
        let file = folder.path().join("sentinel.conf");
        let text = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\n\
             sentinel monitor main 127.0.0.1 {} 2\n\
             sentinel down-after-milliseconds main 1000\n\
             sentinel failover-timeout main 3000\n",
            folder.path().display(),
            master.address().port()
        );
        std::fs::write(&file, text).expect("a file in that folder");
        let mut command = Command::new("redis-server");
        command.arg(&file).arg("--sentinel");
        let mut process = Process::start("a Sentinel", &mut command);
        let mut sentinel = Self {
            process: None,
            port,
            _folder: folder,
        };
        while let Some(line) = process.next_line("watch", Deadline::usual()) {
            if line.contains("+monitor master main") {
                sentinel.process = Some(process);
                break;
            }
        }
        sentinel
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    fn say(&self, words: &[&str]) -> String {
        say(self.address(), words)
    }

    fn is_content(&self) -> bool {
        let master = self.say(&["SENTINEL", "MASTER", "main"]);
        let copies = self.say(&["SENTINEL", "REPLICAS", "main"]);
        let others = (SENTINELS - 1).to_string();
        let is_master = has(&master, "flags", "master");
        let knows_all = has(&master, "num-other-sentinels", &others);
        let has_copy = has(&copies, "flags", "slave") && has(&copies, "master-link-status", "ok");
        is_master && knows_all && has_copy
    }
}

/// Whether something in the answer has that value under that name.
fn has(answer: &str, name: &str, value: &str) -> bool {
    let lines: Vec<_> = answer.lines().collect();
    lines.windows(2).any(|pair| *pair == [name, value])
}
