//! Clients under load, while servers are killed: with acknowledgement nothing is lost, and nothing comes twice to anybody.

use std::time::Duration;

use bayeux_tests::crowd::Plan;
pub(crate) use bayeux_tests::crowd::Session;

#[test]
fn clients_lose_nothing_that_they_acknowledge_and_get_nothing_twice_when_servers_are_killed() {
    let plan = Plan {
        servers: 3,
        acknowledging: 16,
        plain: 8,
        takeovers: 40,
        pace: Duration::from_millis(20),
        between: 20,
        longest: Duration::from_secs(300),
    };

    let report = plan.run(|progress| println!("{progress}"));

    println!("{report}");
    assert!(report.faults.is_empty(), "{:#?}", report.faults);
    assert!(
        report.takeovers >= plan.takeovers,
        "not enough sessions were taken over in time"
    );
}
