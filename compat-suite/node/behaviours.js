// Tests name the behaviours that they check, by ids of ../behaviours.md.
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const list = readFileSync(new URL('../behaviours.md', import.meta.url), 'utf8');
const listed = new Set([...list.matchAll(/^\| ([a-z]+-\d{2}) \|/gm)].map((row) => row[1]));
const TIMEOUT_MS = 60_000;

/** A test that starts servers of its own: skipped when somebody else's server is tested. */
export function behaviourOfOurOwn(ids, title, check) {
  const skip = process.env.SQUAB_COMPAT_OWN_SERVER ? false : 'an endpoint was given';
  behaviour(ids, title, check, { skip });
}

/** A test of these behaviours. Throws at once when an id is not in the list. */
export function behaviour(ids, title, check, options = {}) {
  const unknown = ids.filter((id) => !listed.has(id));
  if (unknown.length > 0 || ids.length === 0) {
    throw new Error(`"${title}" names ${unknown.join(', ') || 'no'} behaviour of behaviours.md`);
  }
  test(`${title} [${ids.join(' ')}]`, { timeout: TIMEOUT_MS, ...options }, check);
}
