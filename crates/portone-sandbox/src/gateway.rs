//! The payment gateways that V1 knows, as far as a shop sees them differ: how the browser comes back and with what, when
//! an approval or a cancel is done, what an account to deposit to looks like.
//!
//! The traits are PortOne's documented ones (<https://developers.portone.io/opi/ko/integration/pg/v1>); where a page gives
//! no number or wording, the constant's comment says that it is the sandbox's own.
//! A gateway does the same every time, so that a test can rely on it: `daou`, for which PortOne warns of false failures,
//! always comes back as one.

use std::time::Duration;

use crate::ledger::Flow;
use crate::record::{self, Record};

/// How long an approval that the redirect overtakes takes. PortOne gives no number.
pub(crate) const APPROVAL_OVERTAKEN: Duration = Duration::from_secs(1);
/// How long a gateway reviews what it first called failed. PortOne gives no number.
pub(crate) const APPROVAL_REVIEWED: Duration = Duration::from_secs(40 * 60);
/// How long after its issue an Econtext account of Eximbay's is paid into: "about ten minutes".
const ECONTEXT_DEPOSIT: Duration = Duration::from_secs(10 * 60);
/// How long an asynchronous cancel takes. PortOne gives no number.
const CANCEL_TAKES: Duration = Duration::from_secs(5);

/// A payment gateway (`pg_provider`).
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) name: &'static str,
    pub(crate) tells: Tells,
    route: Route,
    pub(crate) approval: Approval,
    pub(crate) account: Account,
    /// How long `cancel_history` stays behind a cancel; zero for gateways that answer at once.
    cancel_takes: Duration,
    /// Only cancels of virtual accounts are late.
    only_accounts_are_late: bool,
    /// Whether PortOne's confirm process is there for it.
    pub(crate) confirms: bool,
}

/// What the browser brings back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tells {
    /// `imp_success` in the query; `success` and the payment's fields in the callback.
    Flag,
    /// `imp_uid`, `merchant_uid` and, after a failure, `error_code`, `error_msg`; nothing else in either.
    IdsOnly,
    /// `imp_status` and `kcp_action` in the query.
    KcpQuick,
}

/// Which way the buyer comes and goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    /// Phones are redirected, desktops get the callback.
    Device,
    Redirect,
    /// `m_redirect_url` is ignored.
    Callback,
    /// `naverPopupMode: true` is the callback, `false` the redirect.
    NaverPopupMode,
    /// Neither redirect nor callback.
    Nowhere,
}

/// When the buyer's approval becomes PortOne's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Approval {
    AtOnce,
    /// The browser is back before, with a flag that says failed.
    Overtaken,
    /// Failed first, approved after a review.
    Reviewed,
}

/// An issued virtual account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Account {
    Plain,
    /// `vbank_holder` is null.
    NoHolder,
    /// The number has dashes in it. PortOne says that some do and not which.
    Dashes,
    /// `vbank_num` is `unknown`; paid into by itself.
    Econtext,
    /// Takes any deposit, also after a cancel, and lists them in `deposit_history`.
    Unlimited,
}

const fn gateway(name: &'static str) -> Gateway {
    Gateway {
        name,
        tells: Tells::Flag,
        route: Route::Device,
        approval: Approval::AtOnce,
        account: Account::Plain,
        cancel_takes: Duration::ZERO,
        only_accounts_are_late: false,
        confirms: true,
    }
}

/// By the names of `pg_provider`.
pub(crate) static GATEWAYS: [Gateway; 34] = [
    gateway("html5_inicis"),
    Gateway {
        tells: Tells::IdsOnly,
        account: Account::NoHolder,
        ..gateway("tosspayments")
    },
    gateway("kcp"),
    Gateway {
        tells: Tells::KcpQuick,
        route: Route::Redirect,
        ..gateway("kcp_quick")
    },
    Gateway {
        account: Account::Dashes,
        ..gateway("nice")
    },
    Gateway {
        tells: Tells::IdsOnly,
        ..gateway("nice_v2")
    },
    Gateway {
        approval: Approval::Overtaken,
        confirms: false,
        ..gateway("daou")
    },
    gateway("smartro"),
    Gateway {
        tells: Tells::IdsOnly,
        cancel_takes: CANCEL_TAKES,
        only_accounts_are_late: true,
        ..gateway("smartro_v2")
    },
    Gateway {
        tells: Tells::IdsOnly,
        account: Account::NoHolder,
        ..gateway("ksnet")
    },
    Gateway {
        tells: Tells::IdsOnly,
        account: Account::NoHolder,
        ..gateway("welcome")
    },
    Gateway {
        approval: Approval::Reviewed,
        ..gateway("paymentwall")
    },
    Gateway {
        route: Route::Redirect,
        ..gateway("paypal")
    },
    Gateway {
        tells: Tells::IdsOnly,
        route: Route::Callback,
        cancel_takes: CANCEL_TAKES,
        ..gateway("paypal_v2")
    },
    Gateway {
        route: Route::NaverPopupMode,
        ..gateway("naverpay")
    },
    Gateway {
        route: Route::Nowhere,
        confirms: false,
        ..gateway("naverco")
    },
    Gateway {
        account: Account::Econtext,
        confirms: false,
        ..gateway("eximbay")
    },
    Gateway {
        account: Account::Unlimited,
        ..gateway("settle")
    },
    Gateway {
        tells: Tells::IdsOnly,
        ..gateway("payletter_global")
    },
    Gateway {
        route: Route::Redirect,
        ..gateway("alipay")
    },
    Gateway {
        route: Route::Redirect,
        ..gateway("chai")
    },
    Gateway {
        route: Route::Redirect,
        ..gateway("inicis_jp")
    },
    gateway("uplus"),
    gateway("danal"),
    gateway("danal_tpay"),
    gateway("mobilians"),
    gateway("payco"),
    gateway("smilepay"),
    gateway("kakaopay"),
    gateway("kicc"),
    gateway("galaxia"),
    gateway("tosspay"),
    gateway("tosspay_v2"),
    gateway("payletter"),
];

