// The real `oidc-provider`, on a port of its own:
//   node provider.mjs FOLDER [CERTIFICATE [REDIRECT [HOST]]]
// FOLDER has it in its node_modules; CERTIFICATE is a file with key and certificate (empty: no TLS), REDIRECT where people are
// sent back to, HOST what the provider calls itself. Told by lines of JSON on its standard input what to do next:
//   {"do": "rotate"}                   sign with a new key from now on
//   {"do": "clock", "ahead": SECONDS}  let time pass
//   {"do": "forge", "claims": {..}, "key": "own" | "other" | "secret" | "none"}
//                                      replace the next ID token by one with these claims, signed so
//   {"do": "redirect"}                 answer the next request to the token endpoint with a redirection
//   {"do": "flood"}                    answer the next request to the token endpoint with 64 MiB
// Each is answered by a line. The first line it says is the issuer. What the package itself prints has no `@` in front.
import { createHmac, createSign, generateKeyPairSync, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [folder, certificate, redirect = 'http://127.0.0.1:9/callback', host = '127.0.0.1'] = process.argv.slice(2);
const main = `${folder}/node_modules/oidc-provider/lib/index.js`;
const { Provider } = await import(pathToFileURL(main).href);

const SECRET = 'the secret of this client, long enough for HS256';
const ACCOUNTS = {
  ana: { preferred_username: 'ana', name: 'Ana Ruiz', email: 'ana@example.com', groups: ['sre', 'staff'] },
  ben: { preferred_username: 'ben', name: 'Ben', email: 'ana@example.com', groups: ['staff'] },
  odd: { preferred_username: '../odd', name: 'Odd\u001b[2J', groups: ['sre'] },
  rhea: { preferred_username: 'rhea', name: 'Rhea', groups: ['oncall', 'staff'] },
  nora: { preferred_username: 'nora', name: 'Nora', groups: [] },
  mute: { name: 'No Name', groups: ['sre'] },
};

let ahead = 0;
const real = Date.now;
Date.now = () => real() + ahead * 1000;

const key = () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { pem: privateKey, jwk: { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' } };
};

const handle = (request, response) => handler(request, response);
const pem = certificate && readFileSync(certificate);
const server = pem ? createSecureServer({ key: pem, cert: pem }, handle) : createServer(handle);
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const issuer = `${pem ? 'https' : 'http'}://${host}:${server.address().port}`;
let own = key();
const other = key();
let next = null;
let handler;

const base64 = (text) => Buffer.from(text).toString('base64url');

function forged(token, { claims = {}, key: by = 'own' }) {
  const before = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
  const algorithms = { own: 'RS256', other: 'RS256', secret: 'HS256', none: 'none' };
  const header = base64(JSON.stringify({ alg: algorithms[by], ...(by === 'none' || by === 'secret' ? {} : { kid: own.jwk.kid }) }));
  const text = `${header}.${base64(JSON.stringify({ ...before, ...claims }))}`;
  if (by === 'none') return `${text}.`;
  if (by === 'secret') return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`;
  return `${text}.${createSign('sha256').update(text).sign((by === 'own' ? own : other).pem, 'base64url')}`;
}

function start() {
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'rescind',
      client_secret: SECRET,
      redirect_uris: [redirect],
    }],
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email'], groups: ['groups'] },
    findAccount: (_, id) => ACCOUNTS[id] && { accountId: id, claims: () => ({ sub: id, ...ACCOUNTS[id] }) },
    jwks: { keys: [own.jwk] },
    cookies: { keys: ['a key for cookies'] },
  });
  provider.use(async (context, go) => {
    const todo = context.path === '/token' ? next : null;
    if (todo) next = null;
    if (todo?.do === 'redirect') {
      context.redirect('http://127.0.0.1:9/elsewhere');
      return;
    }
    if (todo?.do === 'flood') {
      context.type = 'json';
      context.body = `{"access_token": "${'x'.repeat(64 * 1024 * 1024)}"}`;
      return;
    }
    await go();
    if (todo && context.body?.id_token) {
      context.body = { ...context.body, id_token: forged(context.body.id_token, todo) };
    }
  });
  handler = provider.callback();
}

start();
console.log(`@${issuer}`);
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  if (command.do === 'rotate') {
    own = key();
    start();
  } else if (command.do === 'clock') {
    ahead += command.ahead;
  } else {
    next = command;
  }
  console.log('@done');
}
process.exit(0);
