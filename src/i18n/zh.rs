//! 简体中文.

use super::brand::brand;
use super::catalogue::{EdgeMessages, FailureText, Messages, PayMessages, StoryText, TimeLeftText};
use super::{Locale, money};
use crate::domain::confirmation::Stop;
use crate::domain::money::Money;
use crate::domain::outcome::FailureReason;

fn sum(amount: Money) -> String {
    money(Locale::Zh, amount)
}

pub(super) static MESSAGES: Messages = Messages {
    test_notice: "这是测试付款，没有实际扣款。",
    test_mode: "本店的付款目前为测试模式。",
    languages: "语言",
    do_not_pay_again: "请不要重复付款。",

    paid: StoryText {
        heading: "付款成功",
        next: "您无需再进行任何操作。",
    },
    paid_money: |amount| format!("已付款{}。", sum(amount)),
    paid_despite_window: |amount| format!("付款窗口显示失败，但实际上已成功付款{}。", sum(amount)),

    account: StoryText {
        heading: "转账账户已生成",
        next: "确认到账后，本页面会自动更新。您可以关闭页面。",
    },
    account_money: |amount, deadline| match deadline {
        Some(deadline) => format!("请在{deadline}\u{2060}之前转入{}。", sum(amount)),
        None => format!("请向下列账户转入{}。", sum(amount)),
    },
    account_deadline: "超过期限后，该账户将无法入账。在您转账之前不会扣款。",
    account_exact: "金额不一致时可能无法入账。",

    approving: StoryText {
        heading: "正在确认您的付款",
        next: "通常几秒钟即可完成。您可以关闭页面。",
    },
    approving_money: "目前还没有结果。",

    in_review: StoryText {
        heading: "支付机构正在审核",
        next: "可能需要几天时间。您可以关闭页面，之后可在本页查看结果。",
    },

    number_issued: StoryText {
        heading: "请到便利店付款",
        next: "请在便利店出示支付窗口中的号码付款。如果已经付款，确认后会显示在本页。",
    },
    number_money: |deadline| format!("可在{deadline}\u{2060}之前付款。目前尚未确认到付款。"),

    left: StoryText {
        heading: "付款尚未完成",
        next: "如果您关闭了付款窗口，可以继续付款。如果已经付款，请稍等片刻，不要重复付款。",
    },
    left_without_link: "如果您刚刚完成付款，请稍等片刻，不要重复付款。",
    nothing_paid: "经确认，目前没有任何付款。",

    failure,
    failed_money: "没有扣款。",
    failed_in_doubt: "目前没有查到付款。少数情况下会稍后获得批准，如果收到批准通知，请不要再次付款。",
    failed_but_charged: "如果您收到了扣款通知，请先咨询，再重新付款。",
    order_is_over: "该订单的付款时间已结束。如仍需要，请在商店重新下单。",
    account_waits: "此订单已分配转账账户。如果您已转账，请耐心等待，不要再次付款。银行的通知有时会延迟。",

    stopped: |why| match why {
        Stop::UnknownOrder => "未找到订单，已停止付款。",
        Stop::Over => "订单的付款时间已结束，已停止付款。",
        Stop::Paid => "该订单已经付款，已停止付款。",
        Stop::Held => "商家正在核实该订单，已停止付款。",
        Stop::Amount => "付款金额与订单金额不一致，已停止付款。",
        Stop::Unavailable => "目前无法确认订单，已停止付款。请稍后再试。",
        Stop::Unreadable => "无法读取付款信息，已停止付款。",
    },

    expired: StoryText {
        heading: "付款时间已结束",
        next: "如仍需要，请在商店重新下单。如果您刚刚完成付款，请先咨询，再重新付款。",
    },
    closed: StoryText {
        heading: "商家已关闭订单",
        next: "如仍需要，请在商店重新下单。如果您刚刚完成付款，请先咨询，再重新付款。",
    },

    refunded: StoryText {
        heading: "已退款",
        next: "到账时间因银行或发卡机构而异，可能需要几天。",
    },
    refunded_money: |amount| match amount {
        Some(amount) => format!("已退款{}。", sum(amount)),
        None => "您支付的金额已全部退款。".to_owned(),
    },
    partially_refunded: StoryText {
        heading: "已部分退款",
        next: "到账时间因银行或发卡机构而异，可能需要几天。",
    },
    partially_refunded_money: |of, part| format!("{}中已退款{}。", sum(of), sum(part)),

    held: StoryText {
        heading: "无法确认付款",
        next: "需要商家人工核实。提供下列编号可以更快得到帮助。",
    },
    held_money: "付款内容与订单不符，因此订单未继续处理。",

    duplicate: StoryText {
        heading: "您重复付款了",
        next: "订单只会处理一次。重复的付款已记录，商家可以查看。如需退款，请提供下列编号咨询。",
    },
    duplicate_money: |amount| format!("该订单已经付款，又重复支付了{}。", sum(amount)),

    late: StoryText {
        heading: "订单结束后才付款",
        next: "付款已记录，商家可以查看。是否继续订单或退款，请提供下列编号咨询。",
    },
    late_money: |amount| format!("已付款{}，但订单未继续处理。", sum(amount)),

    unconfirmed: StoryText {
        heading: "暂时无法确认付款结果",
        next: "系统会自动继续确认。您可以关闭页面。",
    },
    unconfirmed_money: "如果您已经付款，记录会安全保留。",
    unconfirmed_without_order: "请稍后刷新本页面。",

    not_found: StoryText {
        heading: "找不到订单",
        next: "如果您已经付款，请不要重复付款，并联系商家。",
    },
    not_found_why: "地址有误，或已不再使用。",
    invalid: StoryText {
        heading: "无法读取付款信息",
        next: "如果您已经付款，请不要重复付款，并联系商家。",
    },
    invalid_why: "该地址中没有可用于查找付款的编号。",
    our_error: StoryText {
        heading: "目前无法显示付款结果",
        next: "请稍后刷新本页面。",
    },
    our_error_why: "我们这边出现了问题。如果您已经付款，记录会安全保留。",
    no_page: StoryText {
        heading: "找不到页面",
        next: "请检查地址是否正确。",
    },
    no_page_why: "地址有误，或已不再使用。",

    retry: "重新付款",
    resume: "继续付款",
    check_now: "立即确认",
    back_to_shop: "返回商店",
    help: "联系客服",
    receipt: "查看收据",
    lasting_link: "稍后查看本页面的链接",

    facts: "付款详情",
    amount_paid: "付款金额",
    amount_due: "订单金额",
    order_name: "订单内容",
    method: "付款方式",
    approval_number: "授权码",
    paid_at: "付款时间",
    refunded_amount: "退款金额",
    payment_id: "订单号",
    transaction_id: "交易号",
    quote_these: "咨询时请提供这些编号。",
    pay_method,

    account_panel: "转账账户",
    bank: "银行",
    account_number: "账号",
    holder: "户名",
    amount_to_deposit: "转账金额",
    deadline: "转账期限",
    copy_account_number: "复制账号",
    copied: "已复制",
    copy_refused: "复制失败。请长按账号进行复制。",

    save_deadline: "将转账期限保存到日历",
    deadline_event: |amount| format!("转账期限：{}", sum(amount)),
    time_left: TimeLeftText {
        around: ["还剩", ""],
        between: "",
        days: ["天", "天"],
        hours: ["小时", "小时"],
        minutes: ["分钟", "分钟"],
        soon: "剩余不到1分钟",
        over: "期限已过",
    },
    other_device: "在其他设备上查看本页",
    other_device_code: "包含本页地址的二维码",

    watching: "有结果后，本页面会自动更新。",
    watch_changed: "付款状态已变化，正在重新打开页面。",
    watch_ended: "已停止自动确认。请点击“立即确认”。",
    checked_at: |at| format!("最后确认：{at}"),

    edge: EdgeMessages {
        busy: StoryText {
            heading: "当前访问人数较多",
            next: "访问人数较多，暂时无法打开本页面。",
        },
        too_many: StoryText {
            heading: "请求过于频繁",
            next: "您的网络连接在短时间内发出了很多请求。",
        },
        broken: StoryText {
            heading: "目前无法显示本页面",
            next: "我们这边出现了问题。",
        },
        unreadable: StoryText {
            heading: "无法读取请求",
            next: "请从商店重新开始。",
        },
        framed: StoryText {
            heading: "请在完整页面中查看结果",
            next: "此框架内不显示结果。",
        },
        not_allowed: StoryText {
            heading: "您没有权限执行此操作",
            next: "如有需要，请联系商店的所有者授予权限。",
        },
        if_paid: "如果您已经付款，请不要重复付款，并先查看订单记录。",
        again_in: |seconds| format!("请在{seconds}秒后重新打开。"),
        again: "重新打开",
        see_result: "查看结果",
    },
    pay: PayMessages {
        heading: "请确认订单并付款",
        what_happens: "点击按钮会打开付款窗口。付款完成后会回到结果页面。",
        payable_until: |at| format!("付款截止时间：{at}。"),
        button: |amount| format!("支付{}", sum(amount)),
        opening: "正在打开付款窗口。",
        preparing: "正在准备付款窗口。如果按钮无法点击，请刷新页面。",
        sdk_missing: "无法加载付款窗口。请关闭广告拦截功能，或稍后再次点击。没有扣款。",
        window_failed: "付款窗口未能打开。如果没有收到扣款通知，请再次点击。",
        already_paid: "该订单已经付款，请不要重复付款。",
        see_status: "查看付款状态",
        no_script: "付款窗口需要JavaScript。请在浏览器设置中启用后刷新页面。",
        unavailable: StoryText {
            heading: "目前无法在此付款",
            next: "商家尚未完成付款设置。没有扣款。请联系商家。",
        },
        paid: StoryText {
            heading: "该订单已经付款",
            next: "您无需再次付款。",
        },
        refunded: StoryText {
            heading: "该订单已退款",
            next: "无法再次付款。如仍需要，请在商店重新下单。",
        },
        held: StoryText {
            heading: "商家正在核实您的付款",
            next: "请不要重复付款。",
        },
        awaits_deposit: StoryText {
            heading: "此订单已分配转账账户",
            next: "如果您已转账，请耐心等待，不要再次付款。如果尚未转账并希望使用其他方式付款，请在商店重新下单。",
        },
        in_review: StoryText {
            heading: "您之前的付款正在审核",
            next: "请不要重复付款。结果可在付款状态中查看。",
        },
        number_issued: StoryText {
            heading: "您已有便利店付款号码",
            next: "请用该号码付款，不要在这里重复付款。结果可在付款状态中查看。",
        },
    },
};

