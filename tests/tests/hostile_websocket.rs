//! Websockets whose peers keep to the letter of the protocol and mean harm.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use bayeux_tests::live::{Frame, Opcode, Server, Settings, WebSocket};

/// How many pings are sent, and how many of them at a time.
const PINGS: usize = 400_000;
const TOGETHER: usize = 1_000;
/// What the peer that sends them may cost.
const COST: u64 = 8 << 20;

#[test]
fn pings_whose_answers_are_not_read_cost_a_bounded_amount() {
    // The socket is cut off in the end; until then the server must not have taken it all in.
    let settings = Settings::default().shards(1);
    let mut server = Server::start(&settings.option("limits.writeTimeout", 3_000));
    let mut socket = WebSocket::open(server.address(), Server::PATH, &[]);
    // Masked with zeros.
    let ping = [&[0x89, 0x80 | 125, 0, 0, 0, 0][..], &[b'x'; 125]].concat();
    let pings = ping.repeat(TOGETHER);
    let before = server.resident();

    let is_over = AtomicBool::new(false);
    let most = thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..PINGS / TOGETHER {
                socket.send_raw(&pings);
            }
            is_over.store(true, Ordering::Release);
        });
        let mut most = before;
        while !is_over.load(Ordering::Acquire) {
            most = most.max(server.resident());
            thread::sleep(Duration::from_millis(5));
        }
        most.max(server.resident())
    });

    assert!(
        most < before + COST,
        "{before} bytes before, {most} at the most"
    );
    // Nobody else notices.
    let mut other = WebSocket::open(server.address(), Server::PATH, &[]);
    other.send_frame(&Frame {
        last: true,
        opcode: Opcode::Ping,
        payload: b"there?".to_vec(),
    });
    let pong = other.frame();
    assert_eq!(pong.map(|pong| pong.opcode), Some(Opcode::Pong));
    server.stop();
}
