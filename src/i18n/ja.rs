//! 日本語.

use super::brand::brand;
use super::catalogue::{EdgeMessages, FailureText, Messages, PayMessages, StoryText, TimeLeftText};
use super::{Locale, money};
use crate::domain::confirmation::Stop;
use crate::domain::money::Money;
use crate::domain::outcome::FailureReason;

fn sum(amount: Money) -> String {
    money(Locale::Ja, amount)
}

pub(super) static MESSAGES: Messages = Messages {
    test_notice: "テスト決済です。実際の請求は発生していません。",
    test_mode: "このショップの決済は現在テストモードです。",
    languages: "言語",
    do_not_pay_again: "もう一度お支払いにならないでください。",

    paid: StoryText {
        heading: "お支払いが完了しました",
        next: "これ以上のお手続きは必要ありません。",
    },
    paid_money: |amount| format!("{}をお支払いいただきました。", sum(amount)),
    paid_despite_window: |amount| {
        format!(
            "決済画面では失敗と表示されましたが、実際には{}のお支払いが完了しています。",
            sum(amount)
        )
    },

    account: StoryText {
        heading: "入金用の口座を発行しました",
        next: "入金が確認されると、この画面が切り替わります。画面を閉じても問題ありません。",
    },
    account_money: |amount, deadline| match deadline {
        Some(deadline) => format!(
            "{deadline}\u{2060}までに{}を入金してください。",
            sum(amount)
        ),
        None => format!("下記の口座に{}を入金してください。", sum(amount)),
    },
    account_deadline: "期限を過ぎると、この口座には入金できません。入金されるまで、お金は引き落とされません。",
    account_exact: "金額が異なると、入金できないことがあります。",

    approving: StoryText {
        heading: "お支払いを確認しています",
        next: "通常は数秒で終わります。画面を閉じても問題ありません。",
    },
    approving_money: "結果はまだ出ていません。",

    in_review: StoryText {
        heading: "決済会社が承認を審査しています",
        next: "数日かかることがあります。画面を閉じても問題ありません。結果はこのページでご覧いただけます。",
    },

    number_issued: StoryText {
        heading: "コンビニでお支払いください",
        next: "決済画面で受け取った番号をコンビニでご提示ください。すでにお支払いの場合は、確認でき次第このページでご覧いただけます。",
    },
    number_money: |deadline| {
        format!("{deadline}\u{2060}までお支払いいただけます。お支払いはまだ確認できていません。")
    },

    left: StoryText {
        heading: "お支払いが終わっていません",
        next: "決済画面を閉じた場合は、続きからお支払いいただけます。すでにお支払いを終えた場合は、もう一度支払わずにしばらくお待ちください。",
    },
    left_without_link: "お支払いを終えたばかりの場合は、もう一度支払わずにしばらくお待ちください。",
    nothing_paid: "確認したところ、お支払いはまだありません。",

    failure,
    failed_money: "お金は引き落とされていません。",
    failed_in_doubt: "今のところ、決済は確認されていません。まれに後から承認されることがあります。承認の通知を受け取った場合は、もう一度支払わないでください。",
    failed_but_charged: "決済完了の通知が届いている場合は、もう一度支払う前にお問い合わせください。",
    order_is_over: "この注文のお支払い期間は終了しました。ご希望の場合は、ショップでもう一度ご注文ください。",
    account_waits: "このご注文には発行済みの入金口座があります。すでに入金された場合は、もう一度お支払いにならずにお待ちください。銀行からの連絡が遅れることがあります。",

    stopped: |why| match why {
        Stop::UnknownOrder => "注文が見つからないため、決済を中止しました。",
        Stop::Over => "お支払い期間が終了したため、決済を中止しました。",
        Stop::Paid => "すでにお支払い済みの注文のため、決済を中止しました。",
        Stop::Held => "この注文はショップが確認中のため、決済を中止しました。",
        Stop::Amount => "決済金額が注文金額と異なるため、決済を中止しました。",
        Stop::Unavailable => {
            "現在、注文を確認できないため決済を中止しました。しばらくしてからもう一度お試しください。"
        }
        Stop::Unreadable => "決済情報を読み取れないため、決済を中止しました。",
    },

    expired: StoryText {
        heading: "お支払い期間が終了しました",
        next: "ご希望の場合は、ショップでもう一度ご注文ください。お支払いを終えたばかりの場合は、もう一度支払う前にお問い合わせください。",
    },
    closed: StoryText {
        heading: "ショップが注文を締め切りました",
        next: "ご希望の場合は、ショップでもう一度ご注文ください。お支払いを終えたばかりの場合は、もう一度支払う前にお問い合わせください。",
    },

    refunded: StoryText {
        heading: "返金されました",
        next: "カード会社や銀行によっては、反映まで数日かかることがあります。",
    },
    refunded_money: |amount| match amount {
        Some(amount) => format!("{}が返金されました。", sum(amount)),
        None => "お支払いいただいた金額がすべて返金されました。".to_owned(),
    },
    partially_refunded: StoryText {
        heading: "一部の金額が返金されました",
        next: "カード会社や銀行によっては、反映まで数日かかることがあります。",
    },
    partially_refunded_money: |of, part| {
        format!("{}のうち{}が返金されました。", sum(of), sum(part))
    },

    held: StoryText {
        heading: "お支払いを確認できません",
        next: "ショップによる確認が必要です。下記の番号をお伝えいただくと、より早くご案内できます。",
    },
    held_money: "決済の内容が注文と異なるため、注文は進められていません。",

    duplicate: StoryText {
        heading: "二重にお支払いいただきました",
        next: "注文は一度だけ進みます。重複したお支払いはショップが確認できるように記録しました。返金は下記の番号を添えてお問い合わせください。",
    },
    duplicate_money: |amount| {
        format!(
            "お支払い済みの注文に、さらに{}のお支払いがありました。",
            sum(amount)
        )
    },

    late: StoryText {
        heading: "注文の締め切り後にお支払いいただきました",
        next: "ショップが確認できるように記録しました。注文を進めるか返金するかは、下記の番号を添えてお問い合わせください。",
    },
    late_money: |amount| {
        format!(
            "{}のお支払いがありましたが、注文は進められていません。",
            sum(amount)
        )
    },

    unconfirmed: StoryText {
        heading: "お支払いの結果をまだ確認できていません",
        next: "自動で確認を続けています。画面を閉じても問題ありません。",
    },
    unconfirmed_money: "お支払いが済んでいれば、記録は安全に残っています。",
    unconfirmed_without_order: "しばらくしてから、この画面を再読み込みしてください。",

    not_found: StoryText {
        heading: "注文が見つかりません",
        next: "お支払い済みの場合は、もう一度支払わずにショップへお問い合わせください。",
    },
    not_found_why: "アドレスが間違っているか、すでに使われていません。",
    invalid: StoryText {
        heading: "決済情報を読み取れません",
        next: "お支払い済みの場合は、もう一度支払わずにショップへお問い合わせください。",
    },
    invalid_why: "このアドレスには、決済を探すための番号がありません。",
    our_error: StoryText {
        heading: "現在、お支払いの結果を表示できません",
        next: "しばらくしてから、この画面を再読み込みしてください。",
    },
    our_error_why: "こちら側で問題が発生しました。お支払いが済んでいれば、記録は安全に残っています。",
    no_page: StoryText {
        heading: "ページが見つかりません",
        next: "アドレスをもう一度ご確認ください。",
    },
    no_page_why: "アドレスが間違っているか、すでに使われていません。",

    retry: "もう一度支払う",
    resume: "続きから支払う",
    check_now: "今すぐ確認する",
    back_to_shop: "ショップに戻る",
    help: "お問い合わせ",
    receipt: "領収書を見る",
    lasting_link: "あとでこの画面を見るリンク",

    facts: "お支払いの内容",
    amount_paid: "お支払い金額",
    amount_due: "注文金額",
    order_name: "注文内容",
    method: "お支払い方法",
    approval_number: "承認番号",
    paid_at: "お支払い日時",
    refunded_amount: "返金額",
    payment_id: "注文番号",
    transaction_id: "取引番号",
    quote_these: "お問い合わせの際は、この番号をお伝えください。",
    pay_method,

    account_panel: "入金先の口座",
    bank: "銀行",
    account_number: "口座番号",
    holder: "口座名義",
    amount_to_deposit: "入金額",
    deadline: "入金期限",
    copy_account_number: "口座番号をコピー",
    copied: "コピーしました",
    copy_refused: "コピーできませんでした。番号を長押ししてコピーしてください。",

    save_deadline: "入金期限をカレンダーに保存",
    deadline_event: |amount| format!("入金期限：{}", sum(amount)),
    time_left: TimeLeftText {
        around: ["あと", ""],
        between: "",
        days: ["日", "日"],
        hours: ["時間", "時間"],
        minutes: ["分", "分"],
        soon: "あと1分未満です",
        over: "期限を過ぎました",
    },
    other_device: "別の端末でこの画面を見る",
    other_device_code: "この画面のアドレスのQRコード",

    watching: "結果が出ると、この画面は自動で切り替わります。",
    watch_changed: "お支払いの状態が変わりました。画面を開き直します。",
    watch_ended: "自動確認を停止しました。「今すぐ確認する」を押してください。",
    checked_at: |at| format!("最終確認: {at}"),

    edge: EdgeMessages {
        busy: StoryText {
            heading: "ただいまアクセスが集中しています",
            next: "アクセスが多いため、このページをすぐに開けませんでした。",
        },
        too_many: StoryText {
            heading: "リクエストが集中しています",
            next: "お使いのインターネット回線から、短い時間に多くのリクエストがありました。",
        },
        broken: StoryText {
            heading: "現在、このページを表示できません",
            next: "こちら側で問題が発生しました。",
        },
        unreadable: StoryText {
            heading: "リクエストを読み取れませんでした",
            next: "ショップからもう一度やり直してください。",
        },
        framed: StoryText {
            heading: "結果は画面全体でご確認ください",
            next: "この枠の中には結果を表示しません。",
        },
        not_allowed: StoryText {
            heading: "この操作を行う権限がありません",
            next: "必要な場合は、ショップのオーナーに権限を依頼してください。",
        },
        if_paid: "お支払い済みの場合は、もう一度支払わずに、まず注文履歴をご確認ください。",
        again_in: |seconds| format!("{seconds}秒後にもう一度開いてください。"),
        again: "もう一度開く",
        see_result: "結果を見る",
    },
    pay: PayMessages {
        heading: "注文内容を確認してお支払いください",
        what_happens: "ボタンを押すと決済画面が開きます。お支払いが終わると、結果の画面に戻ります。",
        payable_until: |at| format!("{at}までお支払いいただけます。"),
        button: |amount| format!("{}を支払う", sum(amount)),
        opening: "決済画面を開いています。",
        preparing: "決済画面を準備しています。ボタンが押せるようにならない場合は、画面を再読み込みしてください。",
        sdk_missing: "決済画面を読み込めませんでした。広告ブロックを解除するか、しばらくしてからもう一度押してください。お金は引き落とされていません。",
        window_failed: "決済画面が開きませんでした。引き落としの通知が届いていなければ、もう一度押してください。",
        already_paid: "すでにお支払い済みの注文です。もう一度お支払いにならないでください。",
        see_status: "お支払いの状態を見る",
        no_script: "決済画面にはJavaScriptが必要です。ブラウザの設定で有効にして、画面を再読み込みしてください。",
        unavailable: StoryText {
            heading: "現在、ここではお支払いいただけません",
            next: "ショップの決済設定がまだ終わっていません。お金は引き落とされていません。ショップへお問い合わせください。",
        },
        paid: StoryText {
            heading: "すでにお支払い済みの注文です",
            next: "もう一度お支払いいただく必要はありません。",
        },
        refunded: StoryText {
            heading: "返金済みの注文です",
            next: "もう一度支払うことはできません。ご希望の場合は、ショップでもう一度ご注文ください。",
        },
        held: StoryText {
            heading: "ショップがお支払いを確認しています",
            next: "もう一度お支払いにならないでください。",
        },
        awaits_deposit: StoryText {
            heading: "発行済みの入金口座があります",
            next: "すでに入金された場合は、もう一度お支払いにならずにお待ちください。まだ入金されておらず、別の方法でのお支払いをご希望の場合は、ショップでもう一度ご注文ください。",
        },
        in_review: StoryText {
            heading: "先のお支払いを審査しています",
            next: "もう一度お支払いにならないでください。結果はお支払いの状態でご確認いただけます。",
        },
        number_issued: StoryText {
            heading: "コンビニでのお支払い番号がすでに発行されています",
            next: "その番号でお支払いになり、ここではもう一度お支払いにならないでください。結果はお支払いの状態でご確認いただけます。",
        },
    },
};