fn failure(reason: FailureReason) -> &'static FailureText {
    match reason {
        FailureReason::BuyerCancelled => &FailureText {
            heading: "您取消了付款",
            why: "您在付款前离开了付款窗口。",
            next: "订单仍然保留。",
        },
        FailureReason::Declined => &FailureText {
            heading: "付款未成功",
            why: "发卡机构或银行拒绝了付款。",
            next: "请使用其他付款方式，或联系发卡机构。",
        },
        FailureReason::LimitExceeded => &FailureText {
            heading: "付款未成功",
            why: "超过了付款限额。",
            next: "请确认限额，或使用其他付款方式。",
        },
        FailureReason::InsufficientBalance => &FailureText {
            heading: "付款未成功",
            why: "账户余额不足。",
            next: "请确认余额，或使用其他付款方式。",
        },
        FailureReason::InvalidCard => &FailureText {
            heading: "付款未成功",
            why: "该卡无法使用。",
            next: "请确认卡号和有效期，或使用其他卡。",
        },
        FailureReason::WindowError => &FailureText {
            heading: "付款未成功",
            why: "付款窗口出现问题。",
            next: "请稍后再试，或使用其他浏览器。",
        },
        FailureReason::RefusedByShop => &FailureText {
            heading: "付款未成功",
            why: "商家在授权前停止了付款。",
            next: "订单或库存可能有变化，请向商家确认。",
        },
        FailureReason::Unknown => &FailureText {
            heading: "付款未成功",
            why: "未获授权。",
            next: "请稍后再试，或使用其他付款方式。",
        },
    }
}

fn pay_method(word: &str) -> Option<&'static str> {
    Some(match word {
        "card" | "CARD" => "银行卡",
        "trans" | "TRANSFER" => "实时转账",
        "vbank" | "VIRTUAL_ACCOUNT" => "虚拟账户",
        "phone" | "MOBILE" => "手机支付",
        "EASY_PAY" => "快捷支付",
        "cultureland" | "smartculture" | "culturegift" | "booknlife" | "happymoney"
        | "GIFT_CERTIFICATE" => "礼品券",
        "CONVENIENCE_STORE" => "便利店",
        "CRYPTO" => "加密资产",
        "point" => "积分",
        "alipay" => "支付宝",
        "wechat" => "微信支付",
        "unionpay" => "银联",
        _ => return brand(word),
    })
}
