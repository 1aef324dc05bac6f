// Answers that a test orders in advance, for the API and for the token endpoint.

import { setTimeout as sleep } from 'node:timers/promises';

const KEYS = new Set([
  'times', 'path', 'delay_ms', 'drop', 'status', 'headers', 'body', 'challenge', 'retry_after', 'retry_after_form',
]);

export class BadRequest extends Error {}

/** Rules in the order they came. The first that matches a path is used up once by each request. */
export class Rules {
  #rules = [];

  add(rule) {
    for (const key of Object.keys(rule)) {
      if (!KEYS.has(key)) throw new BadRequest(`a rule has no "${key}"; it has: ${[...KEYS].join(', ')}`);
    }
    if (rule.drop !== undefined && rule.drop !== 'request' && rule.drop !== 'answer') {
      throw new BadRequest('"drop" is "request" (before any work) or "answer" (after it)');
    }
    const times = rule.times ?? 1;
    if (!Number.isInteger(times) || times < 1) throw new BadRequest('"times" is a whole number from 1');
    retryAfter(rule);
    this.#rules.push({ ...rule, times });
  }

  /** The rule for this path, after its delay; undefined when there is none. */
  async take(path) {
    const index = this.#rules.findIndex((rule) => path.startsWith(rule.path ?? ''));
    if (index === -1) return undefined;
    const rule = this.#rules[index];
    rule.times -= 1;
    if (rule.times === 0) this.#rules.splice(index, 1);
    if (rule.delay_ms) await sleep(rule.delay_ms);
    return rule;
  }

  clear() {
    this.#rules = [];
  }
}

/** What a rule with a status answers: `{ status, headers, body }`. */
export function answer(rule) {
  const headers = {};
  const text = rule.body === undefined || typeof rule.body === 'string';
  headers['content-type'] = text ? 'text/plain; charset=utf-8' : 'application/json';
  const wait = retryAfter(rule);
  if (wait !== undefined) headers['retry-after'] = wait;
  if (rule.challenge) headers['www-authenticate'] = rule.challenge;
  Object.assign(headers, rule.headers);
  return { status: rule.status, headers, body: text ? rule.body ?? '' : JSON.stringify(rule.body) };
}

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

// `retry_after` is in seconds; a form other than "seconds" turns it into a date in one of HTTP's three spellings (RFC 9110
// 5.6.7), rounded up to the next whole second, so that it is never shorter than what was asked for.
function retryAfter({ retry_after: wait, retry_after_form: form = 'seconds' }) {
  if (wait === undefined) return undefined;
  if (form === 'seconds') return String(wait);
  if (typeof wait !== 'number') throw new BadRequest(`"retry_after" is a number where it becomes a date`);
  const at = new Date(Math.ceil(Date.now() / 1000 + wait) * 1000);
  const imf = at.toUTCString(); // Sun, 06 Nov 1994 08:49:37 GMT
  const [, day, month, year, time] = imf.split(' ');
  switch (form) {
    case 'imf-fixdate':
      return imf;
    case 'rfc850':
      return `${DAYS[at.getUTCDay()]}, ${day}-${month}-${year.slice(2)} ${time} GMT`;
    case 'asctime':
      return `${imf.slice(0, 3)} ${month} ${day.replace(/^0/, ' ')} ${time} ${year}`;
    default:
      throw new BadRequest('"retry_after_form" is "seconds", "imf-fixdate", "rfc850" or "asctime"');
  }
}
