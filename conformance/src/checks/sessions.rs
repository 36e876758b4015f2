//! Browsers and their cookie (BR), sessions over several connections (MO).

use serde_json::{Value, json};

use super::{complete_advice, only};
use crate::check::{Check, Checked, Group, Over, Stop, Transport, equal, hold};
use crate::client::accepted;
use crate::options::Profile;
use crate::scene::Scene;

const LONG: Over = Over::Only(Transport::LongPolling);
const NO_COOKIE: &[(Profile, &str)] = &[(Profile::Faye, "it has no such cookie")];

pub(super) const GROUP: Group = Group {
    name: "sessions",
    checks: &[
        Check::new(
            &["BR-1", "BR-2", "HS-16"],
            "a handshake over HTTP sets the browser's cookie, for all paths and not for scripts",
            Over::Polling,
            cookie_is_set,
        )
        .differs(NO_COOKIE),
        Check::new(
            &["BR-1", "HS-16"],
            "a browser that has its cookie is not given another",
            Over::Polling,
            cookie_is_kept,
        ),
        Check::new(
            &["BR-1"],
            "the cookie is 24 random characters, and one of another form counts as none",
            LONG,
            cookie_of_another_form,
        )
        .differs(&[
            (Profile::Faye, "it has no such cookie"),
            (Profile::CometD, "it takes any"),
        ]),
        Check::new(
            &["BR-3", "BR-4", "K-8"],
            "once its cookie has come back, a session is found with it alone",
            Over::Polling,
            bound_to_the_cookie,
        )
        .differs(NO_COOKIE),
        Check::new(
            &["BR-4", "K-8"],
            "a client that keeps no cookies can do without",
            Over::Polling,
            without_cookies,
        )
        .differs(&[(
            Profile::CometD,
            "it wants the cookie, unless trustClientSession is on",
        )]),
        Check::new(
            &["BR-6", "WS-5"],
            "a websocket with a wrong cookie does not get the session, and one without does",
            Over::Both,
            cookies_of_websockets,
        )
        .differs(&[
            (Profile::Faye, "it has no such cookie"),
            (Profile::CometD, "it does not look"),
        ]),
        Check::new(
            &["BR-7", "BR-8", "CN-4"],
            "of two sessions of one browser the second polls, and is told so",
            LONG,
            second_tab,
        )
        .differs(NO_COOKIE),
        Check::new(
            &["BR-8", "AD-2"],
            "the advice of who is told to poll is complete",
            LONG,
            advice_of_second_tab,
        )
        .differs(&[
            (Profile::Faye, "it has no such cookie"),
            (Profile::CometD, "it leaves out the timeout"),
        ]),
        Check::new(
            &["BR-9", "BR-11"],
            "when the first session is gone, the second is held again, and told so",
            LONG,
            first_tab_closes,
        )
        .differs(&[
            (Profile::Faye, "it has no such cookie"),
            (Profile::CometD, "it sends no new advice"),
        ]),
        Check::new(
            &["BR-10", "CN-9"],
            "a session that connects again is no second session",
            LONG,
            no_false_second,
        ),
        Check::new(
            &["BR-12"],
            "websockets of one browser do not count",
            Over::Only(Transport::WebSocket),
            websockets_do_not_count,
        ),
        Check::new(
            &["BR-13", "HS-10"],
            "a session begun on a websocket without a cookie can go on by polling",
            Over::Both,
            falls_back,
        )
        .differs(&[
            (Profile::CometD, "it finds it by cookie alone"),
            (Profile::Faye, "it goes on sending to the websocket"),
        ]),
    ],
};

fn attribute<'c>(cookie: &'c str, name: &str) -> Option<&'c str> {
    let mut attributes = cookie.split(';').map(str::trim);
    attributes.find(|attribute| attribute.split('=').next() == Some(name))
}

fn handshake() -> String {
    json!([{
        "channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["long-polling"]
    }])
    .to_string()
}

fn cookie_is_set(scene: &Scene<'_>) -> Checked {
    let response = scene.post(&[("Content-Type", "application/json")], handshake())?;
    let cookie = response.header("Set-Cookie").unwrap_or_default();
    let is_whole = attribute(cookie, "Path").is_some() && attribute(cookie, "HttpOnly").is_some();
    hold(is_whole, || format!("Set-Cookie is {cookie:?}"))?;
    let client = scene.greeted()?;
    hold(client.cookie.is_some(), || "no cookie is set".to_owned())
}

fn cookie_is_kept(scene: &Scene<'_>) -> Checked {
    let mut client = scene.greeted()?;
    let cookie = client.cookie.clone();
    if cookie.is_none() {
        return Err(Stop::not_checked("the server sets no cookie"));
    }
    client.session.clear();
    client.handshake()?;
    equal("the cookie", client.cookie, cookie)
}

fn cookie_of_another_form(scene: &Scene<'_>) -> Checked {
    let json = ("Content-Type", "application/json");
    let first = scene.post(&[json], handshake())?;
    let cookie = first.set_cookie().unwrap_or_default().to_owned();
    let (name, value) = cookie.split_once('=').unwrap_or_default();
    let has_form = value.len() == 24
        && value
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    hold(has_form, || format!("the cookie {cookie:?}"))?;
    for odd in ["short", &value.to_uppercase(), &format!("{value}0"), ""] {
        let odd = format!("{name}={odd}");
        let response = scene.post(&[json, ("Cookie", &*odd)], handshake())?;
        let is_new = response.set_cookie().is_some();
        // One of digits alone has no other case.
        hold(is_new || odd == cookie, || format!("{odd:?} was taken"))?;
    }
    Ok(())
}