fn failure(reason: FailureReason) -> &'static FailureText {
    match reason {
        FailureReason::BuyerCancelled => &FailureText {
            heading: "お支払いをキャンセルしました",
            why: "お支払いの前に決済画面が閉じられました。",
            next: "注文はそのまま残っています。",
        },
        FailureReason::Declined => &FailureText {
            heading: "お支払いできませんでした",
            why: "カード会社または銀行が承認しませんでした。",
            next: "別のお支払い方法を使うか、カード会社にお問い合わせください。",
        },
        FailureReason::LimitExceeded => &FailureText {
            heading: "お支払いできませんでした",
            why: "ご利用限度額を超えています。",
            next: "限度額を確認するか、別のお支払い方法をお使いください。",
        },
        FailureReason::InsufficientBalance => &FailureText {
            heading: "お支払いできませんでした",
            why: "口座の残高が足りません。",
            next: "残高を確認するか、別のお支払い方法をお使いください。",
        },
        FailureReason::InvalidCard => &FailureText {
            heading: "お支払いできませんでした",
            why: "このカードは使用できません。",
            next: "カード番号と有効期限を確認するか、別のカードをお使いください。",
        },
        FailureReason::WindowError => &FailureText {
            heading: "お支払いできませんでした",
            why: "決済画面で問題が発生しました。",
            next: "しばらくしてからもう一度試すか、別のブラウザをお使いください。",
        },
        FailureReason::RefusedByShop => &FailureText {
            heading: "お支払いできませんでした",
            why: "承認の直前にショップが中止しました。",
            next: "注文内容や在庫が変わった可能性があります。ショップにご確認ください。",
        },
        FailureReason::Unknown => &FailureText {
            heading: "お支払いできませんでした",
            why: "承認されませんでした。",
            next: "しばらくしてからもう一度試すか、別のお支払い方法をお使いください。",
        },
    }
}

fn pay_method(word: &str) -> Option<&'static str> {
    Some(match word {
        "card" | "CARD" => "カード",
        "trans" | "TRANSFER" => "口座振替",
        "vbank" | "VIRTUAL_ACCOUNT" => "バーチャル口座",
        "phone" | "MOBILE" => "携帯電話決済",
        "EASY_PAY" => "簡単決済",
        "cultureland" | "smartculture" | "culturegift" | "booknlife" | "happymoney"
        | "GIFT_CERTIFICATE" => "商品券",
        "CONVENIENCE_STORE" => "コンビニ",
        "CRYPTO" => "暗号資産",
        "point" => "ポイント",
        "unionpay" => "銀聯",
        _ => return brand(word),
    })
}
