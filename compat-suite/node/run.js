// Runs the tests of this folder against SQUAB_ENDPOINT, or against a server started for them.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { startServer } from './lib/server.js';

const here = fileURLToPath(new URL('.', import.meta.url));
const tests = readdirSync(`${here}test`)
  .filter((name) => name.endsWith('.test.js'))
  .map((name) => `test/${name}`);

const server = process.env.SQUAB_ENDPOINT ? null : await startServer();
const endpoint = process.env.SQUAB_ENDPOINT ?? server.endpoint;
console.log(`# endpoint: ${endpoint}`);

process.on('exit', () => server?.kill());
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => process.exit(1));
}

const options = ['--test', '--test-reporter=spec', ...process.argv.slice(2)];
const child = spawn(process.execPath, [...options, ...tests], {
  cwd: here,
  // The SDK warns of the Node versions that it will leave behind.
  env: {
    ...process.env,
    SQUAB_ENDPOINT: endpoint,
    NODE_NO_WARNINGS: '1',
    ...(server ? { SQUAB_COMPAT_OWN_SERVER: '1' } : {}),
  },
  stdio: 'inherit',
});
child.on('exit', (code) => process.exit(code ?? 1));
