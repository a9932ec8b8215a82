// An OpenID provider for tests, where everybody may say who they are. It prints its address once it listens, and ends when its input does.
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{ client_id: 'millrace', client_secret: process.env.CLIENT_SECRET, redirect_uris: [process.env.REDIRECT_URI], grant_types: ['authorization_code'], response_types: ['code'] }],
    cookies: { keys: ['a key for cookies of a test'] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    features: { devInteractions: { enabled: true } },
    findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@example.com`, email_verified: id !== 'unverified', name: id }) }),
    pkce: { required: () => true },
  });
  server.on('request', provider.callback());
  process.stdout.write(`${issuer}\n`);
});
process.stdin.on('end', () => process.exit(0)).resume();
