//! Guessing passwords: it shuts a name for the network that guesses, slows it down for all, and costs the server no hashes.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode, header};
use serde_json::json;

use super::app::{Answer, TestApp};
use super::people::PASSWORD;
use crate::clock::wall_now;

const WRONG: &str = "not this one, no";

impl TestApp {
    async fn log_in_from(&self, address: &str, name: &str, password: &str) -> Answer {
        let body = json!({ "name": name, "password": password }).to_string();
        let request = Request::post("/api/v1/login").header("sec-fetch-site", "same-origin");
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let mut request = request.body(Body::from(body)).unwrap();
        let address: IpAddr = address.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from((address, 4_000))));
        self.send(request).await
    }
}

#[tokio::test]
async fn whoever_guesses_shuts_the_name_for_nobody_else() {
    let app = TestApp::new().await;
    app.with_password("zhang").await;
    for _ in 0..5 {
        assert_eq!(app.log_in_from("198.51.100.7", "zhang", WRONG).await.problem(), "login_failed");
    }
    let shut = app.log_in_from("198.51.100.7", "zhang", PASSWORD).await;
    assert_eq!(shut.problem(), "too_many_attempts", "even with the right password");
    assert_eq!(app.log_in_from("192.0.2.1", "zhang", PASSWORD).await.status, StatusCode::OK);
    let shut = app.log_in_from("198.51.100.7", "zhang", PASSWORD).await;
    assert_eq!(shut.problem(), "too_many_attempts", "what others do opens nothing");
}

#[tokio::test]
async fn one_network_of_ipv6_is_one_guesser() {
    let app = TestApp::new().await;
    app.with_password("zhang").await;
    for host in 1..=5 {
        let address = format!("2001:db8:0:1::{host}");
        assert_eq!(app.log_in_from(&address, "zhang", WRONG).await.problem(), "login_failed");
    }
    let shut = app.log_in_from("2001:db8:0:1::99", "zhang", PASSWORD).await;
    assert_eq!(shut.problem(), "too_many_attempts");
    assert_eq!(app.log_in_from("2001:db8:0:2::1", "zhang", PASSWORD).await.status, StatusCode::OK);
}

#[tokio::test]
async fn guesses_from_everywhere_slow_a_name_down_and_never_shut_it() {
    let app = TestApp::new().await;
    app.with_password("zhang").await;
    for host in 0..21 {
        app.registry
            .people()
            .begin_attempt("zhang", &format!("198.51.100.{host}"), wall_now())
            .await
            .unwrap();
    }
    let begun = Instant::now();
    assert_eq!(app.log_in_from("192.0.2.1", "zhang", PASSWORD).await.status, StatusCode::OK);
    assert!(begun.elapsed() >= Duration::from_millis(250), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_address_that_guesses_is_refused_before_anything_is_hashed() {
    let app = TestApp::new().await;
    app.with_password("zhang").await;
    // Nobody gets a hash from now on: whoever reaches it is told to come back.
    let _places = app.state.hasher().take_all_places();
    for n in 0..20 {
        let answer = app.log_in_from("198.51.100.7", &format!("nobody{n}"), WRONG).await;
        assert_eq!(answer.problem(), "unavailable", "{n}");
    }
    let answer = app.log_in_from("198.51.100.7", "zhang", PASSWORD).await;
    assert_eq!(answer.problem(), "too_many_attempts");
    assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
    assert_eq!(
        app.log_in_from("192.0.2.1", "zhang", PASSWORD).await.problem(),
        "unavailable",
        "others are not"
    );
}

#[tokio::test]
async fn right_passwords_use_an_address_up_in_no_way() {
    let app = TestApp::new().await;
    app.with_password("zhang").await;
    for n in 0..22 {
        assert_eq!(app.log_in_from("192.0.2.1", "zhang", PASSWORD).await.status, StatusCode::OK, "{n}");
    }
}
