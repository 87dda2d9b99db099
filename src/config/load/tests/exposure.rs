//! What `check-config` warns of because it is open to more people than it looks.

use super::*;

fn warned(text: &str) -> Vec<String> {
    let loaded = main(text).load(&[]).unwrap_or_else(|problems| panic!("{}", lines(&problems)));
    loaded.warnings.into_iter().map(|warning| warning.key).collect()
}

/// An https address without anybody who speaks tls is warned of.
#[test]
fn u2_an_https_address_without_anybody_who_speaks_tls_is_warned() {
    let key = "http.public_url".to_owned();
    assert!(warned("[http]\npublic_url = \"https://meet.example\"\n").contains(&key));
    for fine in [
        "[http]\npublic_url = \"https://meet.example\"\ntrusted_proxies = [\"127.0.0.1\"]\n",
        "[http]\npublic_url = \"http://localhost:8080\"\n",
        "[http]\n",
    ] {
        assert_eq!(warned(fine), Vec::<String>::new(), "{fine}");
    }
    let unnamed = warned("[http]\ntrusted_proxies = [\"127.0.0.1\"]\n");
    assert_eq!(unnamed, ["http.trusted_proxies"], "by which name is not said");
}

/// Ranges that leave nobody out are warned of however they are written.
#[test]
fn x2_ranges_that_leave_nobody_out_are_warned() {
    for (text, key) in [
        ("[sip]\nallowed = [\"0.0.0.0/0\"]\n", "sip.allowed"),
        ("[sip]\nallowed = [\"10.0.0.0/8\", \"::/0\"]\n", "sip.allowed"),
        ("[sip]\nallowed = [\"128.0.0.0/1\", \"0.0.0.0/1\"]\n", "sip.allowed"),
        ("[device.hall]\naddress = [\"0.0.0.0/0\"]\n", "device.hall.address"),
        ("[sip.trunk.pbx]\naddresses = [\"0.0.0.0/1\", \"128.0.0.0/1\"]\n", "sip.trunk.pbx.addresses"),
        ("[http]\npublic_url = \"https://meet.example\"\ntrusted_proxies = [\"0.0.0.0/0\"]\n", "http.trusted_proxies"),
    ] {
        assert!(warned(text).iter().any(|warned| warned == key), "{text}: {:?}", warned(text));
    }
    assert_eq!(warned("[sip]\nallowed = [\"10.0.0.0/8\", \"203.0.113.0/24\"]\n"), Vec::<String>::new());
}

/// A password that travels openly to another host is warned of.
#[test]
fn c10_a_password_that_travels_openly_to_another_host_is_warned() {
    let centre = |host: &str, more: &str| {
        let provider = "[relay.provider.main]\nkind = \"smpp\"\nnumber = \"+4915112345678\"\nsystem_id = \"gate\"\npassword = \"12345678\"\n";
        warned(&format!("{provider}host = \"{host}\"\n{more}"))
    };
    assert_eq!(centre("smsc.example.com", ""), ["relay.provider.main.tls"]);
    assert_eq!(centre("192.0.2.7", ""), ["relay.provider.main.tls"]);
    for (host, more) in [("smsc.example.com", "tls = true\n"), ("localhost", ""), ("127.0.0.1", ""), ("::1", "")] {
        assert_eq!(centre(host, more), Vec::<String>::new(), "{host}");
    }
}

/// An ice server has a shared secret or both halves of a fixed one.
#[test]
fn u2_an_ice_server_has_a_shared_secret_or_both_halves() {
    let server = |more: &str| format!("[ice_server.turn]\nurls = [\"turn:turn.example.com\"]\n{more}");
    assert_eq!(warned(&server("secret = \"0123456789\"\n")), Vec::<String>::new());
    assert_eq!(warned(&server("")), Vec::<String>::new());
    assert_eq!(warned(&server("username = \"u\"\ncredential = \"c\"\n")), ["ice_server.turn.credential"]);
    for half in ["username = \"u\"\n", "credential = \"c\"\n", "secret = \"s\"\nusername = \"u\"\ncredential = \"c\"\n"] {
        assert_eq!(main(&server(half)).problems(&[]).len(), 1, "{half}");
    }
}
