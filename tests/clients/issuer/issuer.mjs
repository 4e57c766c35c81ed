// An authorization server that we did not write: oidc-provider, as an operator would set it up for
// partners of a gateway. Its tokens are bound to the certificate that they are asked for with.
//
//   node issuer.mjs PACKAGES ORIGIN CERTIFICATE KEY CA_BUNDLE AUDIENCE GATEWAY_KEY
//
// PACKAGES is the folder with node_modules; ORIGIN is its own https URL, which it listens at. What
// a token is like is said by the resource that it is asked for: AUDIENCE/FORMAT/LIFE_S, with "jwt"
// or "opaque". GATEWAY_KEY is the key that signs assertions of the gateway. It says "ready" when it serves, and serves until it is killed.
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [packages, origin, certificate, key, bundle, audience, gatewayKey] = process.argv.slice(2);
const library = join(packages, 'node_modules/oidc-provider/lib/index.js');
const { Provider, errors } = await import(pathToFileURL(library).href);

const signing = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const jwk = { ...signing.export({ format: 'jwk' }), kid: 'issuer-1', alg: 'ES256', use: 'sig' };

const asking = createPublicKey(readFileSync(gatewayKey)).export({ format: 'jwk' });
const askingJwk = { ...asking, kid: 'gate-1', alg: 'ES256', use: 'sig' };

const scope = '3gpp-monitoring-event 3gpp-nidd';
// None of them has users: no redirects, and no ID token but for what is said of its algorithm.
const machine = {
  redirect_uris: [],
  response_types: [],
  id_token_signed_response_alg: 'ES256',
};
const clients = [
  {
    ...machine,
    client_id: 'acme-app',
    grant_types: ['client_credentials'],
    scope,
    token_endpoint_auth_method: 'tls_client_auth',
    tls_client_auth_san_dns: 'scs.acme.example',
    tls_client_certificate_bound_access_tokens: true,
  },
  {
    ...machine,
    client_id: 't8:gate',
    client_secret: 's3:cret %',
    grant_types: [],
    token_endpoint_auth_method: 'client_secret_basic',
  },
  {
    ...machine,
    client_id: 't8-gate-by-certificate',
    grant_types: [],
    token_endpoint_auth_method: 'tls_client_auth',
    tls_client_auth_san_dns: 't8gate.example',
  },
  {
    ...machine,
    client_id: 't8-gate-by-assertion',
    grant_types: [],
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    jwks: { keys: [askingJwk] },
  },
];

function resourceServer(ctx, resource) {
  const [format, life] = resource.slice(audience.length + 1).split('/');
  if (!resource.startsWith(`${audience}/`) || !['jwt', 'opaque'].includes(format)) {
    throw new errors.InvalidTarget();
  }
  return {
    audience,
    scope,
    accessTokenFormat: format,
    accessTokenTTL: Number(life),
    jwt: { sign: { alg: 'ES256' } },
  };
}

const provider = new Provider(origin, {
  clients,
  jwks: { keys: [jwk] },
  scopes: scope.split(' '),
  clientAuthMethods: ['client_secret_basic', 'tls_client_auth', 'private_key_jwt'],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: {
      enabled: true,
      allowedPolicy: (ctx, client) => client.clientId.startsWith('t8'),
    },
    revocation: { enabled: true },
    resourceIndicators: { enabled: true, getResourceServerInfo: resourceServer },
    mTLS: {
      enabled: true,
      certificateBoundAccessTokens: true,
      tlsClientAuth: true,
      getCertificate: (ctx) => ctx.socket.getPeerX509Certificate()?.toString(),
      certificateAuthorized: (ctx) => ctx.socket.authorized,
      certificateSubjectMatches: (ctx, property, expected) =>
        property === 'tls_client_auth_san_dns' &&
        ctx.socket.getPeerX509Certificate().subjectAltName === `DNS:${expected}`,
    },
  },
});

const tls = {
  cert: readFileSync(certificate),
  key: readFileSync(key),
  ca: readFileSync(bundle),
  requestCert: true,
  // Whoever shows none may read the keys; for all else the client's way to authenticate decides.
  rejectUnauthorized: false,
};
const port = Number(new URL(origin).port);
createServer(tls, provider.callback()).listen(port, '127.0.0.1', () => console.log('ready'));
