use std::net::SocketAddr;

use super::*;

fn free_ports() -> Options {
    let any: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
    Options {
        addr: any,
        shop_addr: any,
        sandbox_addr: any,
    }
}

/// The whole demo, as a visitor meets it: samples in every state, and a purchase that leads to a pay page.
#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_finds_orders_in_every_state_and_can_buy() {
    let demo = Demo::start(&free_ports()).await.unwrap();
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap();

    let mut seen = std::collections::BTreeMap::new();
    let orders = demo
        .app
        .core
        .orders
        .list_orders(&crate::ports::store::OrderFilter {
            limit: 100,
            ..Default::default()
        })
        .await
        .unwrap()
        .orders;
    for order in &orders {
        seen.insert(order.payment_id.to_string(), order.status.as_str());
    }
    let expected = [
        ("DEMO-1001", "paid"),
        ("DEMO-1002", "refunded"),
        ("DEMO-1003", "partially_refunded"),
        ("DEMO-1004", "open"),
        ("DEMO-1005", "paid"),
        ("DEMO-1006", "paid"),
        ("DEMO-1007", "closed"),
        ("DEMO-1008", "paid"),
        ("DEMO-1009", "closed"),
        ("DEMO-1010", "held"),
        ("DEMO-1011", "held"),
        ("DEMO-1012", "open"),
        ("DEMO-1013", "open"),
        ("DEMO-1014", "paid"),
        ("DEMO-1015", "awaiting_deposit"),
        ("DEMO-1016", "open"),
        ("DEMO-2001", "paid"),
        ("DEMO-2002", "open"),
        ("DEMO-2003", "held"),
        ("DEMO-2004", "awaiting_deposit"),
    ];
    assert_eq!(
        seen,
        expected
            .into_iter()
            .map(|(id, status)| (id.to_owned(), status))
            .collect()
    );

    let bought = client
        .post(format!("{}/buy", demo.shop_url))
        .form(&[("product", "mug"), ("pay_method", "card"), ("price", "1")])
        .send()
        .await
        .unwrap();
    assert_eq!(bought.status(), 303);
    let pay_url = bought.headers()["location"].to_str().unwrap().to_owned();
    assert!(
        pay_url.starts_with(&format!("{}/pay/shop", demo.app.public_url)),
        "{pay_url}"
    );
    let pay_page = client.get(&pay_url).send().await.unwrap();
    assert_eq!(pay_page.status(), 200);
    assert!(
        pay_page.text().await.unwrap().contains("21,000원"),
        "the price is the shop's, not the form's"
    );

    let through_v2 = client
        .post(format!("{}/buy", demo.shop_url))
        .form(&[
            ("product", "mug"),
            ("pay_method", "vbank"),
            ("portone", "v2"),
        ])
        .send()
        .await
        .unwrap();
    assert_eq!(through_v2.status(), 303);
    let order_id = between(
        through_v2.headers()["location"].to_str().unwrap(),
        "/pay/",
        "?",
    );
    let order = demo
        .app
        .core
        .orders
        .find_order(&crate::domain::ids::PaymentId::parse(order_id).unwrap())
        .await
        .unwrap()
        .unwrap()
        .order;
    assert_eq!(order.portone, crate::domain::order::Portone::V2);
    assert_eq!(order.pay_method.as_deref(), Some("vbank"));
    assert_eq!(
        order.channel_key.as_deref(),
        Some(Sandbox::V2_LIVE_CHANNEL_KEY)
    );

    let thanks = client
        .get(format!("{}/orders/DEMO-1001", demo.shop_url))
        .send()
        .await
        .unwrap();
    assert_eq!(thanks.status(), 200);
    assert!(thanks.text().await.unwrap().contains("주문이 접수됐어요"));
    let nowhere = client
        .get(format!("{}/orders/DEMO-9999", demo.shop_url))
        .send()
        .await
        .unwrap();
    assert_eq!(nowhere.status(), 404);

    demo.stop().await;
}