/// A cookie of the right form that is not that one.
fn another(cookie: &str) -> String {
    let (name, value) = cookie.split_once('=').unwrap_or_default();
    let value: String = value.chars().rev().collect();
    format!("{name}={value}")
}

fn bound_to_the_cookie(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    let cookie = client.cookie.clone().unwrap_or_default();
    for wrong in [Some(another(&cookie)), None] {
        client.cookie = wrong;
        let publish = client.publish_message(&scene.channel("a"), 1);
        scene.refused(&client.ask_one(publish)?, "402::session_unknown")?;
    }
    client.cookie = Some(cookie);
    client.publish(&scene.channel("a"), 1)?;
    Ok(())
}

fn without_cookies(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut client = scene.greeted()?;
    client.cookie = None;
    client.connect_now()?;
    client.cookie = None;
    client.subscribe(channel.as_str())?;
    client.publish(&channel, 1)?;
    client.event_on(&channel)?;
    Ok(())
}

fn cookies_of_websockets(scene: &Scene<'_>) -> Checked {
    let client = scene.connected()?;
    let cookie = client.cookie.clone().unwrap_or_default();
    let message = json!([{
        "channel": scene.channel("a"), "clientId": client.session, "data": 1, "id": "1"
    }]);
    let wrong = another(&cookie);
    let (mut socket, _) = scene.websocket(&[("Cookie", &*wrong)])?;
    socket.send_text(&message.to_string());
    scene.refused(&only(socket.messages()?)?, "402::session_unknown")?;
    for headers in [vec![("Cookie", &*cookie)], vec![]] {
        let (mut socket, _) = scene.websocket(&headers)?;
        socket.send_text(&message.to_string());
        accepted(&only(socket.messages()?)?)?;
    }
    Ok(())
}

/// Another session of that browser.
fn tab<'a>(scene: &'a Scene<'_>, cookie: &Option<String>) -> Checked<crate::Client<'a>> {
    let mut tab = scene.client()?;
    tab.cookie.clone_from(cookie);
    tab.handshake()?;
    tab.connect_now()?;
    Ok(tab)
}

fn second_tab(scene: &Scene<'_>) -> Checked {
    let mut first = scene.connected()?;
    let mut second = tab(scene, &first.cookie)?;
    let mut held = first.hold()?;
    first.is_held(&mut held)?;
    let connect = second.hold()?;
    let reply = second.answered_at_once(connect)?;
    accepted(&reply)?;
    equal(
        "multiple-clients",
        &reply["advice"]["multiple-clients"],
        true,
    )?;
    equal("reconnect", &reply["advice"]["reconnect"], "retry")?;
    let interval = reply["advice"]["interval"].as_u64();
    hold(interval.is_some_and(|interval| interval > 0), || {
        format!("no interval in {reply}")
    })?;
    first.is_held(&mut held)
}

fn advice_of_second_tab(scene: &Scene<'_>) -> Checked {
    let mut first = scene.connected()?;
    let mut second = tab(scene, &first.cookie)?;
    let mut held = first.hold()?;
    first.is_held(&mut held)?;
    let connect = second.hold()?;
    complete_advice(&second.answered_at_once(connect)?, "retry")
}

fn first_tab_closes(scene: &Scene<'_>) -> Checked {
    let mut first = scene.connected()?;
    let mut second = tab(scene, &first.cookie)?;
    let mut held = first.hold()?;
    first.is_held(&mut held)?;
    let connect = second.hold()?;
    second.answered_at_once(connect)?;
    first.disconnect()?;
    first.answered(held)?;

    let connect = second.hold()?;
    let reply = second.answered_at_once(connect)?;
    complete_advice(&reply, "retry")?;
    equal("interval", reply["advice"]["interval"].as_u64(), Some(0))?;
    let mut connect = second.hold()?;
    second.is_held(&mut connect)
}

fn no_false_second(scene: &Scene<'_>) -> Checked {
    let mut client = scene.connected()?;
    let mut older = client.hold()?;
    client.is_held(&mut older)?;
    for _ in 0..5 {
        let mut newer = client.hold()?;
        client.is_held(&mut newer)?;
        older = newer;
    }
    client.disconnect()?;
    let reply: Value = only(client.answered(older)?)?;
    let multiple = &reply["advice"]["multiple-clients"];
    hold(multiple != true, || format!("{reply}"))
}

fn websockets_do_not_count(scene: &Scene<'_>) -> Checked {
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(scene.connected()?);
    }
    let mut holds = Vec::new();
    for client in &mut clients {
        holds.push(client.hold()?);
    }
    for (client, hold) in clients.iter_mut().zip(&mut holds) {
        client.is_held(hold)?;
    }
    Ok(())
}

fn falls_back(scene: &Scene<'_>) -> Checked {
    let channel = scene.channel("a");
    let mut first = scene.client_over(Transport::WebSocket)?;
    first.handshake()?;
    first.connect_now()?;
    first.subscribe(channel.as_str())?;
    let mut client = first.moved(Transport::LongPolling)?;
    client.connect_now()?;
    client.publish(&channel, 1)?;
    client.event_on(&channel)?;
    Ok(())
}
