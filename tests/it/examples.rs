//! The examples for shops, run as they stand in `docs/examples` and on the page of the API.

use std::process::Stdio;

use reqwest::Method;
use serde_json::json;
use tokio::process::Command;

use crate::app::TestApp;
use crate::support::with_sqlite;

const ALL: [(&str, &str); 3] = [
    ("sh", "shop.sh"),
    ("node", "shop.mjs"),
    ("python3", "shop.py"),
];

/// What an example prints; it must not fail.
async fn run(app: &TestApp, (program, file): (&str, &str), payment_id: &str) -> String {
    let output = Command::new(program)
        .arg(format!(
            "{}/docs/examples/{file}",
            env!("CARGO_MANIFEST_DIR")
        ))
        .env("WANRYO_URL", app.url(""))
        .env("WANRYO_KEY", app.key())
        .env("PAYMENT_ID", payment_id)
        .env("NO_PROXY", "*")
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap_or_else(|error| panic!("{program} is needed to run {file}: {error}"));
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (printed, complaint) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{file}: {printed}{complaint}");
    printed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_example_does_what_it_says_and_nothing_twice() {
    with_sqlite(|db| async move {
        let app = TestApp::start(&db).await;
        for example in ALL {
            let id = format!("ORD-{}", example.0);
            let printed = run(&app, example, &id).await;
            let order = app.read_order(&id).await;
            assert_eq!(
                printed.trim(),
                format!("pay at {}", order["pay_url"].as_str().unwrap())
            );

            let imp_uid = app.pay(&id, json!({}));
            app.complete(&format!("imp_uid={imp_uid}&merchant_uid={id}"))
                .await;
            for _ in 0..2 {
                let printed = run(&app, example, &id).await;
                assert!(printed.starts_with("refund "), "{example:?}: {printed}");
                app.api(Method::POST, &format!("/api/v1/orders/{id}/sync"), None)
                    .await;
                // Once something has gone back, the example has nothing more to do.
                let order = app.read_order(&id).await;
                assert_eq!(order["refunds"].as_array().unwrap().len(), 1, "{example:?}");
                if order["status"] != "paid" {
                    assert_eq!(order["refunded_amount"], 20_000);
                    break;
                }
            }
        }
        let page = app.page("/api/v1/docs").await.text;
        for line in [
            "Idempotency-Key: return-$PAYMENT_ID",
            "await call(",
            "urlopen(Request(",
        ] {
            assert!(page.contains(line), "{line}");
        }
    })
    .await;
}