#[tokio::test]
async fn a_taken_port_is_named_with_its_flag() {
    let taken = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let addr = taken.local_addr().unwrap();
    let free = free_ports();
    let cases = [
        (
            Options {
                shop_addr: addr,
                ..free.clone()
            },
            "--shop-addr",
        ),
        (
            Options {
                sandbox_addr: addr,
                ..free.clone()
            },
            "--sandbox-addr",
        ),
        (Options { addr, ..free }, "--wanryo-addr"),
    ];
    for (options, flag) in cases {
        let Err(error) = Demo::start(&options).await else {
            panic!("{flag}: the port was taken twice")
        };

        let message = format!("{error:#}");
        assert!(
            message.contains(flag) && message.contains(&addr.to_string()),
            "{message}"
        );
    }
}

/// What a browser does with the back office: no script, one cookie.
struct Staff {
    client: reqwest::Client,
    app_url: String,
    cookie: String,
}

impl Staff {
    async fn sign_in(demo: &Demo) -> Self {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        let app_url = demo.app.public_url.clone();
        let form = [
            ("email", STAFF_EMAIL),
            ("password", demo.password.expose_secret()),
            ("next", "/orders/DEMO-1010"),
        ];
        let answer = client
            .post(format!("{app_url}/login"))
            .form(&form)
            .send()
            .await
            .unwrap();
        assert_eq!(
            (
                answer.status().as_u16(),
                answer.headers()["location"].to_str().unwrap()
            ),
            (303, "/orders/DEMO-1010")
        );
        let cookie = answer.headers()["set-cookie"]
            .to_str()
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned();
        Self {
            client,
            app_url,
            cookie,
        }
    }

    async fn open(&self, path: &str) -> (u16, String) {
        let answer = self
            .client
            .get(format!("{}{path}", self.app_url))
            .header("cookie", &self.cookie)
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Presses a button and follows where it leads.
    async fn press(&self, path: &str) -> (u16, String) {
        let answer = self
            .client
            .post(format!("{}{path}", self.app_url))
            .header("cookie", &self.cookie)
            .header("sec-fetch-site", "same-origin")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 303, "{path}");
        self.open(answer.headers()["location"].to_str().unwrap())
            .await
    }
}