impl Default for &'static Gateway {
    fn default() -> Self {
        &GATEWAYS[0]
    }
}

impl Gateway {
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        GATEWAYS.iter().find(|gateway| gateway.name == name)
    }

    /// The gateway of a record; one with an unknown `pg_provider` behaves as the default one.
    pub(crate) fn of(record: &Record) -> &'static Self {
        Self::named(record::text(record, "pg_provider")).unwrap_or_default()
    }

    /// The gateway whose name the channel key contains: the longest, as `nice_v2` contains `nice`.
    pub(crate) fn of_channel_key(channel_key: &str) -> Option<&'static Self> {
        GATEWAYS
            .iter()
            .filter(|gateway| channel_key.contains(gateway.name))
            .max_by_key(|gateway| gateway.name.len())
    }

    /// A channel of the sandbox's own for this gateway, as `GET /users/pg` lists it.
    pub(crate) fn channel_key(&self, is_test: bool) -> String {
        match is_test {
            false => format!("channel-key-{}", self.name),
            true => format!("channel-key-test-{}", self.name),
        }
    }

    /// The gateway's id of the merchant; Inicis' is the public one of its test shop.
    pub(crate) fn pg_id(&self) -> &'static str {
        match self.name {
            "html5_inicis" => "INIpayTest",
            _ => "portonesandbox",
        }
    }

    /// How the browser comes back, given what its device would have it do.
    pub(crate) fn flow(&self, device: Flow, naver_popup_mode: Option<bool>) -> Flow {
        match (self.route, naver_popup_mode) {
            (Route::Redirect, _) | (Route::NaverPopupMode, Some(false)) => Flow::Redirect,
            (Route::Callback, _) | (Route::NaverPopupMode, Some(true)) => Flow::Frame,
            (Route::Device | Route::Nowhere, _) | (Route::NaverPopupMode, None) => device,
        }
    }

    pub(crate) fn never_returns(&self) -> bool {
        self.route == Route::Nowhere
    }

    /// Inicis' transfers on a phone end in the bank's app, which opens the shop's page; the button in the window that
    /// was left behind opens it once more. Neither says whether it went well.
    pub(crate) fn ends_in_the_banks_app(&self, pay_method: &str, flow: Flow) -> bool {
        self.name == "html5_inicis" && pay_method == "trans" && flow == Flow::Redirect
    }

    /// How long after its issue an account is paid into without anybody's doing.
    pub(crate) fn deposits_after(&self) -> Option<Duration> {
        (self.account == Account::Econtext).then_some(ECONTEXT_DEPOSIT)
    }

    /// How long `cancel_history` stays behind this record's cancel; none if it does not.
    pub(crate) fn cancel_takes(&self, record: &Record) -> Option<Duration> {
        let is_late = !self.only_accounts_are_late || record::has_vbank(record);
        (is_late && !self.cancel_takes.is_zero()).then_some(self.cancel_takes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_the_field_and_are_unique() {
        for (index, gateway) in GATEWAYS.iter().enumerate() {
            assert!(gateway.name.len() <= 16, "{}", gateway.name);
            assert_eq!(
                GATEWAYS.iter().position(|other| other.name == gateway.name),
                Some(index)
            );
        }
    }

    #[test]
    fn a_channel_key_names_its_gateway_exactly() {
        for gateway in &GATEWAYS {
            for is_test in [false, true] {
                let key = gateway.channel_key(is_test);
                assert_eq!(
                    Gateway::of_channel_key(&key).map(|found| found.name),
                    Some(gateway.name)
                );
                assert_eq!(key.contains("test"), is_test);
            }
        }
        assert!(Gateway::of_channel_key("channel-key-893597d6-e62d-410f-83f9").is_none());
    }
}
