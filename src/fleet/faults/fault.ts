import {
  agentsText,
  BYTE_RATE_FORM,
  bytesPerSecond,
  DURATION_FORM,
  durationMs,
  SHARE_FORM,
  type Share,
  share,
} from '../load/quantity.js';

/** Which agents: so many of those that run, at random, or one by its guid. */
export type Who = Share | { readonly guid: string };

/** Something that is done to agents, or to all connections to a server. Times are in milliseconds. */
export type Fault =
  | { readonly kind: 'kill'; readonly who: Who }
  | { readonly kind: 'freeze'; readonly who: Who; readonly forMs: number }
  | { readonly kind: 'slow'; readonly who: Who; readonly bytesPerSecond: number; readonly forMs: number }
  | { readonly kind: 'restart'; readonly who: Who; readonly forMs: number }
  /** Without a server: to all of them. */
  | { readonly kind: 'cut'; readonly server: string | undefined }
  | { readonly kind: 'stall'; readonly server: string | undefined; readonly forMs: number }
  | { readonly kind: 'delay'; readonly server: string | undefined; readonly byMs: number; readonly forMs: number }
  | { readonly kind: 'refuse'; readonly server: string | undefined; readonly forMs: number };

/** A text is no fault. The message says what is wrong, and what is allowed. */
export class FaultError extends Error {
  override readonly name = 'FaultError';
}

/** Words in capitals are values; one in brackets may be left out. */
const FORMS = [
  ['kill WHO', "resets the agents' links, as a failing network does"],
  ['freeze WHO for TIME', 'the agents stand still, as processes that are stopped'],
  ['slow WHO to RATE for TIME', 'the agents read no faster than this'],
  ['restart WHO for TIME', 'the agents stop, and start again after this time'],
  ['cut [SERVER]', 'the proxy resets all links, or those to a server'],
  ['stall [SERVER] for TIME', 'nothing gets through the proxy, and links stay open'],
  ['delay [SERVER] by TIME for TIME', 'the proxy passes all on so much later'],
  ['refuse [SERVER] for TIME', 'the proxy resets new connections'],
] as const;

/** Each form of a fault, with what it does. */
export const FAULT_FORMS: readonly (readonly [form: string, meaning: string])[] = FORMS;

/** What WHO, TIME and RATE are. */
export const FAULT_WORDS: readonly (readonly [word: string, form: string])[] = [
  ['WHO', `all, ${SHARE_FORM}, or a guid`],
  ['TIME', DURATION_FORM],
  ['RATE', BYTE_RATE_FORM],
  ['SERVER', 'an address, as the agents dial it'],
];

/** @throws FaultError */
export function parseFault(text: string): Fault {
  const [verb = '', ...words] = text.trim().split(/\s+/);
  const form = FORMS.find(([known]) => known.split(' ')[0] === verb)?.[0];
  if (form === undefined) {
    throw new FaultError(
      `${JSON.stringify(verb)} is no fault; known are ${FORMS.map(([known]) => known.split(' ')[0]).join(', ')}`,
    );
  }
  const values = valuesIn(form, words);
  const [time = 0] = values.times.slice(-1);
  // Only a restart may be over at once.
  if (verb !== 'restart' && values.times.includes(0)) throw new FaultError(`a TIME above 0 is needed: ${form}`);
  switch (verb as Fault['kind']) {
    case 'kill':
      return { kind: 'kill', who: values.who };
    case 'freeze':
      return { kind: 'freeze', who: values.who, forMs: time };
    case 'slow':
      return { kind: 'slow', who: values.who, bytesPerSecond: values.rate, forMs: time };
    case 'restart':
      return { kind: 'restart', who: values.who, forMs: time };
    case 'cut':
      return { kind: 'cut', server: values.server };
    case 'stall':
      return { kind: 'stall', server: values.server, forMs: time };
    case 'delay':
      return { kind: 'delay', server: values.server, byMs: values.times[0] ?? 0, forMs: time };
    case 'refuse':
      return { kind: 'refuse', server: values.server, forMs: time };
  }
}

/** Why there will never be the agents that a fault is for; undefined when there will. @param guids of all agents */
export function objectionToWho(fault: Fault, guids: ReadonlySet<string>): string | undefined {
  if (!('who' in fault)) return undefined;
  const { who } = fault;
  if ('guid' in who && !guids.has(who.guid)) return `no agent is called ${who.guid}: ${agentsText(guids.size)}`;
  return 'count' in who && who.count > guids.size ? `${who.count} agents: ${agentsText(guids.size)}` : undefined;
}

/** Why a fault cannot be done; undefined when it can. */
export function objectionTo(fault: Fault, hasProxies: boolean): string | undefined {
  return 'server' in fault && !hasProxies
    ? `${fault.kind} needs the proxies: start the fleet with proxy=true`
    : undefined;
}

interface Values {
  who: Who;
  server: string | undefined;
  rate: number;
  readonly times: number[];
}

/** @throws FaultError */
function valuesIn(form: string, words: readonly string[]): Values {
  const values: Values = { who: { count: 0 }, server: undefined, rate: 0, times: [] };
  const [, ...expected] = form.split(' ');
  let at = 0;
  for (const [index, word] of expected.entries()) {
    const given = words[at];
    if (word === '[SERVER]') {
      if (given === undefined || given === expected[index + 1]) continue;
      values.server = given;
    } else if (given === undefined) throw new FaultError(`it ends too early: ${form}`);
    else if (word === 'WHO') values.who = who(given, form);
    else if (word === 'TIME') values.times.push(known(durationMs(given), given, DURATION_FORM));
    else if (word === 'RATE') values.rate = known(bytesPerSecond(given), given, BYTE_RATE_FORM);
    else if (word !== given) throw new FaultError(`${JSON.stringify(given)} in the place of "${word}": ${form}`);
    at++;
  }
  const left = words[at];
  if (left !== undefined) throw new FaultError(`${JSON.stringify(left)} is too much: ${form}`);
  return values;
}

function who(text: string, form: string): Who {
  if (text === 'all') return { percent: 100 };
  const part = share(text);
  if (part !== undefined) return part;
  if (/^\d|%/.test(text)) throw new FaultError(`${JSON.stringify(text)}: ${SHARE_FORM} is allowed in ${form}`);
  return { guid: text };
}

function known<T>(value: T | undefined, text: string, form: string): T {
  if (value === undefined) throw new FaultError(`${JSON.stringify(text)}: ${form} is allowed`);
  return value;
}
