//! The shop's pages, written by hand. Every text that is not a constant of this file goes through [`Escaped`].

use std::fmt;

use super::Product;
use crate::demo::http::Order;
use crate::domain::money::{Currency, Money};
use crate::domain::order::Portone;
use crate::i18n::{Locale, money};

const STYLE: &str = "
:root { color-scheme: light dark; --ink: light-dark(#20242b, #eceef2); --soft: light-dark(#5b6472, #a7b0be); --line: light-dark(#d9dde4, #3a414d);
  --card: light-dark(#fff, #20242b); --back: light-dark(#f4f2ee, #15181d); --main: light-dark(#0b6b4f, #58c9a3); --on-main: light-dark(#fff, #06241b); }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); font: 1rem/1.6 Pretendard, 'Apple SD Gothic Neo', 'Noto Sans KR', sans-serif; word-break: keep-all; overflow-wrap: anywhere; }
header, main, footer { max-width: 60rem; margin-inline: auto; padding: 1rem; }
header { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: baseline; }
header a { font-size: 1.25rem; font-weight: 700; color: inherit; text-decoration: none; }
h1 { font-size: 1.5rem; margin: .5rem 0 1rem; text-wrap: balance; }
h2 { font-size: 1.1rem; margin: 0; }
p { margin: .25rem 0 .75rem; }
a { color: var(--main); }
.soft, footer { color: var(--soft); font-size: .9rem; }
.products { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 13rem), 1fr)); gap: 1rem; list-style: none; padding: 0; margin: 0; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1rem; }
.price { font-size: 1.25rem; font-weight: 700; font-variant-numeric: tabular-nums; }
form { display: flex; flex-wrap: wrap; gap: .5rem; }
button { font: inherit; min-height: 2.75rem; padding: .25rem 1rem; border-radius: .5rem; border: 1px solid var(--main); background: transparent; color: var(--main); cursor: pointer; }
.switch { display: flex; gap: .5rem; margin-bottom: 1rem; }
.switch a { display: inline-flex; align-items: center; min-height: 2.75rem; padding: .25rem 1rem; border: 1px solid var(--line); border-radius: 2rem; text-decoration: none; color: var(--soft); }
.switch a[aria-current] { border-color: var(--main); color: var(--main); font-weight: 700; background: var(--card); }
button.main { background: var(--main); color: var(--on-main); }
:focus-visible { outline: 3px solid var(--main); outline-offset: 2px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; }
dt { color: var(--soft); }
dd { margin: 0; }
.card + p, .products + p { margin-top: 1rem; }
";

/// Text made harmless for HTML, in content and in quoted attributes alike.
struct Escaped<'t>(&'t str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => fmt::Write::write_char(f, other)?,
            }
        }
        Ok(())
    }
}

/// `content` is HTML already; `title` is text.
fn document(title: &str, content: &str) -> String {
    format!(
        r#"<!DOCTYPE html>
<html lang="ko">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title} – 완료상점</title>
<style>{STYLE}</style>
</head>
<body>
<header><a href="/">완료상점</a><span class="soft">wanryo 데모 쇼핑몰</span></header>
<main>
{content}
</main>
<footer>데모예요. 실제로 팔거나 돈을 받지 않아요.</footer>
</body>
</html>
"#,
        title = Escaped(title),
    )
}

pub(super) fn products(
    products: &[Product],
    portone: Portone,
    app_url: &str,
    sandbox_url: &str,
) -> String {
    let cards: String = products
        .iter()
        .map(|product| card(product, portone))
        .collect();
    let switch: String = Portone::ALL
        .iter()
        .map(|other| generation(*other, portone))
        .collect();
    let content = format!(
        r#"<h1>오늘의 상품</h1>
<nav class="switch" aria-label="PortOne 버전">
{switch}</nav>
<ul class="products">
{cards}</ul>
<p class="soft">결제창에서는 성공, 실패, 취소, 창 닫기, 금액 위변조까지 골라 볼 수 있어요.
<a href="{app}/orders">관리 화면</a>과 <a href="{sandbox}_sandbox/">PortOne 샌드박스</a>에서 무슨 일이 있었는지 볼 수 있어요.</p>"#,
        app = Escaped(app_url),
        sandbox = Escaped(sandbox_url),
    );
    document("오늘의 상품", &content)
}

/// A link to the same products, sold through a generation of PortOne.
fn generation(portone: Portone, chosen: Portone) -> String {
    let word = portone.as_str();
    let current = if portone == chosen {
        r#" aria-current="page""#
    } else {
        ""
    };
    let name = word.to_uppercase();
    format!("<a href=\"/?portone={word}\"{current}>PortOne {name}</a>\n")
}

fn card(product: &Product, portone: Portone) -> String {
    format!(
        r#"<li class="card">
<h2>{name}</h2>
<p class="soft">{about}</p>
<p class="price">{price}</p>
<form method="post" action="/buy">
<input type="hidden" name="product" value="{id}">
<input type="hidden" name="portone" value="{portone}">
<button class="main" name="pay_method" value="card" aria-label="{name} 카드로 사기">카드로 사기</button>
<button name="pay_method" value="vbank" aria-label="{name} 무통장입금으로 사기">무통장입금</button>
</form>
</li>
"#,
        id = Escaped(product.id),
        portone = portone.as_str(),
        name = Escaped(product.name),
        about = Escaped(product.about),
        price = won(product.price),
    )
}

