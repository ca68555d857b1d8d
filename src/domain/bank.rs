//! Banks by the codes that a gateway of V1 reads where a refund goes (`refund_bank`). PortOne hands the code on as it comes, and
//! each family of gateways has a table of its own: <https://developers.portone.io/opi/ko/support/code-info/pg-1>.

/// A bank that people have accounts at.
struct Bank {
    /// PortOne V2's name.
    name: &'static str,
    /// The two digits by which the clearing institute and most gateways know it.
    digits: &'static str,
    /// What Daou calls it; it knows few.
    daou: Option<&'static str>,
}

const fn bank(name: &'static str, digits: &'static str, daou: Option<&'static str>) -> Bank {
    Bank { name, digits, daou }
}

/// The most used first.
const BANKS: [Bank; 22] = [
    bank("KOOKMIN", "04", Some("04")),
    bank("SHINHAN", "88", Some("10")),
    bank("WOORI", "20", Some("09")),
    bank("HANA", "81", Some("12")),
    bank("NONGHYUP", "11", Some("08")),
    bank("IBK", "03", Some("03")),
    bank("KAKAO", "90", None),
    bank("TOSS", "92", None),
    bank("K_BANK", "89", None),
    bank("KDB", "02", None),
    bank("SUHYUP", "07", None),
    bank("STANDARD_CHARTERED", "23", Some("11")),
    bank("CITI", "27", None),
    bank("DAEGU", "31", None),
    bank("BUSAN", "32", Some("15")),
    bank("KWANGJU", "34", None),
    bank("JEONBUK", "37", None),
    bank("KYONGNAM", "39", None),
    bank("LOCAL_NONGHYUP", "12", None),
    bank("KFCC", "45", None),
    bank("SHINHYUP", "48", None),
    bank("POST", "71", Some("31")),
];

/// The banks that a gateway of V1 (`pg_provider`) has codes for, as its code and PortOne V2's name; empty for a gateway whose table
/// PortOne does not tell.
#[must_use]
pub fn refund_banks(pg_provider: &str) -> Vec<(String, &'static str)> {
    let code: fn(&Bank) -> Option<String> = match pg_provider {
        "html5_inicis" => |bank| Some(bank.digits.to_owned()),
        "kcp" | "kcp_quick" | "kcp_billing" => |bank| Some(format!("BK{}", bank.digits)),
        "daou" => |bank| bank.daou.map(str::to_owned),
        "tosspayments" | "danal" | "danal_tpay" | "nice" | "nice_v2" | "kicc" | "smartro"
        | "smartro_v2" | "settle" => |bank| Some(format!("0{}", bank.digits)),
        _ => |_| None,
    };
    let known = BANKS.iter();
    known
        .filter_map(|bank| Some((code(bank)?, bank.name)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_family_of_gateways_has_its_own_codes() {
        for (gateway, kookmin, post, banks) in [
            ("html5_inicis", "04", "71", 22),
            ("kcp", "BK04", "BK71", 22),
            ("kcp_quick", "BK04", "BK71", 22),
            ("kcp_billing", "BK04", "BK71", 22),
            ("daou", "04", "31", 9),
            ("tosspayments", "004", "071", 22),
            ("danal", "004", "071", 22),
            ("danal_tpay", "004", "071", 22),
            ("nice", "004", "071", 22),
            ("nice_v2", "004", "071", 22),
            ("kicc", "004", "071", 22),
            ("smartro", "004", "071", 22),
            ("smartro_v2", "004", "071", 22),
            ("settle", "004", "071", 22),
        ] {
            let known = refund_banks(gateway);
            assert_eq!(
                known.first(),
                Some(&(kookmin.to_owned(), "KOOKMIN")),
                "{gateway}"
            );
            assert_eq!(known.last(), Some(&(post.to_owned(), "POST")), "{gateway}");
            let codes: BTreeSet<_> = known.iter().map(|(code, _)| code).collect();
            assert_eq!((known.len(), codes.len()), (banks, banks), "{gateway}");
        }
    }

    #[test]
    fn a_gateway_whose_table_nobody_told_has_none() {
        for gateway in ["", "paypal", "kakaopay", "KCP"] {
            assert_eq!(refund_banks(gateway), [], "{gateway}");
        }
    }
}
