import { isSignedInOrder } from '../../lib/chain.js';
import type { Clock } from '../../lib/clock.js';
import { reasonOf } from '../../lib/errors.js';
import { invalidArgument, refusedOperation } from '../../lib/operation-error.js';
import { certificatesIn } from '../../lib/pem.js';
import { amount } from '../../lib/text/amount.js';
import { peerText } from '../../lib/text/peer-text.js';
import { subjectOf } from '../../protocol/certificate-names.js';
import type { EventSink } from '../cluster/events.js';
import { MGMT_LIMITS } from '../config/limits.js';
import type { Ca } from '../security/ca.js';
import type { AuthorityRow, HostsBehind, NewAuthority, Store } from '../store/store.js';

export interface AuthorityOperationParts {
  readonly clock: Pick<Clock, 'wallTime'>;
  readonly store: Pick<
    Store,
    'authorities' | 'introduceAuthority' | 'switchAuthority' | 'dropAuthority' | 'hostsBehindAuthority'
  >;
  readonly events: EventSink;
  readonly ca: Pick<Ca, 'successor'>;
  /** Servers are to read what has changed. */
  configurationChanged(): Promise<void>;
}

/** A CA that counts, or has counted, and the hosts that have not come so far as it has. */
export interface Authority {
  readonly row: AuthorityRow;
  /**
   * Introduced: those that have not confirmed yet that they trust it. Issuing: those whose certificate is of the one before,
   * or whose bundle is older. Undefined: it is on its way out.
   */
  readonly behind: HostsBehind | undefined;
}

const MOST_CERTIFICATES = 8;

/** All CAs that there ever were, oldest first. @throws StoreError */
export async function listAuthorities({ store }: AuthorityOperationParts): Promise<readonly Authority[]> {
  const rows = await store.authorities();
  return Promise.all(rows.map(async row => ({ row, behind: await behindOf(store, row) })));
}

/**
 * Makes a CA that is to take the place of the present one, or takes a given one, and has all agents trust both.
 * @throws OperationError ARGUMENT_INVALID (`certificate`), OPERATION_REFUSED; StoreError
 */
export async function introduceAuthority(
  { store, events, ca, configurationChanged }: AuthorityOperationParts,
  { certificate }: { readonly certificate?: string | undefined },
): Promise<Authority> {
  if (certificate !== undefined) checkChain(certificate);
  const authority = await successorOf(ca, certificate);
  if ((await store.introduceAuthority(authority)) === undefined) {
    const rows = await store.authorities();
    if (rows.some(({ fingerprint }) => fingerprint === authority.fingerprint)) {
      throw refusedOperation('this CA was introduced before');
    }
    const other = rows.find(({ state }) => state === 'introduced' || state === 'trusted');
    throw refusedOperation(`one CA at a time: ${other?.fingerprint ?? 'another one'} has to be dropped first`);
  }
  await configurationChanged();
  const description = `${nameOf(authority)} was introduced: agents are given it beside the present one`;
  events.add({ type: 'CA.AUTHORITY.INTRODUCE', level: 'INFO', description });
  return authorityWith(store, authority.fingerprint);
}

/**
 * The introduced CA issues from now on; agents get certificates of it.
 * @param args forced: also while hosts that are Up have not confirmed that they trust it. @default false
 * @throws OperationError OPERATION_REFUSED; StoreError
 */
export async function switchAuthority(
  parts: AuthorityOperationParts,
  { forced = false }: { readonly forced?: boolean | undefined },
): Promise<Authority> {
  const { store } = parts;
  const row = (await store.authorities()).find(({ state }) => state === 'introduced');
  if (row === undefined) throw refusedOperation('no CA is introduced: introduceCertificateAuthority comes first');
  const behind = await store.hostsBehindAuthority({ generation: row.generation });
  if (behind.up > 0 && !forced) {
    throw refusedOperation(
      `${hostsText(behind.up, behind.names)} Up have not confirmed yet that they trust it; forced=true switches all the same`,
    );
  }
  await carryOutSwitch(parts, row);
  return authorityWith(store, row.fingerprint);
}

/**
 * A CA is trusted no longer, by servers at once and by agents as soon as they have their next certificate.
 * @param args forced: also while hosts have no certificate of the CA that issues. @default false
 * @throws OperationError ARGUMENT_INVALID (`fingerprint`), OPERATION_REFUSED; StoreError
 */
