//! Banks by the codes that a gateway of V1 reads where a refund goes (`refund_bank`). PortOne hands the code on as it comes, and
//! each family of gateways has a table of its own: <https://developers.portone.io/opi/ko/support/code-info/pg-1>.

/// A bank, by PortOne V2's name and by what the gateways of V1 call it.
struct Bank {
    name: &'static str,
    /// The three digits of the clearing institute, which most gateways read.
    clearing: &'static str,
    /// KG Inicis.
    inicis: &'static str,
    /// NHN KCP.
    kcp: &'static str,
    /// Daou; it knows few.
    daou: Option<&'static str>,
}

const fn bank(
    name: &'static str,
    clearing: &'static str,
    inicis: &'static str,
    kcp: &'static str,
    daou: Option<&'static str>,
) -> Bank {
    Bank {
        name,
        clearing,
        inicis,
        kcp,
        daou,
    }
}

/// Those that people have accounts at, the most first.
const BANKS: [Bank; 22] = [
    bank("KOOKMIN", "004", "04", "BK04", Some("04")),
    bank("SHINHAN", "088", "88", "BK88", Some("10")),
    bank("WOORI", "020", "20", "BK20", Some("09")),
    bank("HANA", "081", "81", "BK81", Some("12")),
    bank("NONGHYUP", "011", "11", "BK11", Some("08")),
    bank("IBK", "003", "03", "BK03", Some("03")),
    bank("KAKAO", "090", "90", "BK90", None),
    bank("TOSS", "092", "92", "BK92", None),
    bank("K_BANK", "089", "89", "BK89", None),
    bank("KDB", "002", "02", "BK02", None),
    bank("SUHYUP", "007", "07", "BK07", None),
    bank("STANDARD_CHARTERED", "023", "23", "BK23", Some("11")),
    bank("CITI", "027", "27", "BK27", None),
    bank("DAEGU", "031", "31", "BK31", None),
    bank("BUSAN", "032", "32", "BK32", Some("15")),
    bank("KWANGJU", "034", "34", "BK34", None),
    bank("JEONBUK", "037", "37", "BK37", None),
    bank("KYONGNAM", "039", "39", "BK39", None),
    bank("LOCAL_NONGHYUP", "012", "12", "BK12", None),
    bank("KFCC", "045", "45", "BK45", None),
    bank("SHINHYUP", "048", "48", "BK48", None),
    bank("POST", "071", "71", "BK71", Some("31")),
];

/// The banks that a gateway of V1 (`pg_provider`) has codes for, as its code and PortOne V2's name; empty for a gateway whose table
/// PortOne does not tell.
#[must_use]
pub fn refund_banks(pg_provider: &str) -> Vec<(&'static str, &'static str)> {
    let code: fn(&Bank) -> Option<&'static str> = match pg_provider {
        "html5_inicis" => |bank| Some(bank.inicis),
        "kcp" | "kcp_quick" | "kcp_billing" => |bank| Some(bank.kcp),
        "daou" => |bank| bank.daou,
        "tosspayments" | "danal" | "danal_tpay" | "nice" | "nice_v2" | "kicc" | "smartro"
        | "smartro_v2" | "settle" => |bank| Some(bank.clearing),
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
            assert_eq!(known.first(), Some(&(kookmin, "KOOKMIN")), "{gateway}");
            assert_eq!(known.last(), Some(&(post, "POST")), "{gateway}");
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

    /// Two digits and three are of one table: a slip in one of them would send money elsewhere.
    #[test]
    fn inicis_and_kcp_read_the_end_of_the_clearing_institutes_code() {
        for bank in &BANKS {
            assert_eq!(bank.clearing, format!("0{}", bank.inicis), "{}", bank.name);
            assert_eq!(bank.kcp, format!("BK{}", bank.inicis), "{}", bank.name);
        }
    }
}