pub(super) fn order(order: &Order) -> String {
    let (title, next) = words(&order.status);
    let refunded = match order.refunded_amount {
        0 => String::new(),
        amount => format!("<dt>환불 금액</dt><dd>{}</dd>\n", won(amount)),
    };
    let pay = match order.status.as_str() {
        "open" => format!(
            r#"<p><a href="{}">결제하러 가기</a></p>"#,
            Escaped(&order.pay_url)
        ),
        _ => String::new(),
    };
    let content = format!(
        r#"<h1>{title}</h1>
<p>{next}</p>
{pay}
<dl class="card">
<dt>주문번호</dt><dd>{id}</dd>
<dt>상품</dt><dd>{name}</dd>
<dt>금액</dt><dd>{amount}</dd>
{refunded}<dt>상태</dt><dd><code>{status}</code></dd>
</dl>
<p><a href="{status_url}">결제 결과 다시 보기</a> · <a href="/">다른 상품 보기</a></p>
<p class="soft">이 내용은 주소창이 아니라, 쇼핑몰 서버가 wanryo API에 물어본 답이에요.</p>"#,
        title = Escaped(title),
        next = Escaped(next),
        id = Escaped(&order.payment_id),
        name = Escaped(&order.name),
        amount = won(order.amount),
        status = Escaped(&order.status),
        status_url = Escaped(&order.status_url),
    );
    document(title, &content)
}

/// What the shop does about each status. One that it does not know is nothing to ship on.
fn words(status: &str) -> (&'static str, &'static str) {
    match status {
        "paid" => ("주문이 접수됐어요", "결제를 확인했어요. 상품을 준비할게요."),
        "awaiting_deposit" => (
            "입금을 기다리고 있어요",
            "입금이 확인되면 상품을 준비할게요.",
        ),
        "open" => ("아직 결제되지 않았어요", "결제가 끝나면 상품을 준비할게요."),
        "partially_refunded" => ("일부를 환불했어요", "나머지 주문은 그대로예요."),
        "refunded" => ("환불했어요", "주문이 취소됐어요."),
        "held" => (
            "결제를 확인하고 있어요",
            "담당자가 확인한 뒤 연락드릴게요. 다시 결제하지 마세요.",
        ),
        "expired" => ("결제 기한이 지났어요", "다시 주문해 주세요."),
        "closed" => ("주문이 닫혔어요", "더는 결제를 받지 않아요."),
        _ => ("결제를 확인하고 있어요", "잠시 뒤에 다시 열어 주세요."),
    }
}

pub(super) fn help() -> String {
    document(
        "도움말",
        "<h1>도움말</h1>\n<p>결제한 내용이 이상하면 주문번호를 알려 주세요. 데모라서 답장은 없어요.</p>\n<p><a href=\"/\">상품 보기</a></p>",
    )
}

pub(super) fn not_found() -> String {
    document(
        "찾을 수 없어요",
        "<h1>찾을 수 없어요</h1>\n<p>그런 상품이나 주문이 없어요.</p>\n<p><a href=\"/\">상품 보기</a></p>",
    )
}

pub(super) fn unavailable() -> String {
    document(
        "지금은 주문할 수 없어요",
        "<h1>지금은 주문할 수 없어요</h1>\n<p>결제 서버가 답하지 않아요. 잠시 뒤에 다시 해 주세요.</p>\n<p><a href=\"/\">상품 보기</a></p>",
    )
}

fn won(amount: i64) -> String {
    money(
        Locale::Ko,
        Money {
            minor: amount,
            currency: Currency::KRW,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::super::PRODUCTS;
    use super::*;

    fn an_order(status: &str) -> Order {
        Order {
            payment_id: "shop-1".into(),
            name: "<script>alert('1')</script>".into(),
            status: status.into(),
            amount: 38_000,
            refunded_amount: 0,
            pay_url: "http://127.0.0.1:3000/pay/shop-1?a=\"b\"".into(),
            status_url: "http://127.0.0.1:3000/o/1".into(),
        }
    }

    #[test]
    fn nothing_that_came_from_elsewhere_is_markup() {
        let html = order(&an_order("open\"><b>"));

        assert!(
            html.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;"),
            "{html}"
        );
        assert!(!html.contains("<script") && !html.contains("<b>"), "{html}");
        assert!(order(&an_order("open")).contains("/pay/shop-1?a=&quot;b&quot;"));
    }

    #[test]
    fn what_is_sold_through_one_generation_is_bought_through_it() {
        for (portone, value) in [(Portone::V1, "v1"), (Portone::V2, "v2")] {
            let html = products(&PRODUCTS, portone, "http://a", "http://b/");

            let forms = format!(r#"<input type="hidden" name="portone" value="{value}">"#);
            assert_eq!(html.matches(&forms).count(), PRODUCTS.len());
            let current = format!(r#"<a href="/?portone={value}" aria-current="page">"#);
            assert_eq!(html.matches(&current).count(), 1, "{html}");
            assert_eq!(html.matches("aria-current=").count(), 1);
        }
    }

    #[test]
    fn only_paid_promises_the_goods() {
        for status in [
            "open",
            "awaiting_deposit",
            "refunded",
            "held",
            "expired",
            "closed",
            "paid2",
            "",
        ] {
            assert!(
                !order(&an_order(status)).contains("결제를 확인했어요"),
                "{status}"
            );
        }
        assert!(order(&an_order("paid")).contains("결제를 확인했어요. 상품을 준비할게요."));
    }
}