export async function dropAuthority(
  { store, events, clock, configurationChanged }: AuthorityOperationParts,
  { fingerprint, forced = false }: { readonly fingerprint: string; readonly forced?: boolean | undefined },
): Promise<void> {
  const wanted = fingerprint.replaceAll(':', '').toLowerCase();
  const rows = await store.authorities();
  const row = rows.find(one => one.fingerprint === wanted);
  if (row === undefined) throw invalidArgument('fingerprint', peerText(fingerprint), 'there is no CA with it');
  if (row.state === 'dropped') throw refusedOperation('this CA was dropped before');
  if (row.state === 'issuing')
    throw refusedOperation('this CA issues: another one has to be introduced and switched to first');
  const issuing = rows.find(({ state }) => state === 'issuing');
  if (row.state === 'trusted' && issuing !== undefined && !forced) {
    const { generation, fingerprint: issuer } = issuing;
    const behind = await store.hostsBehindAuthority({ generation, fingerprint: issuer });
    if (behind.count > 0) {
      const who = hostsText(behind.count, behind.names);
      throw refusedOperation(
        `${who} still need it: they have no certificate of the CA that issues; forced=true drops it all the same, and they cannot come in`,
      );
    }
  }
  if (!(await store.dropAuthority(wanted, clock.wallTime()))) throw refusedOperation('this CA has changed meanwhile');
  await configurationChanged();
  events.add({
    type: 'CA.AUTHORITY.DROP',
    level: 'INFO',
    description: `${nameOf(row)} was dropped: nobody trusts it any more`,
  });
}

/**
 * Switches by itself, once every host that is Up trusts the introduced CA. One that is given is switched to by command: only
 * the operator knows that all servers have its key.
 * @throws StoreError
 */
export async function advanceAuthority(parts: AuthorityOperationParts): Promise<void> {
  const { store, clock } = parts;
  const row = (await store.authorities()).find(({ state }) => state === 'introduced');
  if (row === undefined || row.secret === null) return;
  if (clock.wallTime() - row.changed < MGMT_LIMITS.introducedMs) return;
  if ((await store.hostsBehindAuthority({ generation: row.generation })).up === 0) await carryOutSwitch(parts, row);
}

async function carryOutSwitch(
  { store, events, clock, configurationChanged }: AuthorityOperationParts,
  row: AuthorityRow,
): Promise<void> {
  // Of several servers one has done it.
  if (!(await store.switchAuthority(row.fingerprint, clock.wallTime()))) return;
  const description = `${nameOf(row)} issues from now on: servers and agents get certificates of it`;
  events.add({ type: 'CA.AUTHORITY.SWITCH', level: 'INFO', description });
  await configurationChanged();
}

async function successorOf(ca: Pick<Ca, 'successor'>, certificate: string | undefined): Promise<NewAuthority> {
  try {
    return await ca.successor(certificate);
  } catch (error) {
    throw refusedOperation(reasonOf(error));
  }
}

/** @throws OperationError ARGUMENT_INVALID */
function checkChain(pem: string): void {
  const refuse = (why: string) => invalidArgument('certificate', 'PEM', why);
  let chain: ReturnType<typeof certificatesIn>;
  try {
    chain = certificatesIn(pem);
  } catch (error) {
    throw refuse(reasonOf(error));
  }
  const last = chain.at(-1);
  if (last === undefined) throw refuse('there is no certificate in it');
  if (chain.length > MOST_CERTIFICATES) throw refuse(`at most ${MOST_CERTIFICATES} certificates are allowed`);
  const other = chain.find(({ ca }) => !ca);
  if (other !== undefined) throw refuse(`${subjectOf(other)} is not the certificate of a CA`);
  if (!isSignedInOrder(chain)) throw refuse('each certificate has to be signed by the one behind it');
  if (!last.checkIssued(last)) throw refuse('the certificates that lead to the root, and the root, come behind it');
}

async function authorityWith(store: AuthorityOperationParts['store'], fingerprint: string): Promise<Authority> {
  const row = (await store.authorities()).find(one => one.fingerprint === fingerprint);
  if (row === undefined) throw refusedOperation('this CA has changed meanwhile');
  return { row, behind: await behindOf(store, row) };
}

async function behindOf(store: Pick<Store, 'hostsBehindAuthority'>, row: AuthorityRow) {
  const { state, generation, fingerprint } = row;
  if (state === 'introduced') return store.hostsBehindAuthority({ generation });
  return state === 'issuing' ? store.hostsBehindAuthority({ generation, fingerprint }) : undefined;
}

function nameOf({ chainPem, fingerprint }: Pick<AuthorityRow, 'chainPem' | 'fingerprint'>): string {
  const [certificate] = certificatesIn(chainPem);
  return `The CA ${certificate === undefined ? '' : `${subjectOf(certificate)} `}(SHA-256 ${fingerprint})`;
}

function hostsText(count: number, names: readonly string[]): string {
  const more = count > names.length ? ` and ${count - names.length} more` : '';
  return `${amount(count, 'host')} (${names.join(', ')}${more})`;
}
