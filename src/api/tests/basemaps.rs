//! Base maps: tiles of a map service through the server, and an archive by ranges.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::extract::RawQuery;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};

use super::app::{Answer, TestApp};
use crate::basemaps::Basemap;

/// A map service: counts what is asked, and wants its key.
async fn service() -> (String, Arc<AtomicU32>) {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let wmts = move |RawQuery(query): RawQuery| async move {
        count.fetch_add(1, Ordering::Relaxed);
        let query = query.unwrap_or_default();
        let is_known = query.contains("tk=geheim");
        match query.contains("TILEMATRIX=9") {
            _ if !is_known => (StatusCode::FORBIDDEN, [(header::CONTENT_TYPE, "text/plain")], query),
            true => (StatusCode::OK, [(header::CONTENT_TYPE, "text/html")], "<script>".to_owned()),
            false => (StatusCode::OK, [(header::CONTENT_TYPE, "image/png")], query),
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/wmts", axum::routing::get(wmts));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, asked)
}

fn map(value: Value) -> Basemap {
    serde_json::from_value(value).unwrap()
}

#[tokio::test]
async fn tiles_come_through_the_server_once_and_the_key_stays_there() {
    let (address, asked) = service().await;
    let template = format!("{address}/wmts?TILEMATRIX={{z}}&TILEROW={{y}}&TILECOL={{x}}&tk={{key}}");
    let maps = vec![
        map(
            json!({ "id": "tdt", "name": "天地图", "tiles": [&template, format!("{template}&L=cva")], "key": "geheim",
            "crs": "gcj02", "attribution": "© 天地图", "min_zoom": 1, "max_zoom": 10 }),
        ),
        map(json!({ "id": "no-key", "tiles": [&template] })),
    ];
    let app = TestApp::with(|config| config.map.basemap = maps).await;
    let listed = app.get("/api/v1/basemaps").await;
    assert!(!listed.text().contains("geheim") && !listed.text().contains(&address), "{}", listed.text());
    let first = &listed.good()[0];
    assert_eq!(first["tiles"][1], "/api/v1/tiles/tdt/{z}/{x}/{y}?layer=1");
    assert_eq!(
        (&first["crs"], &first["kind"], &first["min_zoom"]),
        (&json!("gcj02"), &json!("raster"), &json!(1))
    );

    let tile = app.get("/api/v1/tiles/tdt/3/6/2").await;
    assert_eq!((tile.status, tile.header("content-type")), (StatusCode::OK, "image/png"));
    assert_eq!(tile.text(), "TILEMATRIX=3&TILEROW=2&TILECOL=6&tk=geheim");
    assert!(tile.header("cache-control").starts_with("private"));
    app.get("/api/v1/tiles/tdt/3/6/2").await;
    assert_eq!(asked.load(Ordering::Relaxed), 1, "the second time it is there");
    assert!(app.get("/api/v1/tiles/tdt/3/6/2?layer=1").await.text().ends_with("L=cva"));
    for outside in ["tdt/0/0/0", "tdt/11/0/0", "tdt/3/8/0", "tdt/x/0/0", "none/3/6/2", "tdt/3/6/2?layer=2"] {
        let answer = app.get(&format!("/api/v1/tiles/{outside}")).await;
        assert_eq!(answer.problem(), "tile_not_found", "{outside}");
    }
    let page = app.get("/api/v1/tiles/tdt/9/6/2").await;
    assert_eq!(
        (page.status, page.problem().as_str()),
        (StatusCode::BAD_GATEWAY, "bad_gateway"),
        "a page is no tile"
    );
    assert_eq!(app.get("/api/v1/tiles/no-key/3/6/2").await.problem(), "bad_gateway");
}

async fn range(app: &TestApp, range: &str) -> Answer {
    let request = Request::get("/api/v1/basemaps/local/archive")
        .header(header::AUTHORIZATION, format!("Bearer {}", app.token))
        .header(header::RANGE, range);
    app.send(request.body(axum::body::Body::empty()).unwrap()).await
}

#[tokio::test]
async fn an_archive_is_read_by_ranges() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("city.pmtiles");
    std::fs::write(&file, b"PMTiles3 and so on").unwrap();
    let maps = vec![
        map(json!({ "id": "local", "kind": "pmtiles", "file": file })),
        map(json!({ "id": "gone", "kind": "pmtiles", "file": folder.path().join("none") })),
    ];
    let app = TestApp::with(|config| config.map.basemap = maps).await;
    let part = range(&app, "bytes=0-6").await;
    assert_eq!((part.status, part.text()), (StatusCode::PARTIAL_CONTENT, "PMTiles"));
    assert_eq!((part.header("content-range"), part.header("accept-ranges")), ("bytes 0-6/18", "bytes"));
    assert_eq!(range(&app, "bytes=-5").await.text(), "so on");
    assert_eq!(range(&app, "bytes=18-").await.problem(), "invalid_parameter");
    assert_eq!(app.get("/api/v1/basemaps/local/archive").await.text(), "PMTiles3 and so on");
    assert_eq!(app.get("/api/v1/basemaps/nobody/archive").await.problem(), "tile_not_found");
    let gone = app.get("/api/v1/basemaps/gone/archive").await;
    assert_eq!(gone.problem(), "internal");
    assert!(!gone.text().contains("none"), "paths stay inside: {}", gone.text());
}
