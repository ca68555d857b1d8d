//! `check` on two shops that speak the language of the example rules: one believes, the other asks PortOne.

use std::path::Path;
use std::process::Output;
use std::sync::Mutex;
use std::time::Duration;

use portone_sandbox::Sandbox;
use portone_sandbox::check::{Rules, RulesTarget, select};
use portone_sandbox::scenario::{
    self, Answer, Feature, Options, Order, OrderState, Report, Target, TargetError, Verdict, Visit,
};
use serde_json::{Value, json};
use tokio::process::Command;
use url::Url;

use crate::check_shop;
use crate::support::{Bench, json_of};

const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rules.example.toml");

/// Neither shop does anything by itself, so nothing is waited for.
fn target(shop: &Url) -> RulesTarget {
    let rules = std::fs::read_to_string(Path::new(RULES)).unwrap();
    RulesTarget::new(shop, Rules::parse(&rules).unwrap(), Duration::ZERO).unwrap()
}

async fn run(sandbox: &Sandbox, shop: &Url, only: &str) -> Report {
    let scenarios = select(only).unwrap();
    scenario::run(sandbox, &target(shop), &scenarios, Options::default()).await
}

fn reason(report: &Report, number: u8) -> Option<&str> {
    match &report.of(number)?.verdict {
        Verdict::Failed(reason) => Some(reason),
        Verdict::Passed | Verdict::Skipped(_) => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_that_asks_portone_passes_every_scenario() {
    let sandbox = Sandbox::builder().spawn().await.unwrap();
    let shop = check_shop::careful(sandbox.url()).await;

    let all = scenario::all();
    let report = scenario::run(&sandbox, &target(&shop), &all, Options::default()).await;

    assert_eq!(report.failed(), 0, "{report}");
    let skipped: Vec<u8> = report
        .results
        .iter()
        .filter(|result| matches!(result.verdict, Verdict::Skipped(_)))
        .map(|result| result.number)
        .collect();
    assert_eq!(skipped, [29], "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_that_believes_fails_with_reasons() {
    let sandbox = Sandbox::builder().spawn().await.unwrap();
    let shop = check_shop::naive().await;

    let report = run(&sandbox, &shop, "1,3,4,7,10,12,15-21,24,27,29,45-47").await;

    let passed: Vec<u8> = report
        .results
        .iter()
        .filter(|result| result.verdict == Verdict::Passed)
        .map(|result| result.number)
        .collect();
    // What is left to a shop that believes: failures that are not lied about, and messages that come alone.
    assert_eq!(passed, [10, 12, 27, 46, 47], "{report}");
    for (number, right) in [
        (1, "the order was fulfilled 2 times; once is right"),
        (
            3,
            "answered failed for a payment that PortOne says is paid as ordered; right is paid",
        ),
        (7, "the order was fulfilled 3 times; once is right"),
        (
            15,
            "answered paid for a declined payment, because the address said imp_success=true; right is failed",
        ),
        (
            16,
            "answered paid for a payment of another order; right is not_found or invalid or failed or held",
        ),
        (
            18,
            "answered paid for a payment of 100 KRW where the order says 65000 KRW; right is held or failed or not_found or refunded",
        ),
        (
            21,
            "answered paid for an account that nobody has paid into yet; right is virtual_account_issued",
        ),
        (
            45,
            "the order is paid because a forged webhook said so; right is open",
        ),
    ] {
        assert_eq!(reason(&report, number), Some(right), "{report}");
    }
    assert_eq!(
        report.of(29).unwrap().verdict,
        Verdict::Skipped(
            "the target does not support looking for payments that it was not told of".into()
        )
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_is_not_there_is_said_to_be_not_there() {
    let sandbox = Sandbox::builder().spawn().await.unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);

    // In a task of its own, as a shop's test may want it.
    let url = nobody.parse().unwrap();
    let report = tokio::spawn(async move { run(&sandbox, &url, "1").await });
    let report = report.await.unwrap();

    assert_eq!(
        reason(&report, 1).unwrap(),
        format!("made an order at {nobody}orders and got no answer: nobody listens there")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_are_told_one_by_one_and_the_sandbox_is_put_back() {
    let bench = Bench::start().await;
    let sandbox = &bench.sandbox;
    let shop = check_shop::careful(sandbox.url()).await;
    let mut told = Vec::new();
    let options = Options::default()
        .run("myrun")
        .observer(|result| told.push(result.number));

    let report = scenario::run(sandbox, &target(&shop), &select("37,39").unwrap(), options).await;

    assert_eq!((report.passed(), told), (2, vec![37, 39]), "{report}");
    let orders: Vec<_> = sandbox
        .journal()
        .into_iter()
        .filter_map(|entry| match entry.event {
            portone_sandbox::Event::Checkout { merchant_uid, .. } => merchant_uid,
            _ => None,
        })
        .collect();
    assert!(orders.contains(&"chk-myrun-37a".to_owned()), "{orders:?}");
    let clock = json_of(bench.get("/_sandbox/clock").send().await.unwrap(), 200).await;
    assert_eq!(
        (&clock["offset_ms"], &clock["frozen"]),
        (&0.into(), &false.into())
    );
}

async fn program(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_portone-sandbox"))
        .args(arguments)
        .env_remove("WANRYO_API_KEY")
        .kill_on_drop(true)
        .output()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_ends_with_1_when_a_scenario_fails_and_with_0_when_none_does() {
    let shop = check_shop::naive().await;
    let check = async |only: &str, more: &[&str]| {
        let mut arguments = vec!["check", "--addr", "127.0.0.1:0", "--rules", RULES];
        arguments.extend(["--target", shop.as_str(), "--patience", "0", "--only", only]);
        arguments.extend(more);
        program(&arguments).await
    };

    let failed = check("10,forged-success", &[]).await;
    let text = String::from_utf8(failed.stdout).unwrap();
    assert_eq!(failed.status.code(), Some(1), "{text}");
    assert_eq!(
        text,
        "pass  10  buyer-cancels\n\
         FAIL  15  forged-success\n          \
         when the buyer comes back with imp_success=true\n          \
         answered paid for a declined payment, because the address said imp_success=true; right is failed\n\
         \n1 passed, 1 failed, 0 skipped\n"
    );

    let json = check("10,15", &["--json"]).await;
    let report: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json.status.code(), Some(1));
    assert_eq!(
        (&report["passed"], &report["failed"]),
        (&1.into(), &1.into())
    );
    assert_eq!(report["scenarios"][1]["name"], "forged-success");

    // This shop believes, and asks nobody.
    let hint = String::from_utf8(failed.stderr).unwrap();
    assert!(
        hint.contains("the server never asked http://127.0.0.1:"),
        "{hint}"
    );

    let passed = check("10", &[]).await;
    assert_eq!(passed.status.code(), Some(0));
    assert_eq!(String::from_utf8(passed.stderr).unwrap(), "");
}

#[tokio::test]
async fn the_address_may_stand_before_the_subcommand() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let shop = check_shop::naive().await;
    let check = [
        "check",
        "--target",
        shop.as_str(),
        "--rules",
        RULES,
        "--only",
        "10",
    ];
    for arguments in [
        [&["--addr", &addr][..], &check].concat(),
        [&check[..], &["--addr", &addr]].concat(),
    ] {
        let ended = program(&arguments).await;

        let text = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(2), "{text}");
        assert!(text.contains(&format!("cannot listen on {addr}")), "{text}");
    }
}

/// A shop that never finds a payment which it was told of wrongly is not waited for as one that looks for payments.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_that_does_nothing_by_itself_is_not_waited_for_long() {
    let sandbox = Sandbox::builder().spawn().await.unwrap();
    let shop = check_shop::naive().await;
    let patient = Patient {
        shop: target(&shop),
        passed: Mutex::default(),
    };

    let scenarios = select("1").unwrap();
    let report = scenario::run(&sandbox, &patient, &scenarios, Options::default()).await;

    assert_eq!(report.failed(), 1, "{report}");
    assert_eq!(*patient.passed.lock().unwrap(), Duration::from_secs(10));
}

/// A target with a clock that can be moved and all the time in the world.
struct Patient {
    shop: RulesTarget,
    passed: Mutex<Duration>,
}

#[async_trait::async_trait]
impl Target for Patient {
    fn supports(&self, feature: Feature) -> bool {
        self.shop.supports(feature)
    }

    async fn create_order(&self, order: &Order) -> Result<Order, TargetError> {
        self.shop.create_order(order).await
    }

    fn redirect_url(&self, order: &Order) -> Url {
        self.shop.redirect_url(order)
    }

    fn webhook_url(&self) -> Url {
        self.shop.webhook_url()
    }

    async fn complete(&self, visit: &Visit) -> Result<Answer, TargetError> {
        self.shop.complete(visit).await
    }

    async fn state(&self, order: &Order) -> Result<OrderState, TargetError> {
        self.shop.state(order).await
    }

    async fn pass_time(&self, by: Duration) {
        *self.passed.lock().unwrap() += by;
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(3600)
    }
}

#[tokio::test]
async fn the_program_ends_with_2_when_it_cannot_check() {
    let target = [
        "check",
        "--addr",
        "127.0.0.1:0",
        "--target",
        "http://127.0.0.1:1",
    ];
    for (more, complaint) in [
        (
            &["--rules", "/no/such/file"][..],
            "/no/such/file cannot be read",
        ),
        (
            &["--rules", RULES, "--only", "1,99"],
            "\"99\" names no scenario",
        ),
        (
            &[
                "--rules",
                concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
            ],
            "unknown field",
        ),
        (&["--rules", RULES], "http://127.0.0.1:1/ cannot be reached"),
        (&[], "<--api-key <API_KEY>|--rules <RULES>>"),
        (
            &["--rules", RULES, "--only", "48", "--v1-only"],
            "none of the scenarios in --only is about that version",
        ),
        (
            &["--api-key", "k", "--v1-only", "--v2-only"],
            "cannot be used with",
        ),
    ] {
        let ended = program(&[&target[..], more].concat()).await;

        let text = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(2), "{more:?}: {text}");
        assert!(text.contains(complaint), "{more:?}: {text}");
    }
}

#[tokio::test]
async fn the_program_lists_the_scenarios() {
    let plain = program(&["scenarios"]).await;
    let text = String::from_utf8(plain.stdout).unwrap();
    assert_eq!(text.lines().count(), 58);
    assert!(text.starts_with(" 1  card-paid "), "{text}");

    let json = program(&["scenarios", "--json"]).await;
    let list: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(list[17]["name"], "tampered-amount");
    assert_eq!(list[17]["generation"], "v1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scenario_is_run_by_its_name_over_http() {
    let bench = Bench::start().await;
    let rules = std::fs::read_to_string(Path::new(RULES)).unwrap();
    let config = json_of(bench.get("/_sandbox/config").send().await.unwrap(), 200).await;
    let run = async |name: &str, body: Value, status: u16| {
        let path = format!("/_sandbox/scenarios/{name}");
        json_of(bench.post(&path).json(&body).send().await.unwrap(), status).await
    };

    let all = json_of(bench.get("/_sandbox/scenarios").send().await.unwrap(), 200).await;
    let (all, crowd) = (all.as_array().unwrap(), &all[29]);
    assert_eq!(
        (all.len(), &crowd["number"], &crowd["name"]),
        (58, &json!(30), &json!("crowd"))
    );
    let careful = check_shop::careful(bench.sandbox.url()).await;
    let careful = careful.as_str();
    let naive = check_shop::naive().await;
    let against = |shop: &str| json!({"target": shop, "rules": rules, "patience_seconds": 0});
    for name in ["crowd", "30"] {
        let passed = run(name, against(careful), 200).await;
        assert_eq!(
            (&passed["name"], &passed["verdict"]),
            (&json!("crowd"), &json!("passed")),
            "{passed}"
        );
    }
    let failed = run("crowd", against(naive.as_str()), 200).await;
    assert_eq!(failed["verdict"], "failed", "{failed}");
    assert!(failed["reason"].is_string() && !failed["steps"].as_array().unwrap().is_empty());

    run("no-such", against(careful), 404).await;
    for body in [
        json!({}),
        json!({"target": "shop", "api_key": "k"}),
        json!({"target": careful}),
        json!({"target": careful, "api_key": "k", "rules": rules}),
        json!({"target": careful, "rules": "x"}),
        json!({"target": careful, "rules": rules, "webhook_url": "ftp://shop"}),
        json!({"target": careful, "rules": rules, "patience_seconds": 601}),
        json!({"target": careful, "rules": rules, "x": 1}),
    ] {
        run("crowd", body, 400).await;
    }
    let after = json_of(bench.get("/_sandbox/config").send().await.unwrap(), 200).await;
    assert_eq!(after, config, "settings are as before");
}

/// Each changes settings, faults and clock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_scenarios_at_once_one_is_run() {
    let bench = Bench::start().await;
    let rules = std::fs::read_to_string(Path::new(RULES)).unwrap();
    // Takes the buyer, and answers when it is told to.
    let shop = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("http://{}/", shop.local_addr().unwrap());
    let body = json!({"target": target, "rules": rules, "patience_seconds": 0});
    let ask = || bench.post("/_sandbox/scenarios/crowd").json(&body).send();

    let first = tokio::spawn(ask());
    let (visitor, _) = shop.accept().await.unwrap();
    json_of(ask().await.unwrap(), 409).await;
    drop((visitor, shop));
    let first = json_of(first.await.unwrap().unwrap(), 200).await;

    assert_eq!(first["verdict"], "failed", "{first}");
    let next = json_of(ask().await.unwrap(), 200).await;
    assert_eq!(next["verdict"], "failed", "its turn is over");
}
