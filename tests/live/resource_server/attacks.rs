//! What attackers have tried elsewhere, and is no row of the checklist.

use super::*;

#[test]
fn a_member_that_stands_twice_is_refused_wherever_it_stands() {
    let house = House::open();
    let mint = &house.stage.mint;
    let claims = house.stage.claims().to_string();
    for twice in [
        claims.replacen('{', "{\"client_id\":\"globex-app\",", 1),
        claims.replacen('{', "{\"client\\u005fid\":\"globex-app\",", 1),
        claims.replace("\"cnf\":{", "\"cnf\":{\"x5t#S256\":\"x\","),
    ] {
        invalid(
            &house,
            &mint.token_of_text(&mint.header().to_string(), &twice),
        );
    }
    let header = mint
        .header()
        .to_string()
        .replacen('{', "{\"alg\":\"none\",", 1);
    invalid(&house, &mint.token_of_text(&header, &claims));
}

#[test]
fn a_token_has_one_spelling_in_base64() {
    let house = House::open();
    let token = house.token();
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else {
        panic!("three parts")
    };
    // The last character of 64 octets has four bits to spare.
    let last = signature.chars().last().unwrap();
    let spare = match last {
        'A' => 'B',
        'Q' => 'R',
        'g' => 'h',
        _ => 'x',
    };
    let stem = &signature[..signature.len() - 1];
    for odd in [
        format!("{header}.{claims}.{stem}{spare}"),
        format!("{header}.{claims}.{signature}="),
        format!("{header}.{claims}.{signature}=="),
        format!("{header}=.{claims}.{signature}"),
        format!("{header}.{claims}.{signature}.{signature}"),
        format!("{header}.{claims}.{signature}."),
        format!(".{header}.{claims}.{signature}"),
        format!("{header}..{signature}"),
        format!("{header}.{claims}"),
        token.replace('_', "/").replace('-', "+") + "/",
    ] {
        let response = send(&house, &odd);
        assert_eq!(response.status, 401, "{odd}");
    }
    assert_eq!(house.origin.requests(), 0);
}

#[test]
fn white_space_and_split_fields_make_no_token() {
    let house = House::open();
    let token = house.token();
    let (front, back) = token.split_at(40);
    let mut client = house.client();
    for fields in [
        format!("Authorization: Bearer {front} {back}\r\n"),
        format!("Authorization: Bearer {front}\t{back}\r\n"),
        format!("Authorization: Bearer {front},{back}\r\n"),
        format!("Authorization: Bearer\t{token}\r\n"),
        format!("Authorization: Bearer {front}\r\nAuthorization: {back}\r\n"),
    ] {
        assert_eq!(bare(&mut client, &fields).status, 400, "{fields:?}");
    }
    // Folded over two lines it is not even HTTP.
    let folded = format!("Authorization: Bearer {front}\r\n {back}\r\n");
    assert_eq!(bare(&mut client, &folded).status, 400);
    assert_eq!(house.origin.requests(), 0);
}

#[test]
fn huge_and_deep_tokens_are_refused_before_they_cost_anything() {
    let house = House::open_with(|config| {
        config.set("limits.head_bytes_max", "\"64KiB\"");
    });
    let mint = &house.stage.mint;
    invalid(&house, &"a".repeat(40_000));
    invalid(&house, &format!("{0}.{0}.{0}", "e30".repeat(5_000)));
    let deep = format!("{}{}", "[".repeat(2_000), "]".repeat(2_000));
    let claims = house.stage.claims().to_string();
    let claims = claims.replacen('{', &format!("{{\"deep\":{deep},"), 1);
    invalid(
        &house,
        &mint.token_of_text(&mint.header().to_string(), &claims),
    );
    let padding = "p".repeat(9_000);
    invalid(
        &house,
        &claimed(&house, |claims| with(claims, "padding", padding)),
    );
}

#[test]
fn dates_that_are_no_dates_are_refused() {
    let house = House::open();
    let mint = &house.stage.mint;
    let claims = house.stage.claims();
    let exp = claims["exp"].to_string();
    let text = claims.to_string();
    for odd in [
        format!("\"{exp}\""),
        "-1".to_owned(),
        "1e400".to_owned(),
        "99999999999999999999".to_owned(),
        "18446744073709551615".to_owned(),
        format!("{exp}000"),
        "null".to_owned(),
        "true".to_owned(),
        format!("[{exp}]"),
        format!("0{exp}"),
        format!("+{exp}"),
    ] {
        let claims = text.replace(&format!("\"exp\":{exp}"), &format!("\"exp\":{odd}"));
        assert_ne!(claims, text);
        invalid(
            &house,
            &mint.token_of_text(&mint.header().to_string(), &claims),
        );
    }
    // A fraction is a date, and so is another way to write the number.
    let fraction = text.replace(&format!("\"exp\":{exp}"), &format!("\"exp\":{exp}.5"));
    served(
        &house,
        &mint.token_of_text(&mint.header().to_string(), &fraction),
    );
}
