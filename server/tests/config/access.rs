//! Who may do what.

use super::*;

#[test]
fn lists_of_access_are_refused_with_line_and_place() {
    let key = concat!(
        "[[keys]]\nalgorithm = 'HS256'\nfile = '",
        secret_file!(),
        "'\n"
    );
    let rule = "[[rules]]\npattern = '/**'\nallow = 'anyone'\n";
    let publisher = concat!("[[publishers]]\nfile = '", secret_file!(), "'\n");
    let claims_must = "claims: must be a table of texts, whole numbers, true or false, lists of these, \
                       and such tables";
    let operations_must =
        "operations: must be a list of one or more of \"create\", \"subscribe\" and \"publish\"";
    let table = [
        ("rules = 1", "F:1: rules: must be a list of tables, [[rules]], got 1".into()),
        ("keys = [1]", "F:1: keys: must be a list of tables, [[keys]], got a list".into()),
        ("[[rules]]\n", "F:1: rule 1: has no pattern".into()),
        ("[[rules]]\npattern = 7", "F:2: rule 1: pattern: must be a text, got 7".into()),
        (
            "[[rules]]\npattern = '/a/*/b'\nallow = 'anyone'",
            "F:2: rule 1: pattern: the channel name has a wildcard where none may be, got \"/a/*/b\"".into(),
        ),
        (
            "[[rules]]\npattern = '/meta/**'\nallow = 'anyone'",
            "F:2: rule 1: pattern: rules are not for meta channels, got \"/meta/**\"".into(),
        ),
        (
            "[[rules]]\npattern = '/u-{sub}'\nallow = 'anyone'",
            "F:2: rule 1: pattern: a claim stands for a whole segment, as in /users/{sub}/**, got \
             \"/u-{sub}\""
                .into(),
        ),
        (
            "[[rules]]\npattern = '/{sub}'\nallow = 'anyone'",
            "F:2: rule 1: pattern: nobody is known to be anything where anyone is allowed: leave out \
             allow"
                .into(),
        ),
        (
            "[[rules]]\npattern = '/a'\n",
            "F:2: rule 1: pattern: nobody can be authenticated without [[keys]] to check tokens with"
                .into(),
        ),
        (
            "[[rules]]\npattern = '/a'\nallow = 'all'",
            "F:3: rule 1: allow: must be \"anyone\" or \"authenticated\", got \"all\"".into(),
        ),
        (
            "[[rules]]\npattern = '/a'\nallow = 'anyone'\nclaims = { role = 'admin' }",
            "F:3: rule 1: allow: \"anyone\" and claims contradict each other".into(),
        ),
        (
            "[[rules]]\npattern = '/a'\nclaims = { role = 1.5 }",
            format!("F:3: rule 1: {claims_must}"),
        ),
        (
            "[[rules]]\npattern = '/a'\nclaims = { role = [] }",
            format!("F:3: rule 1: {claims_must}"),
        ),
        ("[[rules]]\npattern = '/a'\nclaims = 'a'", format!("F:3: rule 1: {claims_must}")),
        (
            "[[rules]]\npattern = '/a'\noperations = ['subscribe', 'read']",
            format!("F:3: rule 1: {operations_must}, got \"read\""),
        ),
        (
            "[[rules]]\npattern = '/a'\noperations = []",
            format!("F:3: rule 1: {operations_must}, got a list"),
        ),
        (
            "[[rules]]\npattern = '/a'\n[[rules]]\npatern = '/b'",
            "F:4: rule 2: patern: unknown key; did you mean pattern?".into(),
        ),
        ("[[keys]]\nalgorithm = 'HS256'", "F:1: key 1: has no file".into()),
        (
            "[[keys]]\nfile = '/nowhere'\nalgorithm = 'none'",
            "F:3: key 1: algorithm: must be one of \"HS256\", \"RS256\", \"ES256\", \"EdDSA\", got \
             \"none\""
                .into(),
        ),
        (
            "[[keys]]\nfile = '/nowhere'\nalgorithm = 'HS256'",
            "F:2: key 1: file: cannot read /nowhere: No such file or directory (os error 2)".into(),
        ),
        (
            concat!("[[keys]]\nalgorithm = 'RS256'\nfile = '", secret_file!(), "'"),
            "F:3: key 1: file: the file has no public RSA key in PEM".into(),
        ),
        (
            concat!("[[keys]]\nfile = '", secret_file!(), "'"),
            "F:2: key 1: file: the file has no JSON Web Key Set; for a single key, say its algorithm"
                .into(),
        ),
        (publisher, "F:2: publisher 1: file: without [[rules]] everybody may publish".into()),
        ("access.requireToken = true", "F:1: access.requireToken: needs [[keys]] to check tokens with".into()),
        (
            "access.cookie = 'a'\nserver.allow-origin = '*'",
            "F:1: access.cookie: with allow-origin * every page could act for whoever visits it; name \
             the origins"
                .into(),
        ),
    ];

    for (text, expected) in table {
        assert_eq!(toml(text).mistake(), expected, "{text}");
    }
    let claimed = format!("{rule}{publisher}pattern = '/{{sub}}'\n");
    assert!(
        toml(&claimed)
            .mistake()
            .ends_with("a publisher has no claims")
    );
    let all = format!(
        "{key}{rule}{publisher}[[rules]]\npattern = '/users/{{sub}}/**'\n\
         claims = {{ role = ['a', 7, true], realm = {{ roles = 'x' }} }}\n"
    );
    let settings = toml(&all).settings();
    assert!(
        !format!("{settings:?}").contains("thirty-two"),
        "no secret in a trace"
    );
}
