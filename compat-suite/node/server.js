// Starts the program under test; the Python client's suite/server.py does the same.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const START_TIMEOUT_MS = 20_000;

function program() {
  const given = process.env.SQUAB_BIN;
  const candidates = given
    ? [given]
    : ['release', 'debug'].map((profile) =>
        fileURLToPath(new URL(`../../target/${profile}/squab`, import.meta.url)),
      );
  const found = candidates.find((candidate) => existsSync(candidate));
  if (!found) {
    throw new Error(
      'no server to test: build squab, or set SQUAB_BIN to the program or SQUAB_ENDPOINT to the ' +
        `URL of a running server (looked at ${candidates.join(', ')})`,
    );
  }
  return found;
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** Starts a server that keeps its state in memory, with these arguments besides; resolves once it
 * said `Ready.`. */
export async function startServer(...more) {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'squab-compat-'));
  // Only these arguments count: not the environment, and not the working directory either.
  const environment = Object.entries(process.env).filter(([name]) => !name.startsWith('SQUAB_'));
  const told = ['--listen', `127.0.0.1:${port}`, '--ephemeral', ...more];
  const child = spawn(program(), told, {
    cwd: folder,
    env: Object.fromEntries(environment),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said = (said + chunk).slice(-2000);
  });
  const kill = () => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  await new Promise((resolve, reject) => {
    const failed = (why) => {
      kill();
      reject(new Error(`${why}\n${said}`));
    };
    const late = setTimeout(() => failed('the server did not print Ready.'), START_TIMEOUT_MS);
    child.once('error', (error) => failed(error.message));
    child.once('exit', (code) => failed(`the server ended with status ${code}`));
    // Reading goes on afterwards, so that the pipe never fills.
    createInterface(child.stdout).on('line', (line) => {
      if (line.trim() === 'Ready.') {
        clearTimeout(late);
        child.removeAllListeners('exit');
        resolve();
      }
    });
  });
  return { endpoint: `http://127.0.0.1:${port}`, kill };
}
