// A reporter of node --test: appends what each test proved to SQUAB_COMPAT_RESULTS, as
// ../python/suite/conductor.py wants it.
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

const client = basename(process.cwd());
const tell = (what) =>
  appendFileSync(process.env.SQUAB_COMPAT_RESULTS, `${JSON.stringify({ client, ...what })}\n`);

/** The version of the package under test. */
function version() {
  const name = process.env.SQUAB_COMPAT_PACKAGE ?? client;
  const file = new URL(`../node_modules/${name}/package.json`, import.meta.url);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).version : '';
}

// eslint-disable-next-line require-yield -- nothing is printed
export default async function* results(events) {
  tell({ version: version() });
  for await (const { type, data } of events) {
    // Files are tests too; those of ours end with their behaviours.
    const [, test, ids] = /^(.*) \[([a-z0-9 -]+)\]$/s.exec(data?.name ?? '') ?? [];
    if (ids && (type === 'test:pass' || type === 'test:fail')) {
      const passed = type === 'test:pass' ? 'passed' : 'failed';
      const outcome = data.skip === undefined ? passed : 'skipped';
      const seconds = Number((data.details.duration_ms / 1000).toFixed(2));
      tell({ test, behaviours: ids.split(' '), outcome, seconds });
    } else if (type === 'test:fail' && data.name.endsWith('.js')) {
      tell({ test: data.name, behaviours: [], outcome: 'failed', seconds: 0 });
    }
  }
}
