//! Requests as bytes, made before the run: what is left to do for each is to put its token in.

use std::sync::Arc;

use crate::arguments::TokenUse;
use crate::scenario::{Request, SCS_AS_ID, Scenario};

/// A request before and after the place of its token.
pub struct Prepared {
    before: Vec<u8>,
    after: Vec<u8>,
    /// A HEAD, whose response has no body.
    pub to_head: bool,
}

impl Prepared {
    fn new(request: &Request, authority: &str, scs_as_id: &str, bearer: bool) -> Self {
        let path = request.path.replace(SCS_AS_ID, scs_as_id);
        let mut before = format!(
            "{} {path} HTTP/1.1\r\nHost: {authority}\r\n",
            request.method
        );
        for (name, value) in &request.fields {
            before.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = &request.body {
            before.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        let end = if bearer {
            before.push_str("Authorization: Bearer ");
            "\r\n\r\n"
        } else {
            "\r\n"
        };
        let mut after = end.as_bytes().to_vec();
        after.extend_from_slice(request.body.as_deref().unwrap_or_default());
        Self {
            before: before.into_bytes(),
            after,
            to_head: request.method == "HEAD",
        }
    }

    /// The request's bytes, in the order in which they are sent.
    pub fn pieces<'p>(&'p self, token: &'p str) -> [&'p [u8]; 3] {
        [&self.before, token.as_bytes(), &self.after]
    }
}

/// All requests of a run, and whose turn it is.
pub struct Requests {
    /// By identity and kind.
    prepared: Vec<Arc<Prepared>>,
    kinds: usize,
    cycle: Vec<usize>,
    next: usize,
    /// By identity.
    tokens: Vec<Vec<Arc<str>>>,
    next_token: Vec<usize>,
    token_use: TokenUse,
}

impl Requests {
    /// For so many identities. `tokens` belong to them in turn: the n-th to identity n modulo
    /// their number. `scs_as_ids` likewise, beginning again when there are fewer.
    ///
    /// # Errors
    /// A sentence, when an identity would be left without a token.
    pub fn new(
        scenario: &Scenario,
        authority: &str,
        scs_as_ids: &[String],
        identities: usize,
        tokens: Vec<String>,
        token_use: TokenUse,
    ) -> Result<Self, String> {
        let identities = identities.max(1);
        let bearer = !tokens.is_empty();
        let shares: Vec<Vec<Arc<str>>> = if token_use == TokenUse::One || !bearer {
            let one: Vec<Arc<str>> = tokens.into_iter().take(1).map(Arc::from).collect();
            vec![one; identities]
        } else {
            if !tokens.len().is_multiple_of(identities) {
                return Err(format!(
                    "{} tokens for {identities} client certificates: tokens belong to \
                     certificates in turn, so there must be as many for each",
                    tokens.len()
                ));
            }
            let mut shares = vec![Vec::new(); identities];
            for (at, token) in tokens.into_iter().enumerate() {
                shares[at % identities].push(Arc::from(token));
            }
            shares
        };
        let prepared = (0..identities).flat_map(|identity| {
            let scs_as_id = scs_as_ids.get(identity % scs_as_ids.len().max(1));
            let scs_as_id = scs_as_id.map_or("", String::as_str);
            let of = move |request| Arc::new(Prepared::new(request, authority, scs_as_id, bearer));
            scenario.requests.iter().map(of)
        });
        Ok(Self {
            prepared: prepared.collect(),
            kinds: scenario.requests.len(),
            cycle: scenario.cycle.clone(),
            next: 0,
            next_token: vec![0; identities],
            tokens: shares,
            token_use,
        })
    }

    /// The next request of connection `at`, and its token (empty when there are none).
    pub fn next(&mut self, at: usize) -> (&Prepared, &str) {
        let identity = at % self.tokens.len();
        let kind = self.cycle[self.next];
        self.next = (self.next + 1) % self.cycle.len();
        let tokens = &self.tokens[identity];
        let token = match (self.token_use, tokens.len()) {
            (_, 0) => "",
            (TokenUse::One, _) => &tokens[0],
            (TokenUse::Connection, many) => &tokens[at / self.tokens.len() % many],
            (TokenUse::Rotate, many) => {
                let next = &mut self.next_token[identity];
                let token = &tokens[*next];
                *next = (*next + 1) % many;
                token
            }
        };
        (&self.prepared[identity * self.kinds + kind], token)
    }
}

#[cfg(test)]
mod tests;
