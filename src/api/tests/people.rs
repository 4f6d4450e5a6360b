//! Log-ins, second factors, links, grants, purposes: what opens and what shuts.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use motorpool_supervision::ids::UnitId;
use serde_json::{Value, json};

use super::app::{Answer, TestApp};
use crate::accounts::password::Hasher;
use crate::accounts::{Role, secrets, totp};
use crate::api::tests::cases::{CASE, County};
use crate::clock::wall_now;
use crate::registry::accounts::{Account, NewAccount, NewGrant, NewLogin};

pub(super) const PASSWORD: &str = "three cars in the yard";

/// Somebody who is logged in.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) account: Account,
    secret: String,
}

impl Person {
    /// The header that a browser sends.
    pub(super) fn cookie(&self) -> String {
        format!("theme=dark; motorpool={}", self.secret)
    }
}

impl TestApp {
    /// An account with a role on a unit (`None` = everything), at home in `home`, logged in.
    pub(super) async fn person(
        &self,
        name: &str,
        role: Role,
        unit: Option<i64>,
        home: Option<i64>,
    ) -> Person {
        let (people, now) = (self.registry.people(), wall_now());
        let new = NewAccount { name: name.to_owned(), unit: home.map(UnitId), ..NewAccount::default() };
        let account = people.create_account(&new, "test", now).await.unwrap();
        let grant = NewGrant { role, unit: unit.map(UnitId), is_secret: false, until: None };
        people.grant(account.id, grant, "test", now).await.unwrap();
        let secret = secrets::secret().unwrap();
        let expires_at = motorpool_protocols::UtcMillis(now.0 + 3_600_000);
        let login =
            NewLogin { secret_sha256: &secrets::sha256(&secret), expires_at, ip: "192.0.2.1", agent: "test" };
        people.create_login(account.id, &login, now).await.unwrap();
        Person { account, secret }
    }

