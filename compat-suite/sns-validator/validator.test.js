// Deliveries that sns-validator verifies, unmodified. It fetches certificates over HTTPS only, so a
// proxy with a certificate of our own authority stands before the server, as ../../docs/sns.md tells.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { makeAuthority } from './authority.js';
import { behaviourOfOurOwn } from '../node/behaviours.js';
import { startServer } from '../node/server.js';
import { createTopic, publish, snsAt, subscribe } from '../node/topics.js';

const AWS_HOST = 'sns.us-east-1.amazonaws.com';
const PROGRAM = fileURLToPath(new URL('./subscriber.js', import.meta.url));

/** An HTTPS proxy on localhost; `forwardTo` is told where to once that is known. */
async function startProxy(t, authority) {
  let target;
  const { key, certificate: cert } = authority;
  const proxy = https.createServer({ key, cert }, (request, response) => {
    http.get(target + request.url, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  t.after(() => proxy.close());
  return {
    port: proxy.address().port,
    forwardTo: (url) => {
      target = url;
    },
  };
}

/** Starts the subscriber; `next` resolves to what it says next. */
async function startSubscriber(t, authority, environment) {
  const folder = mkdtempSync(join(tmpdir(), 'squab-compat-'));
  const ca = join(folder, 'ca.pem');
  writeFileSync(ca, authority.ca);
  const child = spawn(process.execPath, [PROGRAM], {
    env: { ...process.env, ...environment, NODE_EXTRA_CA_CERTS: ca },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await lines.next()).value);
  return { url: await next(), next };
}

/** A server, a proxy before it, and the subscriber. */
async function start(t, certHost, environment) {
  const authority = makeAuthority(['localhost', AWS_HOST]);
  const proxy = await startProxy(t, authority);
  const server = await startServer('--sns-cert-url-host', certHost(proxy.port));
  t.after(server.kill);
  proxy.forwardTo(server.endpoint);
  const subscriber = await startSubscriber(t, authority, environment(proxy.port));
  return { subscriber, sns: snsAt(server.endpoint) };
}

/** Subscribes to a topic of each signature version, and publishes to it. */
async function verifies(t, { subscriber, sns }, certHost) {
  let verified;
  for (const SignatureVersion of ['1', '2']) {
    const topic = await createTopic(t, { SignatureVersion }, sns);
    await subscribe(topic, 'http', subscriber.url, {}, sns);
    assert.deepEqual(await subscriber.next(), { confirmed: topic, status: 200 });
    for (const members of [{}, { Subject: 'größe' }]) {
      const { MessageId } = await publish(topic, 'ein Täubchen 🐦\n"<&>"', members, sns);
      ({ verified } = await subscriber.next());
      assert.equal(verified.MessageId, MessageId);
      assert.equal(verified.Message, 'ein Täubchen 🐦\n"<&>"');
      assert.equal(verified.Subject, members.Subject);
      assert.equal(verified.SignatureVersion, SignatureVersion);
      assert.equal(new URL(verified.SigningCertURL).host, certHost);
    }
  }
  return verified;
}

behaviourOfOurOwn(
  ['envelopes-05', 'envelopes-01', 'envelopes-02', 'http-01', 'http-02', 'http-04'],
  'sns-validator as it comes, with the host of AWS',
  async (t) => {
    const running = await start(
      t,
      () => AWS_HOST,
      (port) => ({ CERT_PROXY_PORT: String(port) }),
    );
    await verifies(t, running, AWS_HOST);
  },
);

behaviourOfOurOwn(
  ['envelopes-05', 'envelopes-06'],
  'sns-validator with its option for another host',
  async (t) => {
    let host;
    const running = await start(
      t,
      (port) => {
        host = `localhost:${port}`;
        return `https://${host}`;
      },
      () => ({ CERT_HOST_PATTERN: '^localhost:\\d+$' }),
    );
    const message = await verifies(t, running, host);
    const changed = { ...message, Message: 'ein Adler' };
    const answer = await fetch(running.subscriber.url, {
      method: 'POST',
      body: JSON.stringify(changed),
    });
    assert.equal(answer.status, 403);
    assert.deepEqual(await running.subscriber.next(), {
      refused: 'The message signature is invalid.',
    });
  },
);
