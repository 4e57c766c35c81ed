//! `t8gate client add`: a file for a new client, if the configuration could be served with it.

use std::path::Path;

use clap::Args;
use toml_edit::{Array, DocumentMut, value};

use super::{Configured, Refused, file, find, refused, say_what_next, try_out};
use crate::config::{self, ClientFile};

#[derive(Args)]
pub struct Options {
    /// The word for it in logs and metrics, which also names its file.
    name: String,
    #[command(flatten)]
    configured: Configured,
    /// A name in its certificates: "dns:NAME" or "uri:URI". May be given more than once.
    #[arg(
        long = "san",
        value_name = "SAN",
        required_unless_present = "self_signed_tls_client_auth"
    )]
    sans: Vec<String>,
    /// An {scsAsId} path segment it may use. May be given more than once.
    #[arg(long = "scs-as-id", value_name = "ID", required = true)]
    scs_as_ids: Vec<String>,
    /// The `client_id` its access tokens carry; the name, where not said.
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// The group of partners whose CAs its certificates come from.
    #[arg(long, value_name = "NAME")]
    partner: Option<String>,
    /// What the embedded issuer may grant it: an API of T8, or half of one (":read", ":write"). May
    /// be given more than once.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// For the embedded issuer: the dNSName that its certificate must carry.
    #[arg(long, value_name = "NAME")]
    tls_client_auth_san_dns: Option<String>,
    /// For the embedded issuer: the URI that its certificate must carry.
    #[arg(long, value_name = "URI")]
    tls_client_auth_san_uri: Option<String>,
    /// For the embedded issuer: the address that its certificate must carry.
    #[arg(long, value_name = "ADDRESS")]
    tls_client_auth_san_ip: Option<String>,
    /// For the embedded issuer: the mailbox that its certificate must carry.
    #[arg(long, value_name = "MAILBOX")]
    tls_client_auth_san_email: Option<String>,
    /// For the embedded issuer: the subject that its certificate must have, as RFC 4514 writes it.
    #[arg(long, value_name = "NAME")]
    tls_client_auth_subject_dn: Option<String>,
    /// For the embedded issuer: a PEM file of certificates that the client has signed itself, by
    /// which it is known in place of names. May be given more than once.
    #[arg(long, value_name = "FILE")]
    self_signed_tls_client_auth: Vec<String>,
    /// For the embedded issuer: the JWK Set whose keys sign its assertions.
    #[arg(long, value_name = "FILE")]
    private_key_jwt: Option<String>,
}

impl Options {
    pub(super) fn file(&self) -> &Path {
        &self.configured.config
    }

    /// The client's file.
    fn text(&self) -> String {
        let mut keys = DocumentMut::new();
        let mut text = |key: &str, said: Option<&String>| {
            if let Some(said) = said {
                keys.insert(key, value(said));
            }
        };
        text("name", Some(&self.name));
        text("client_id", self.client_id.as_ref());
        text("partner", self.partner.as_ref());
        text(
            "tls_client_auth_san_dns",
            self.tls_client_auth_san_dns.as_ref(),
        );
        text(
            "tls_client_auth_san_uri",
            self.tls_client_auth_san_uri.as_ref(),
        );
        text(
            "tls_client_auth_subject_dn",
            self.tls_client_auth_subject_dn.as_ref(),
        );
        text(
            "tls_client_auth_san_ip",
            self.tls_client_auth_san_ip.as_ref(),
        );
        text(
            "tls_client_auth_san_email",
            self.tls_client_auth_san_email.as_ref(),
        );
        // They are found from where the command is given, and from where the client's file is.
        let absolute = |file: &String| match std::path::absolute(file) {
            Ok(path) => path.display().to_string(),
            Err(_) => file.clone(),
        };
        let jwks = self.private_key_jwt.as_ref().map(absolute);
        text("private_key_jwt", jwks.as_ref());
        let mut list = |key: &str, said: &[String]| {
            if !said.is_empty() {
                keys.insert(key, value(said.iter().collect::<Array>()));
            }
        };
        list("sans", &self.sans);
        let own: Vec<_> = self
            .self_signed_tls_client_auth
            .iter()
            .map(absolute)
            .collect();
        list("self_signed_tls_client_auth", &own);
        list("scs_as_ids", &self.scs_as_ids);
        list("scopes", &self.scopes);
        keys.to_string()
    }
}

pub(super) fn run(options: &Options) -> Result<(), Refused> {
    let (config, faults) = config::examine(options.file());
    let Some(config) = config else {
        return Err(faults.into());
    };
    let Some(folder) = config.clients_folder.as_ref() else {
        let what = format!("{} names no folder of clients", options.file().display());
        let cure = "add [clients] with folder = \"clients.d\", or write a [[client]] into it";
        return Err(refused(what, cure));
    };
    let path = file::path(&folder.value, &options.name)?;
    if path.symlink_metadata().is_ok() {
        let cure = "t8gate client show says what is in it; edit it, or take another name";
        return Err(refused(
            format!("{} is there already", path.display()),
            cure,
        ));
    }
    let text = options.text();
    let written = ClientFile { path, text };
    let config = try_out(options.file(), &written)?;
    // It is what was asked for that is served.
    find(&config, &options.name)?;
    file::create(&written.path, &written.text)?;
    say!("{}", written.path.display());
    say_what_next(&config);
    Ok(())
}