/// What stands between two marks, and after the first of `before`.
fn between<'h>(html: &'h str, before: &str, after: &str) -> &'h str {
    let (_, rest) = html
        .split_once(before)
        .unwrap_or_else(|| panic!("no {before:?} in {html}"));
    rest.split_once(after).map_or(rest, |(found, _)| found)
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_find_why_an_order_stands_where_it_stands() {
    let demo = Demo::start(&free_ports()).await.unwrap();
    let staff = Staff::sign_in(&demo).await;

    let (status, held) = staff.open("/orders/DEMO-1010").await;
    assert_eq!(status, 200);
    assert!(held.contains("<html lang=\"ko\">"));
    // What Leptos appends to every page are empty lists for islands; the page itself has nothing to run and nothing to load.
    assert!(
        !between(&held, "<body>", "</main>").contains("<script")
            && !held.contains("<script src")
            && !held.contains("modulepreload")
    );
    assert!(
        between(&held, "<section data-status=\"held\"", "</section>")
            .contains("상품을 보내지 말고")
    );
    let failed = between(&held, "<tr data-passed=\"false\">", "</tr>");
    assert!(
        failed.contains("금액")
            && failed.contains("158000")
            && failed.contains("100")
            && failed.contains("불일치"),
        "{failed}"
    );
    assert_eq!(held.matches("<tr data-passed=\"true\">").count(), 5);
    let redirect = between(&held, "data-kind=\"redirect\"", "</li>");
    assert!(redirect.contains("주장일 뿐이에요"), "{redirect}");
    assert!(
        held.contains("order.held")
            && held.contains("신예린")
            && held.contains("data-kind=\"webhook\"")
    );

    let (_, paid_though_said_failed) = staff.open("/orders/DEMO-1014?lang=en").await;
    assert!(
        paid_though_said_failed.contains("<html lang=\"en\">")
            && paid_though_said_failed.contains("Only a claim")
    );
    assert!(
        paid_though_said_failed.contains("data-status=\"paid\"")
            && paid_though_said_failed.contains("All 6 checks match.")
    );

    let (_, twice) = staff.open("/orders/DEMO-1008").await;
    assert!(
        between(&twice, "class=\"office-banner\"", "</p>").contains("중복 결제"),
        "a second payment is told of, though the order is paid"
    );
    let (_, other_amount) = staff.open("/orders/DEMO-2003").await;
    let checks = other_amount.matches("<tr data-passed=").count();
    assert_eq!(checks, 8, "V2 has a store and a generation to check");
    assert!(
        between(&other_amount, "<tr data-passed=\"false\">", "</tr>").contains("금액"),
        "{other_amount}"
    );
    let (_, account) = staff.open("/orders/DEMO-2004?lang=en").await;
    assert!(account.contains("Shinhan Bank"), "{account}");
    let (_, late) = staff.open("/orders/DEMO-1009").await;
    assert!(between(&late, "class=\"office-banner\"", "</p>").contains("늦은 결제"));

    for unknown in ["/orders/DEMO-9999", "/orders/%FF", "/orders/a%2Fb"] {
        assert_eq!(staff.open(unknown).await.0, 404, "{unknown}");
    }
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_search_the_list_and_act_on_an_order() {
    let demo = Demo::start(&free_ports()).await.unwrap();
    let staff = Staff::sign_in(&demo).await;
    let links = |html: &str| html.matches("<th role=\"rowheader\"").count();

    let (_, all) = staff.open("/orders").await;
    assert_eq!(links(&all), 20);
    assert!(all.contains("보류된 주문이 3건 있어요."));
    let (_, held) = staff.open("/orders?status=held").await;
    assert_eq!(links(&held), 3);
    let (_, found) = staff.open("/orders?q=DEMO-100&status=paid").await;
    assert_eq!(links(&found), 4, "1001, 1005, 1006 and 1008");
    let (_, none) = staff.open("/orders?q=%22%3E%3Cscript%3E").await;
    assert!(
        none.contains("조건에 맞는 주문이 없어요") && !none.contains("\"><script"),
        "{none}"
    );
    let (_, nonsense) = staff
        .open("/orders?status=lost&from=yesterday&after=%FF")
        .await;
    assert_eq!(links(&nonsense), 0, "nobody asked for all of them");
    assert!(nonsense.matches("aria-invalid=\"true\"").count() >= 2);
    assert!(nonsense.contains("yesterday"), "what was typed stays");
    let (_, past) = staff.open("/orders?to=2020-01-01").await;
    assert_eq!(links(&past), 0);

    let api = http::Api::new(
        &demo.app.public_url,
        access::make_api_key(&demo.app.core, "test", &Actor::Command)
            .await
            .unwrap(),
    )
    .unwrap();
    for number in 0..40 {
        api.make_order(&serde_json::json!({ "payment_id": format!("MORE-{number}"), "name": "양말", "amount": 5_000 })).await.unwrap();
    }
    let (_, first) = staff.open("/orders").await;
    assert_eq!(links(&first), 50);
    let next = between(&first, "class=\"office-pages\"", "</nav>");
    let next = between(next, "href=\"", "\"").replace("&amp;", "&");
    let (_, second) = staff.open(&next).await;
    assert_eq!(links(&second), 10);
    assert!(second.contains("DEMO-1001") && !first.contains("DEMO-1001"));

    let (_, asked) = staff.press("/orders/DEMO-1016/sync").await;
    assert!(between(&asked, "role=\"status\"", "</p>").contains("PortOne에서 새로 확인했어요."));
    let (_, closed) = staff.press("/orders/DEMO-1016/close").await;
    assert!(closed.contains("data-status=\"closed\"") && closed.contains("주문을 닫았어요."));
    assert!(
        closed.contains(&format!("담당자 ({STAFF_EMAIL})")),
        "the history says who"
    );
    assert!(
        !closed.contains("/close\""),
        "what is closed cannot be closed again"
    );
    let (_, refused) = staff.press("/orders/DEMO-1001/close").await;
    assert!(between(&refused, "role=\"alert\"", "</p>").contains("이미 결제된 주문이라"));

    let stranger = staff
        .client
        .get(format!("{}/orders/DEMO-1001", staff.app_url))
        .send()
        .await
        .unwrap();
    assert_eq!(stranger.status(), 303);
    let (_, left) = staff.press("/logout").await;
    assert!(left.contains("autocomplete=\"current-password\""));
    let after = staff
        .client
        .get(format!("{}/orders", staff.app_url))
        .header("cookie", &staff.cookie)
        .send()
        .await
        .unwrap();
    assert_eq!(after.status(), 303, "the session is over");
    demo.stop().await;
}