    /// A request of a page of this server.
    pub(super) async fn call_as(
        &self,
        person: &Person,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Answer {
        self.call_from(Some(person), method, path, body, "same-origin").await
    }

    async fn call_from(
        &self,
        person: Option<&Person>,
        method: &str,
        path: &str,
        body: Option<&Value>,
        site: &str,
    ) -> Answer {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = Request::builder().method(method).uri(path).header("sec-fetch-site", site);
        if let Some(person) = person {
            request = request.header(header::COOKIE, person.cookie());
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        // Whatever a handler asks of a condition, this one holds.
        let request = request.header(header::IF_MATCH, "*");
        self.send(request.body(body.map_or_else(Body::empty, |body| Body::from(body.to_string()))).unwrap())
            .await
    }

    async fn log_in(&self, name: &str, password: &str, code: Option<&str>) -> Answer {
        let body = json!({ "name": name, "password": password, "code": code });
        self.call_from(None, "POST", "/api/v1/login", Some(&body), "same-origin").await
    }

    /// An account with [`PASSWORD`].
    pub(super) async fn with_password(&self, name: &str) -> Account {
        let (people, now) = (self.registry.people(), wall_now());
        let new = NewAccount { name: name.to_owned(), ..NewAccount::default() };
        let account = people.create_account(&new, "test", now).await.unwrap();
        let grant = NewGrant { role: Role::Viewer, unit: None, is_secret: false, until: None };
        people.grant(account.id, grant, "test", now).await.unwrap();
        let hash = Hasher::new().hash(PASSWORD).await.unwrap();
        people.set_password(account.id, &hash, None, now).await.unwrap();
        account
    }
}

/// The secret in the cookie that an answer sets.
fn session(answer: &Answer, account: &Account) -> Person {
    let cookie = answer.header("set-cookie");
    let (name, rest) = cookie.split_once('=').unwrap();
    assert_eq!(name, "motorpool", "over plain HTTP on a loopback address");
    let (secret, attributes) = rest.split_once("; ").unwrap();
    assert!(
        attributes.contains("HttpOnly")
            && attributes.contains("SameSite=Strict")
            && attributes.contains("Path=/")
    );
    Person { account: account.clone(), secret: secret.to_owned() }
}

async fn actions(app: &TestApp) -> Vec<String> {
    let page = app.get("/api/v1/audit").await.good();
    page["items"].as_array().unwrap().iter().map(|item| item["action"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_log_in_opens_and_ends() {
    let app = TestApp::new().await;
    let account = app.with_password("zhang").await;
    let answer = app.log_in(" Zhang ", PASSWORD, None).await;
    let me = answer.good();
    assert_eq!(
        (&me["account"], &me["name"], &me["person"]),
        (&json!(account.id), &json!("zhang"), &json!(1))
    );
    assert_eq!(me["permissions"], json!(["positions:read", "trips:read", "reports:read"]));
    let here = session(&answer, &account);
    let there = session(&app.log_in("zhang", PASSWORD, None).await, &account);
    assert_eq!(app.call_as(&here, "GET", "/api/v1/me", None).await.good(), me);
    let logins = app.call_as(&here, "GET", "/api/v1/logins", None).await.good();
    let logins = logins["items"].as_array().unwrap();
    assert_eq!(logins.len(), 2);
    let other = logins.iter().find(|login| login["is_current"] == false).unwrap()["id"].as_i64().unwrap();
    let ended = app.call_as(&here, "DELETE", &format!("/api/v1/logins/{other}"), None).await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    assert_eq!(app.call_as(&there, "GET", "/api/v1/me", None).await.problem(), "unauthorized");
    let out = app.call_as(&here, "DELETE", "/api/v1/login", None).await;
    assert!(out.status == StatusCode::NO_CONTENT && out.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(app.call_as(&here, "GET", "/api/v1/me", None).await.problem(), "unauthorized");
    assert_eq!(actions(&app).await, ["logout", "login.end", "login", "login"]);
}

#[tokio::test]
async fn a_server_that_speaks_tls_or_listens_beyond_loopback_sets_a_cookie_for_tls_only() {
    let cookie = async |change: fn(&mut crate::config::Config)| {
        let app = TestApp::with(change).await;
        app.with_password("zhang").await;
        app.log_in("zhang", PASSWORD, None).await.header("set-cookie").to_owned()
    };
    let is_secure = |cookie: &str| cookie.starts_with("__Host-motorpool=") && cookie.ends_with("; Secure");
    assert!(is_secure(&cookie(|config| config.http.tls_cert = "server.pem".into()).await));
    assert!(is_secure(&cookie(|config| config.http.listen = "0.0.0.0:8080".parse().unwrap()).await));
    let plain = cookie(|config| config.http.listen = "127.0.0.1:8080".parse().unwrap()).await;
    assert!(plain.starts_with("motorpool=") && !plain.contains("Secure"), "{plain}");
}

#[tokio::test]
async fn failures_look_alike_and_shut_the_name_for_a_while() {
    let app = TestApp::new().await;
    app.with_password("zhang").await;
    for name in ["zhang", "nobody"] {
        for _ in 0..5 {
            assert_eq!(app.log_in(name, "not this one, no", None).await.problem(), "login_failed", "{name}");
        }
        let shut = app.log_in(name, PASSWORD, None).await;
        assert_eq!(shut.problem(), "too_many_attempts", "{name}: even with the right password");
        assert!((1..=30).contains(&shut.header("retry-after").parse::<u64>().unwrap()), "{name}");
    }
    let text = app.get("/api/v1/audit?action=login.failed").await.text().to_owned();
    assert!(
        text.contains("account 1") && !text.contains("nobody"),
        "what was typed may be a password: {text}"
    );
}

#[tokio::test]
async fn pages_of_other_servers_do_nothing() {
    let app = TestApp::new().await;
    let person = app.person("li", Role::Viewer, None, None).await;
    for site in ["cross-site", "same-site", "none"] {
        let out = app.call_from(Some(&person), "DELETE", "/api/v1/login", None, site).await;
        assert_eq!(out.problem(), "cross_site", "{site}");
        let body = json!({ "name": "x", "password": "y" });
        let login = app.call_from(None, "POST", "/api/v1/login", Some(&body), site).await;
        assert_eq!(login.problem(), "cross_site", "{site}");
    }
    assert_eq!(
        app.call_from(Some(&person), "GET", "/api/v1/me", None, "cross-site").await.status,
        StatusCode::OK
    );
    let planted = Request::get("/api/v1/me")
        .header(header::COOKIE, format!("motorpool=x; motorpool={}", person.secret));
    assert_eq!(
        app.send(planted.body(Body::empty()).unwrap()).await.problem(),
        "unauthorized",
        "two cookies are none"
    );
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_each_code_holds_once() {
    let app = TestApp::new().await;
    let account = app.with_password("zhang").await;
    let person = session(&app.log_in("zhang", PASSWORD, None).await, &account);
    let own = json!({ "password": PASSWORD });
    let made = app.call_as(&person, "POST", "/api/v1/me/totp", Some(&own)).await.good();
    let secret = from_base32(made["secret"].as_str().unwrap());
    assert!(made["uri"].as_str().unwrap().starts_with("otpauth://totp/Motorpool:zhang?secret="));
    let confirm = |code: String| {
        let (app, person, body) = (&app, &person, json!({ "code": code }));
        async move { app.call_as(person, "POST", "/api/v1/me/totp/confirm", Some(&body)).await }
    };
    assert_eq!(confirm("000".to_owned()).await.problem(), "invalid_body");
    // The step before, so that the present one is left for the log-in.
    let step = totp::step_of(wall_now());
    let codes = confirm(totp::code_of(&secret, step - 1)).await.good();
    let recovery = codes["recovery_codes"].as_array().unwrap();
    assert_eq!(recovery.len(), 10);
    assert_eq!(app.call_as(&person, "POST", "/api/v1/me/totp", Some(&own)).await.problem(), "conflict");

    assert_eq!(app.log_in("zhang", PASSWORD, None).await.problem(), "code_needed");
    assert_eq!(
        app.log_in("zhang", PASSWORD, Some(&totp::code_of(&secret, step - 1))).await.problem(),
        "code_needed"
    );
    let code = totp::code_of(&secret, totp::step_of(wall_now()));
    assert_eq!(app.log_in("zhang", PASSWORD, Some(&code)).await.status, StatusCode::OK);
    assert_eq!(
        app.log_in("zhang", PASSWORD, Some(&code)).await.problem(),
        "code_needed",
        "a code holds once"
    );
    let spare = recovery[3].as_str().unwrap();
    assert_eq!(app.log_in("zhang", PASSWORD, Some(&spare.to_uppercase())).await.status, StatusCode::OK);
    assert_eq!(app.log_in("zhang", PASSWORD, Some(spare)).await.problem(), "code_needed");
    let removed =
        app.call_as(&person, "DELETE", "/api/v1/me/totp", Some(&json!({ "password": PASSWORD }))).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    assert_eq!(app.log_in("zhang", PASSWORD, None).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_browser_left_open_gives_nobody_a_second_factor() {
    let app = TestApp::new().await;
    let account = app.with_password("zhang").await;
    let person = session(&app.log_in("zhang", PASSWORD, None).await, &account);
    for method in ["POST", "DELETE"] {
        let bare = app.call_as(&person, method, "/api/v1/me/totp", None).await;
        assert_ne!(bare.status, StatusCode::OK, "{method}");
        let wrong = json!({ "password": "not this one, no" });
        let wrong = app.call_as(&person, method, "/api/v1/me/totp", Some(&wrong)).await;
        assert_eq!(wrong.problem(), "invalid_body", "{method}");
    }
    let own = json!({ "password": PASSWORD });
    let propose = || app.call_as(&person, "POST", "/api/v1/me/totp", Some(&own));
    let first = from_base32(propose().await.good()["secret"].as_str().unwrap());
    let second = from_base32(propose().await.good()["secret"].as_str().unwrap());
    let step = totp::step_of(wall_now());
    let confirm = async |secret: &[u8]| {
        let body = json!({ "code": totp::code_of(secret, step) });
        app.call_as(&person, "POST", "/api/v1/me/totp/confirm", Some(&body)).await
    };
    assert_eq!(confirm(&first).await.problem(), "invalid_body", "it was replaced");
    confirm(&second).await.good();
}

#[tokio::test]
async fn a_reset_ends_log_ins_at_once_and_takes_another_password() {
    let app = TestApp::new().await;
    let account = app.with_password("zhang").await;
    let person = session(&app.log_in("zhang", PASSWORD, None).await, &account);
    let admin = app.person("sec", Role::SecurityAdmin, None, None).await;
    let path = format!("/api/v1/accounts/{}/reset", account.id);
    let link = app.call_as(&admin, "POST", &path, None).await.good()["link"].clone();
    assert_eq!(app.call_as(&person, "GET", "/api/v1/me", None).await.problem(), "unauthorized");
    let set_up = async |password: &str| {
        let body = json!({ "link": link, "password": password });
        app.call_from(None, "POST", "/api/v1/setup", Some(&body), "same-origin").await
    };
    let same = set_up(PASSWORD).await;
    assert_eq!(same.problem(), "invalid_body", "{}", same.text());
    assert_eq!(same.json()["errors"][0]["pointer"], "/password");
    assert_eq!(set_up("four cars in the yard").await.status, StatusCode::OK, "the link still holds");
}

fn from_base32(text: &str) -> Vec<u8> {
    let bits: String = text
        .bytes()
        .map(|b| {
            format!(
                "{:05b}",
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|known| *known == b).unwrap()
            )
        })
        .collect();
    bits.as_bytes()
        .chunks_exact(8)
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect()
}

#[tokio::test]
async fn the_link_of_the_first_start_makes_one_account_once() {
    let app = TestApp::new().await;
    let people = app.registry.people();
    let earlier = people.create_first_link(wall_now()).await.unwrap().unwrap();
    let link = people.create_first_link(wall_now()).await.unwrap().unwrap();
    let set_up = |link: String, name: &'static str, password: &'static str| {
        let body = json!({ "link": link, "name": name, "display_name": "安全员", "password": password });
        let app = &app;
        async move { app.call_from(None, "POST", "/api/v1/setup", Some(&body), "same-origin").await }
    };
    assert_eq!(set_up(earlier, "sec", PASSWORD).await.problem(), "not_found", "an earlier link");
    assert_eq!(set_up("0".repeat(64), "sec", PASSWORD).await.problem(), "not_found");
    assert_eq!(set_up(link.clone(), "sec", "short").await.problem(), "invalid_body");
    assert_eq!(set_up(link.clone(), "no name", PASSWORD).await.problem(), "invalid_body");
    let me = set_up(link.clone(), "sec", PASSWORD).await.good();
    assert_eq!((&me["grants"][0]["role"], &me["display_name"]), (&json!("security-admin"), &json!("安全员")));
    assert_eq!(me["permissions"], json!(["accounts:read", "accounts:write"]));
    assert_eq!(set_up(link, "second", PASSWORD).await.problem(), "not_found");
    assert_eq!(people.create_first_link(wall_now()).await.unwrap(), None);
    assert_eq!(app.log_in("sec", PASSWORD, None).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_of_accounts_reads_which_units_a_grant_may_name() {
    let county = County::new().await;
    let app = &county.app;
    let everywhere = app.person("sec", Role::SecurityAdmin, None, None).await;
    let units = app.call_as(&everywhere, "GET", "/api/v1/units", None).await.good();
    let names = |units: &Value| {
        let items = units["items"].as_array().unwrap().iter();
        items.map(|unit| unit["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(names(&units).len() > 3 && names(&units)[0] == "演示县", "{units}");
    assert_eq!(units["items"][1], json!({ "id": 2, "name": "机关事务中心", "parent": 1 }));
    let of_one = app.person("sec-4", Role::SecurityAdmin, Some(4), Some(4)).await;
    let units = app.call_as(&of_one, "GET", "/api/v1/units", None).await.good();
    assert_eq!(units, json!({ "items": [{ "id": 4, "name": "县林业局", "parent": null }] }));
    assert_eq!(app.call_as(&everywhere, "GET", "/api/v1/registers/unit", None).await.problem(), "forbidden");
    let viewer = app.person("viewer", Role::Viewer, None, None).await;
    assert_eq!(app.call_as(&viewer, "GET", "/api/v1/units", None).await.problem(), "forbidden");
}

#[tokio::test]
async fn accounts_are_made_granted_reset_and_shut_by_somebody_else() {
    let app = TestApp::new().await;
    let admin = app.person("sec", Role::SecurityAdmin, None, None).await;
    let call = |method: &'static str, path: String, body: Value| {
        let (app, admin) = (&app, &admin);
        async move { app.call_as(admin, method, &path, Some(&body)).await }
    };
    let made =
        call("POST", "/api/v1/accounts".into(), json!({ "name": "wang", "display_name": "王" })).await.good();
    let (id, link) = (made["id"].as_i64().unwrap(), made["link"].as_str().unwrap());
    assert_eq!(
        call("POST", "/api/v1/accounts".into(), json!({ "name": "WANG" })).await.problem(),
        "invalid_body"
    );
    let body = json!({ "link": link, "password": PASSWORD });
    let opened = app.call_from(None, "POST", "/api/v1/setup", Some(&body), "same-origin").await;
    let wang = Person { account: admin.account.clone(), ..session(&opened, &admin.account) };
    assert_eq!(opened.good()["permissions"], json!([]), "an account without a grant may nothing");
    assert_eq!(app.call_as(&wang, "GET", "/api/v1/positions", None).await.problem(), "forbidden");

    let grants = format!("/api/v1/accounts/{id}/grants");
    let grant =
        call("POST", grants.clone(), json!({ "role": "viewer" })).await.good()["id"].as_i64().unwrap();
    assert_eq!(app.call_as(&wang, "GET", "/api/v1/positions", None).await.status, StatusCode::OK);
    assert_eq!(
        call("POST", grants.clone(), json!({ "role": "audit-admin" })).await.problem(),
        "invalid_body"
    );
    assert_eq!(call("POST", grants.clone(), json!({ "role": "king" })).await.problem(), "invalid_body");
    assert_eq!(
        call("POST", grants.clone(), json!({ "role": "viewer", "unit": 9 })).await.problem(),
        "invalid_body"
    );
    let gone = app.call_as(&admin, "DELETE", &format!("{grants}/{grant}"), None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(app.call_as(&wang, "GET", "/api/v1/positions", None).await.problem(), "forbidden", "at once");

    let own = format!("/api/v1/accounts/{}", admin.account.id);
    assert_eq!(
        call("POST", format!("{own}/grants"), json!({ "role": "inspector" })).await.problem(),
        "forbidden"
    );
    assert_eq!(call("PATCH", own, json!({ "is_disabled": false })).await.problem(), "forbidden");
    let must = call("PATCH", format!("/api/v1/accounts/{id}"), json!({ "must_change_password": true })).await;
    assert_eq!(must.good()["must_change_password"], true);
    let same = json!({ "old": PASSWORD, "new": PASSWORD });
    assert_eq!(
        app.call_as(&wang, "POST", "/api/v1/me/password", Some(&same)).await.problem(),
        "invalid_body"
    );
    let changed = json!({ "old": PASSWORD, "new": "four cars in the yard" });
    assert_eq!(
        app.call_as(&wang, "POST", "/api/v1/me/password", Some(&changed)).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(app.log_in("wang", PASSWORD, None).await.problem(), "login_failed");
    let reset = app.call_as(&admin, "POST", &format!("/api/v1/accounts/{id}/reset"), None).await.good();
    let body = json!({ "link": reset["link"], "password": PASSWORD });
    assert_eq!(
        app.call_from(None, "POST", "/api/v1/setup", Some(&body), "same-origin").await.status,
        StatusCode::OK
    );
    assert_eq!(
        app.call_as(&wang, "GET", "/api/v1/me", None).await.problem(),
        "unauthorized",
        "a reset ends log-ins"
    );
    call("PATCH", format!("/api/v1/accounts/{id}"), json!({ "is_disabled": true })).await.good();
    assert_eq!(app.log_in("wang", PASSWORD, None).await.problem(), "login_failed");
}

#[tokio::test]
async fn the_demos_accounts_open_nothing_else() {
    let app = TestApp::new().await;
    let people = app.registry.people();
    let new = NewAccount { name: "manager".to_owned(), is_demo: true, ..NewAccount::default() };
    let account = people.create_account(&new, "demo", wall_now()).await.unwrap();
    let hash = Hasher::new().hash(crate::accounts::password::DEMO_PASSWORD).await.unwrap();
    people.set_password(account.id, &hash, None, wall_now()).await.unwrap();
    assert_eq!(
        app.log_in("manager", crate::accounts::password::DEMO_PASSWORD, None).await.problem(),
        "login_failed"
    );
    assert_eq!(app.call("GET", "/api/v1/demo/accounts", None, None).await.problem(), "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_did_is_opened_for_a_purpose_and_noted() {
    let county = County::new().await;
    let app = &county.app;
    let office = app.person("zhou", Role::OfficeSupervisor, Some(1), Some(2)).await;
    let manager = app.person("wang", Role::FleetManager, Some(4), Some(4)).await;
    let day = "from=2026-03-04T00:00:00Z&to=2026-03-05T00:00:00Z";
    let reads = [
        format!("/api/v1/devices/1/track?{day}"),
        format!("/api/v1/devices/1/segments?{day}"),
        format!("/api/v1/vehicles/1/segments?{day}"),
        format!("/api/v1/cases/{CASE}/events"),
        format!("/api/v1/cases/{CASE}/evidence"),
    ];
    for path in &reads {
        assert_eq!(app.call_as(&office, "GET", path, None).await.problem(), "purpose_needed", "{path}");
    }
    let state = json!({ "case": CASE, "text": "核查夜间行驶" });
    app.call_as(&office, "POST", "/api/v1/purposes", Some(&state)).await.good();
    for path in &reads {
        assert_eq!(app.call_as(&office, "GET", path, None).await.status, StatusCode::OK, "{path}");
    }
    assert_eq!(
        app.call_as(&manager, "GET", &reads[2], None).await.problem(),
        "purpose_needed",
        "of another log-in"
    );
    let before = app.call_as(&manager, "GET", "/api/v1/vehicles/1/accesses", None).await.good();
    let list = before["items"].as_array().unwrap();
    assert_eq!(list.len(), 5, "{list:?}");
    assert!(list.iter().all(|item| item["purpose"] == "核查夜间行驶" && item["actor"].as_str().unwrap().contains("zhou")));

    // While the check is confidential nothing of it shows, whatever it was named, and nothing that was there is gone.
    let inspector = app.person("zhang", Role::Inspector, Some(1), Some(3)).await;
    let act = json!({ "type": "make_confidential", "text": "保密核查" });
    app.call_as(&inspector, "POST", &format!("/api/v1/cases/{CASE}/events"), Some(&act)).await.good();
    let state = json!({ "vehicle": 1, "text": "看车" });
    app.call_as(&inspector, "POST", "/api/v1/purposes", Some(&state)).await.good();
    app.call_as(&inspector, "GET", &reads[2], None).await.good();
    let hidden = app.call_as(&manager, "GET", "/api/v1/vehicles/1/accesses", None).await.good();
    assert_eq!(hidden, before);
    assert_eq!(
        app.call_as(&inspector, "GET", "/api/v1/vehicles/1/accesses", None).await.good()["items"]
            .as_array()
            .unwrap()
            .len(),
        6
    );
    let actions = actions(app).await;
    assert!(
        ["track.read", "trips.read", "evidence.read", "case.log.read", "purpose", "case.act"]
            .iter()
            .all(|action| actions.iter().any(|known| known == action)),
        "{actions:?}"
    );
}
